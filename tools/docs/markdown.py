"""What the documents say to type, and where they point to: read from Markdown.

A fenced block without a language, or with ``sh``, is for a shell. An HTML comment above it says how it is looked
after: ``<!-- tested by PATH -->`` where a test runs it, ``<!-- not run here: REASON -->`` where only AWS or another
machine can; every other one is run by ``make docs-check``, after what ``<!-- before: ... -->`` prepares out of sight.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from ops.functions.package import PROJECT

SHELL_LANGUAGES = ("", "sh")
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)\s*$")
COMMENT = re.compile(r"<!-- (?P<kind>before|tested by|not run here):? ?(?P<text>.*?)\s*-->", re.DOTALL)
INLINE = re.compile(r"(?<!`)`(?!`)([^`\n]+)`(?!`)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$")


@dataclasses.dataclass(frozen=True)
class Block:
    """Lines of a document for a shell. ``line`` is the fence's, from 1; ``before`` is out of the reader's sight."""

    line: int
    text: str
    before: str = ""
    tested_by: str = ""
    not_run_because: str = ""

    @property
    def is_run(self) -> bool:
        return not (self.tested_by or self.not_run_because)


@dataclasses.dataclass(frozen=True)
class Document:
    """A Markdown file; ``path`` is relative to the project."""

    path: Path
    text: str

    @property
    def blocks(self) -> list[Block]:
        return list(_blocks(self.text))

    @property
    def prose(self) -> list[tuple[int, str]]:
        """The lines outside of fenced blocks, with their numbers."""
        return list(_prose(self.text))

    @property
    def inline_code(self) -> Iterator[tuple[int, str]]:
        for number, line in self.prose:
            for found in INLINE.finditer(line):
                yield number, found[1]

    @property
    def links(self) -> Iterator[tuple[int, str]]:
        for number, line in self.prose:
            for found in LINK.finditer(INLINE.sub("", line)):
                yield number, found[1]

    @property
    def anchors(self) -> set[str]:
        """The names of its headings, as GitHub makes them."""
        names: set[str] = set()
        for _, line in self.prose:
            heading = HEADING.match(line)
            if heading:
                base = anchor_of(heading[1])
                name, count = base, 0
                while name in names:
                    count += 1
                    name = f"{base}-{count}"
                names.add(name)
        return names


def documents(project: Path = PROJECT) -> list[Document]:
    """README, the client's README, the changelog and all of ``docs``."""
    paths = [project / "README.md", project / "client" / "README.md", project / "CHANGELOG.md"]
    paths += sorted((project / "docs").rglob("*.md"))
    return [Document(path.relative_to(project), path.read_text(encoding="utf-8")) for path in paths]


def anchor_of(heading: str) -> str:
    """GitHub's name of a heading: lower case, no punctuation, hyphens for spaces."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def broken_links(all_documents: list[Document], project: Path = PROJECT) -> list[str]:
    """A sentence for each link between documents that leads nowhere."""
    by_path = {(project / one.path).resolve(): one for one in all_documents}
    found = []
    for document in all_documents:
        for line, target in document.links:
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            path = (project / document.path.parent / name).resolve() if name else project / document.path
            if not path.exists():
                found.append(f"{document.path}:{line}: there is no {target}")
            elif anchor and anchor not in getattr(by_path.get(path.resolve()), "anchors", ()):
                found.append(f"{document.path}:{line}: {name or document.path} has no heading #{anchor}")
    return found


def _prose(text: str) -> Iterator[tuple[int, str]]:
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def _blocks(text: str) -> Iterator[Block]:
    lines = text.splitlines()
    since = number = 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        if fence is None:
            number += 1
            continue
        end = next(i for i in range(number + 1, len(lines)) if lines[i].strip() == "```")
        if fence["language"] in SHELL_LANGUAGES:
            said = {"before": "", "tested by": "", "not run here": ""}
            for comment in COMMENT.finditer("\n".join(lines[since:number])):
                said[comment["kind"]] = comment["text"].strip()
            body = "\n".join(line.removeprefix(fence["indent"]) for line in lines[number + 1 : end])
            yield Block(number + 1, body, said["before"], said["tested by"], said["not run here"])
        since = number = end + 1
