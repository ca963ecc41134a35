"""What ``panicroom photos check`` says: for people, for programs, and numbers for the service."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import shlex
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from panicroom.photos.check import CheckedJob
from panicroom.photos.coverage import day_text
from panicroom.photos.hashes import HashedFile
from panicroom.photos.settled import Looked, look_through, report_settled
from panicroom.settings import Settings
from panicroom.shown import named, shown_path
from panicroom.terminal.status import fetch_status

_MOST_NAMES = 5
"""Of what is no damage."""

_MOST_PATHS = 50
"""Of one command; a line that is longer is a trouble to copy."""


def found_lines(found: CheckedJob, now: datetime) -> list[str]:
    """What is wrong with the job, and what to do. ``now`` in the owner's zone. Lines that begin with blanks are names
    and commands, which are not to be broken."""
    job, lines = found.job.job, []
    if found.repaired:
        lines.append(f"{job}: good again: {named(found.repaired, _MOST_NAMES)}")
    if found.rewritten:
        lines.append(
            f"{job}: written by a program that kept the old date, which the next backup stores: "
            f"{named(found.rewritten, _MOST_NAMES)}"
        )
    if found.unreadable:
        lines.append(f"{job}: {_files(len(found.unreadable))} cannot be read:")
        lines += [f"  {shown_path(one.path)}: {one.reason}" for one in found.unreadable]
        if not all(one.is_damage for one in found.unreadable):
            lines += [
                "You may not read some of them. If they are yours, type:",
                f"  chmod -R u+rX {shell_word(str(found.job.source))}",
            ]
    if found.rotted:
        lines.append(
            f"{job}: {_files(len(found.rotted))} with other bytes than before, though nothing wrote to them. The disk "
            "is failing: copy the pictures to a new one soon. Backups made while they were good still have them:"
        )
        lines += [
            f"  {shown_path(file.path)} (good on {day_text(file.good_at, now)})" for file in found.rotted
        ]
    damaged = _damaged(found)
    if damaged:
        commands = [f"  {command}" for command in _commands(found, damaged)]
        price = (
            "What is archived has to be thawed first: the restore says the price before it begins. The next check says "
            "whether they are good again."
        )
        lines += ["To bring them back, type:", *commands, price]
    return lines


def _damaged(found: CheckedJob) -> list[HashedFile]:
    """What the backup has and the disk has not: of a file that cannot be read only the name is needed."""
    unreadable = [HashedFile(one.path, 0, 0, 0, "", 0) for one in found.unreadable if one.is_damage]
    return [*found.rotted, *unreadable]


def as_json(found: CheckedJob) -> dict[str, Any]:
    """Of a job; times are seconds since 1970."""
    return {
        "job": found.job.job,
        **dataclasses.asdict(found.coverage),
        "is_whole": found.is_whole,
        "read_files": found.read_files,
        "rotted": [
            {"path": file.path, "good_at": file.good_at, "commands": _commands(found, [file])}
            for file in found.rotted
        ],
        "unreadable": [dataclasses.asdict(one) for one in found.unreadable],
        "rewritten": found.rewritten,
        "repaired": found.repaired,
    }


def report_found(settings: Settings, checked: Sequence[CheckedJob]) -> None:
    """Tells the service of those in which nothing has changed since their backup; of others the backup after the next
    one does. Raises ``Problem``."""
    status = fetch_status(settings)
    settled: dict[str, list[Looked]] = defaultdict(list)
    for found in checked:
        looked = look_through(settings, found.job, status)
        if looked.is_settled and found.job.family is not None:
            settled[found.job.family].append(looked)
    for family, jobs in settled.items():
        report_settled(settings, family, jobs)


def _commands(found: CheckedJob, rotted: Sequence[HashedFile]) -> list[str]:
    return restore_commands(found.job.job, found.job.source, rotted, _free_folder(found.job.job))


def _free_folder(job: str) -> Path:
    """Where a restore may write: it takes no folder with something in it."""
    top, number = Path.home() / "restored", 1
    while (folder := top / (job if number == 1 else f"{job}-again{number}")).exists():
        number += 1
    return folder


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def restore_commands(job: str, source: Path, rotted: Sequence[HashedFile], to: Path) -> list[str]:
    """Lines for a shell that bring rotted files back: into ``to`` and new folders beside it, and from there over the
    bad ones in ``source``.

    A file that was written or renamed after it was good may be in newer backups with its bad bytes: it is asked for as
    of the time when it was good, and by the name that it had.
    """
    alone = [file for file in rotted if _is_alone(file)]
    plain = [file for file in rotted if not _is_alone(file)]
    groups = [plain[start : start + _MOST_PATHS] for start in range(0, len(plain), _MOST_PATHS)]
    groups += [[file] for file in alone]
    lines = []
    for number, group in enumerate(groups, start=1):
        folder = to if number == 1 else to.with_name(f"{to.name}-{number}")
        first = group[0]
        words = [
            "panicroom",
            "restore",
            *(_typed(file.stored_as or file.path) for file in group),
            "--job",
            job,
        ]
        words += ["--time", _time_text(first.good_at)] if _is_alone(first) else []
        lines.append(" ".join(map(shell_word, [*words, "--to", str(folder)])))
        copied = (
            (f"{folder}/{first.stored_as}", f"{source}/{first.path}")
            if first.stored_as
            else (f"{folder}/.", f"{source}/")
        )
        lines.append(" ".join(["cp -Rp", *map(shell_word, copied)]))
    return lines


def _is_alone(file: HashedFile) -> bool:
    return file.was_written_since or bool(file.stored_as)


def shell_word(text: str) -> str:
    """Quoted for sh; for bash and zsh where it has bytes that no terminal shows, or that are no text."""
    if text.isprintable():
        return shlex.quote(text)
    letters = (
        "\\" + letter if letter in "\\'" else letter if letter.isprintable() else _escaped(letter)
        for letter in text
    )
    return f"$'{''.join(letters)}'"


def _escaped(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))


def _typed(path: str) -> str:
    """A name that begins with a hyphen is no option then."""
    return f"./{path}" if path.startswith("-") else path


def _time_text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
