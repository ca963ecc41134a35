"""A computer that only reads: what commands say on it."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from panicroom.api import moment_of
from panicroom.exit_codes import Problem
from panicroom.restore.several.progress import RestoredJob
from panicroom.settings import Settings, load_settings
from panicroom.shown import shown_path
from panicroom.stored.times import time_text
from panicroom.terminal.amounts import size_text

TYPE_AGAIN = (
    "this computer's access has ended: a recovery code gives it for 30 days, and its owner can end it; type the code "
    "again: panicroom recover"
)


def explained(problem: Problem) -> str:
    """A refused token: on a computer that only reads, what to do then is not to enrol again."""
    try:
        is_reader = load_settings().reader
    except Problem:
        is_reader = False
    return TYPE_AGAIN if is_reader else str(problem)


def closing_lines(
    settings: Settings,
    restored: Mapping[str, RestoredJob],
    left: Sequence[str],
    reader_until: str | None,
) -> Iterator[str]:
    """What is back, and what to type to go on from here; ``left`` are jobs that were not asked for."""
    if not restored:
        yield "nothing was restored: there is no backup yet"
        return
    files = sum(job.files for job in restored.values())
    size = size_text(sum(job.size_bytes for job in restored.values()))
    folders = sorted({str(Path(job.to).parent) for job in restored.values()})
    where = ", ".join(shown_path(folder) for folder in folders)
    yield ""
    which = settings.machine if not left else f"{', '.join(restored)} of {settings.machine}"
    yield f"{which} is back: {files} file{'s' if files != 1 else ''} ({size}) in {where}"
    if left:
        yield f"Not restored: {', '.join(left)}. To bring back everything, run: panicroom recover"
    until = f" until {time_text(moment_of(reader_until))}" if reader_until else ""
    yield f"This computer can read the backups{until}, and makes none. To back up from here:"
    yield "  1. Move what was restored to where it belongs."
    yield f"  2. Get a code from the owner of the service: python -m ops machine add {settings.machine}"
    yield f"  3. panicroom enrol {settings.url} CODE"
    yield "The old computer's token ends with that, and the next backup goes on with the same chain."
