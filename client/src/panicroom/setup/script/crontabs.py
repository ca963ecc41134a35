"""The lines of crontabs that still run a script around duplicity, beside the schedule of panicroom's own."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from panicroom.shown import shown

_SYSTEM_CRONTAB = Path("/etc/crontab")
_SYSTEM_FOLDER = Path("/etc/cron.d")
_FOLDERS_OF_SCRIPTS = tuple(
    Path("/etc", f"cron.{often}") for often in ("hourly", "daily", "weekly", "monthly")
)
_LONGEST_SCRIPT_BYTES = 100_000
_TIMES = re.compile(r"\s*(@\w+|(?:[\d*/,\-A-Za-z]+\s+){4}[\d*/,\-A-Za-z]+)\s+(\S.*)")


@dataclass(frozen=True)
class CronLine:
    """``when``: the line's first fields, as ``0 12 * * *``; ``program``: what it runs, without its arguments, which
    may be secrets; ``place``: whose crontab."""

    place: str
    when: str
    program: str

    def __str__(self) -> str:
        return shown(f"{self.place}: {self.when} {self.program}")


def read_crontabs() -> dict[str, str]:
    """The crontabs of this user and of the system, as far as they can be read, by where they are changed."""
    texts = {"crontab -e": _own_crontab()}
    for path in [_SYSTEM_CRONTAB, *_files_in(_SYSTEM_FOLDER)]:
        texts[str(path)] = _text(path)
    for folder in _FOLDERS_OF_SCRIPTS:
        texts |= {str(path): f"@{folder.suffix[1:]} {path}" for path in _files_in(folder)}
    return texts


def lines_that_run(conf: Path, crontabs: Mapping[str, str]) -> list[CronLine]:
    """The lines that call duplicity, or a script that does or that reads ``conf``; none of panicroom's own."""
    return [
        CronLine(place, *found)
        for place, text in crontabs.items()
        for line in text.splitlines()
        if (found := _backup_in(line, conf))
    ]


def _backup_in(line: str, conf: Path) -> tuple[str, str] | None:
    match = _TIMES.fullmatch(line)
    if match is None:
        return None
    when, command = match.groups()
    words = list(_words(command))
    if any(Path(word).name == "panicroom" for word in words):
        return None
    for word in words:
        path = Path(word)
        if path.name in ("duplicity", conf.name) or (path.is_file() and _is_about_it(_text(path), conf)):
            return when, word
    return None


def _words(command: str) -> Iterable[str]:
    """Also those within quotation marks, as of ``sh -c '...'``."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    for word in words:
        yield from (part.strip("();&|").replace("$HOME", str(Path.home())) for part in word.split())


def _is_about_it(script: str, conf: Path) -> bool:
    return conf.name in script or re.search(r"\bduplicity\b", script) is not None


def _own_crontab() -> str:
    try:
        ended = subprocess.run(
            ["crontab", "-l"], capture_output=True, text=True, errors="replace", check=False
        )
    except OSError:
        return ""
    return ended.stdout


def _files_in(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return


def _text(path: Path) -> str:
    """The beginning of a file; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_SCRIPT_BYTES).decode(errors="replace")
    except OSError:
        return ""
