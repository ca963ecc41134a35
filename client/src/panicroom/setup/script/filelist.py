"""A script's list of patterns, as duplicity can use it for the source."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from panicroom.duplicity_run.filelists import text_lines
from panicroom.setup.script.findings import ImportedLine


@dataclass(frozen=True)
class Filelist:
    """Lines for duplicity, and what was found in them."""

    lines: tuple[str, ...]
    findings: tuple[ImportedLine, ...]


def read_filelist(text: str, source: Path) -> Filelist:
    """The ``+`` and ``-`` lines that duplicity can use for ``source``; comments stay where they are.

    duplicity ends with an error at a pattern that cannot match below the source, and at an include in the
    last place, so the first is left out and the second gets the exclude that it was meant to have.
    """
    lines: list[str] = []
    findings: list[ImportedLine] = []
    last_includes = False
    for number, raw in enumerate(text_lines(text.removesuffix("\n")), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            lines.append(line)
            continue
        sign, pattern = (line[0], line[2:].strip()) if line[:2] in ("+ ", "- ") else ("-", line)
        if len(pattern) > 1 and pattern[0] == pattern[-1] and pattern[0] in "'\"":
            pattern = pattern[1:-1]
        pattern = _without_links(pattern, source)
        if not _can_match(pattern, source):
            why = f"it cannot match anything below {source}; begin it with ** or with that folder"
            findings.append(ImportedLine(f"exclude line {number}, {line}", False, why))
            continue
        lines.append(f"{sign} {pattern}")
        findings.append(
            ImportedLine(f"exclude line {number}, {line}", True, "left out" if sign == "-" else "backed up")
        )
        last_includes = sign == "+"
    if last_includes:
        lines.append("- **")
        findings.append(ImportedLine("- **", True, "added at the end: without it the + lines change nothing"))
    return Filelist(tuple(lines), tuple(findings))


def _without_links(pattern: str, source: Path) -> str:
    """duplicity is given the source with its links resolved, and compares patterns with that."""
    before, after = str(source), str(source.resolve())
    if before != after and (pattern == before or pattern.startswith(before.rstrip("/") + "/")):
        return after + pattern[len(before) :]
    return pattern


class _Root:
    """The source as duplicity's patterns see it."""

    def __init__(self, source: Path) -> None:
        self.uc_name = str(source.resolve())

    def isdir(self) -> bool:
        return True


def _can_match(pattern: str, source: Path) -> bool:
    from duplicity import globmatch  # takes a moment, and is the authority on its own patterns

    try:
        return bool(globmatch.select_fn_from_glob(pattern, 1)(_Root(source)))
    except (globmatch.GlobbingError, re.error):
        return False
