"""What the documents say to type, and where they point to: read from Markdown.

A fenced block without a language, or with ``sh``, is for a shell. An HTML comment above it says how it is looked
after: ``<!-- tested by PATH -->`` where a test runs it, ``<!-- not run here: REASON -->`` where only AWS or another
machine can; every other one is run by ``make docs-check``, after what ``<!-- before: ... -->`` prepares out of sight.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ops.functions.package import PROJECT

SHELL_LANGUAGES = ("", "sh")
COMMENT = re.compile(r"<!-- (?P<kind>before|tested by|not run here):? ?(?P<text>.*?)\s*-->", re.DOTALL)
PARSER = MarkdownIt("commonmark").enable("table")


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

    @functools.cached_property
    def tokens(self) -> list[Token]:
        """The document as markdown-it reads it. A token's ``map`` has its first line, from 0."""
        return PARSER.parse(self.text)

    @property
    def blocks(self) -> list[Block]:
        return list(_blocks(self.tokens))

    @property
    def inline_code(self) -> Iterator[tuple[int, str]]:
        """Line of the paragraph, and the code."""
        for line, part in _inline_parts(self.tokens):
            if part.type == "code_inline":
                yield line, part.content

    @property
    def links(self) -> Iterator[tuple[int, str]]:
        """Line of the paragraph, and where the link or image points to."""
        for line, part in _inline_parts(self.tokens):
            target = part.attrGet({"link_open": "href", "image": "src"}.get(part.type, ""))
            if target:
                yield line, str(target)

    @property
    def anchors(self) -> set[str]:
        """The names of its headings, as GitHub makes them."""
        names: set[str] = set()
        for heading, content in itertools.pairwise(self.tokens):
            if heading.type == "heading_open":
                base = anchor_of("".join(part.content for part in content.children or ()))
                numbered = (base if count == 0 else f"{base}-{count}" for count in itertools.count())
                names.add(next(name for name in numbered if name not in names))
        return names


def documents(project: Path = PROJECT) -> list[Document]:
    """README, the client's README, CONTRIBUTING, the changelog and all of ``docs``."""
    paths = [project / name for name in ("README.md", "client/README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    paths += sorted((project / "docs").rglob("*.md"))
    return [Document(path.relative_to(project), path.read_text(encoding="utf-8")) for path in paths]


def anchor_of(heading: str) -> str:
    """GitHub's name of a heading: lower case, no punctuation, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


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


def _inline_parts(tokens: list[Token]) -> Iterator[tuple[int, Token]]:
    for token in tokens:
        for part in token.children or ():
            yield (token.map or [0])[0] + 1, part


def _blocks(tokens: list[Token]) -> Iterator[Block]:
    comments: dict[str, str] = {}
    for token in tokens:
        if token.type == "html_block":
            comments |= {found["kind"]: found["text"].strip() for found in COMMENT.finditer(token.content)}
        if token.type == "fence":
            if token.info.strip() in SHELL_LANGUAGES:
                words = (comments.get(kind, "") for kind in ("before", "tested by", "not run here"))
                yield Block((token.map or [0])[0] + 1, token.content.removesuffix("\n"), *words)
            comments = {}
