"""``make docs-check``: types every command of the documents, in a clean home, on a local stack of its own.

Each document gets a copy of the checkout, which is what it calls "the clone", an empty stack and an empty home, so that
nobody's own are touched. It is one shell, from its first block to its last. Where a document says ``URL`` or ``CODE``,
what its hidden ``before`` comments gave that name is typed.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.demo.laptop import gpg_folder
from ops.environments import LAPTOP, MINISTACK, SITE
from ops.functions.package import PROJECT
from tools.docs.commands import complaints
from tools.docs.markdown import Document, broken_links, documents
from tools.docs.reference import generated_files

MADE_BY_US = (
    ".venv",
    "build",
    ".git",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    "__pycache__",
    "*.egg-info",
)
STACK = "build/local"
DOCUMENT_SECONDS = 900
"""A machine that does other work as well takes many times as long as one that does not."""
SHOWN_LINES = 25
MARK = "@@ "
GIVEN_NAME = re.compile(r"(?:^|\s)([A-Z]+)=", re.MULTILINE)

PROLOGUE = """\
set -euo pipefail
test -e build/local/stack.json || python -m ops local up >/dev/null
of_json() { python -c "import json, sys; print(json.load(sys.stdin)$1)"; }
api_url() { of_json '["api_url"]' < build/local/stack.json; }
code_for() { python -m ops machine add "$1" --json | of_json '["code"]'; }
"""
"""The clone's local stack, and what the ``before`` comments may ask: they stand in the clone."""


@dataclasses.dataclass(frozen=True)
class DocumentClone:
    """Where documents are tried: a clone, and a gpg folder whose name is short enough for its agent's socket."""

    clone: Path
    gpg: Path

    def run(self, script: str, home: Path, *, seconds: float = DOCUMENT_SECONDS) -> tuple[int, str]:
        """Exit code, and output and errors together. Nothing of the caller's environment but the PATH is there."""
        path = home.with_suffix(".sh")
        path.write_text(script, encoding="utf-8")
        programs = f"{self.clone / SITE / 'bin'}:{self.clone / LAPTOP / 'bin'}:{os.environ['PATH']}"
        try:
            ended = subprocess.run(
                ["bash", str(path)],
                cwd=self.clone,
                env={
                    "PATH": programs,
                    "HOME": str(home),
                    "GNUPGHOME": str(self.gpg),
                    "LANG": os.environ.get("LANG", "C.UTF-8"),
                    "PANICROOM_KEYRING": "file",
                    "PASSPHRASE": "correct horse battery staple",
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return 124, f"{(error.stdout or b'').decode(errors='replace')}\nnot over after {seconds:.0f} s"
        return ended.returncode, ended.stdout.decode(errors="replace")


def script_of(document: Document, home: Path) -> str:
    """Every block that is run, one after the other, in one shell that stops at the first failure."""
    lines = [PROLOGUE]
    given: set[str] = set()
    for block in document.blocks:
        if not block.is_run:
            continue
        given |= set(GIVEN_NAME.findall(block.before))
        text = block.text
        for name in sorted(given):
            text = re.sub(rf"(?<![\w$\-{{]){name}(?!\w)", f"${{{name}}}", text)
        lines += [
            f"echo '{MARK}{document.path}:{block.line}'",
            *block.before.splitlines(),
            # What a command asks for is the folder to back up.
            f"{{\n{text}\n}} < {home / 'answers'}",
        ]
    return "\n".join(lines) + "\n"


def try_document(document: Document, place: DocumentClone, home: Path) -> str | None:
    """Types the document; what went wrong, or None."""
    folder = home / "Documents"
    folder.mkdir(parents=True)
    (folder / "letter.txt").write_text("Dear Ben,\n")
    (folder / "photos").mkdir()
    (folder / "photos" / "harbour.raw").write_bytes(os.urandom(100_000))
    (home / "answers").write_text(f"{folder}\n" * 5)
    code, said = place.run(script_of(document, home), home)
    if code == 0:
        return None
    where = [line.removeprefix(MARK) for line in said.splitlines() if line.startswith(MARK)]
    shown = "\n".join(f"    {line}" for line in said.splitlines()[-SHOWN_LINES:])
    return f"{where[-1] if where else document.path}: ended with {code}\n{shown}"


@contextmanager
def place_to_try(running_stack: Path | None = None) -> Iterator[DocumentClone]:
    """A clone with the environments that are there already, whose local stack is empty and ends with it.

    Or the stack is one that runs, of which the state folder is given: it has what is in it, and goes on running.
    """
    with tempfile.TemporaryDirectory(prefix="docs-") as folder, gpg_folder(is_quick=True) as gpg:
        clone = Path(folder) / "panicroom"
        shutil.copytree(PROJECT, clone, ignore=shutil.ignore_patterns(*MADE_BY_US))
        links = {folder: PROJECT / folder for folder in (SITE, MINISTACK, LAPTOP)}
        if running_stack is not None:
            links = {SITE: PROJECT / SITE, LAPTOP: PROJECT / LAPTOP, STACK: running_stack}
        for link, target in links.items():
            (clone / link).parent.mkdir(parents=True, exist_ok=True)
            (clone / link).symlink_to(target)
        place = DocumentClone(clone, gpg)
        try:
            yield place
        finally:
            if running_stack is None:
                place.run("python -m ops local down", Path(folder) / "end")


def what_is_wrong_on_paper(all_documents: list[Document]) -> list[str]:
    """What can be seen without running anything; ``make test`` looks at the same."""
    found = broken_links(all_documents)
    for document in all_documents:
        for block in document.blocks:
            found += [f"{document.path}:{block.line}: {one}" for one in complaints(block.text)]
    stale = [path for path, text in generated_files().items() if (PROJECT / path).read_text() != text]
    return [
        *found,
        *(f"{path} is not what the code says: `python -m tools.docs.reference` makes it" for path in stale),
    ]


def main(wanted: list[str]) -> int:
    """Tries all documents, or those whose paths are given."""
    all_documents = documents()
    failures = what_is_wrong_on_paper(all_documents)
    runnable = [one for one in all_documents if any(block.is_run for block in one.blocks)]
    for document in runnable:
        if wanted and str(document.path) not in wanted:
            continue
        began = time.monotonic()
        with place_to_try() as place:
            failure = try_document(document, place, place.clone.parent / "home")
        failures += [failure] if failure else []
        count = sum(block.is_run for block in document.blocks)
        seconds = time.monotonic() - began
        print(
            f"{'failed' if failure else 'ok':6} {document.path}: {count} blocks, {seconds:.0f} s", flush=True
        )
    for document in all_documents:
        for block in document.blocks:
            if block.not_run_because:
                print(f"not run here: {document.path}:{block.line}: {block.not_run_because}")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
