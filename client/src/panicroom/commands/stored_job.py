"""What the commands about a stored job begin with: which job, and its backups."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from panicroom.exit_codes import ExitCode, Problem

if TYPE_CHECKING:
    from panicroom.reading.stored_backups import StoredBackups
    from panicroom.restore.several.family_paths import JobFamily
    from panicroom.settings import JobSettings, Settings


def chosen(settings: Settings, job: str | None) -> JobSettings | JobFamily:
    """The job, or the family of photo jobs, that is named; without a name the only one."""
    from panicroom.restore.several.family_paths import family_named

    names = list(dict.fromkeys(each.family or each.job for each in settings.jobs))
    if job is None and len(names) > 1:
        raise _several(names)
    name = job or next(iter(names), None)
    family = family_named(settings, name) if name is not None else None
    return family or chosen_job(settings, job)


def _several(names: Sequence[str]) -> Problem:
    return Problem(
        f"this machine has several jobs ({', '.join(names)}); say which: --job JOB", ExitCode.USAGE
    )


def chosen_job(settings: Settings, job: str | None) -> JobSettings:
    """The job that is named, or the only one."""
    if not settings.jobs:
        raise Problem("nothing has been backed up from here yet; run: panicroom backup", ExitCode.NOT_FOUND)
    if job is None and len(settings.jobs) > 1:
        raise _several([one.job for one in settings.jobs])
    return settings.job_named(job) if job else settings.jobs[0]


@contextmanager
def reading(settings: Settings, job: JobSettings) -> Iterator[StoredBackups]:
    """The job's backups; how far the reading is goes to standard error."""
    from panicroom.reading.stored_backups import open_backups
    from panicroom.terminal.fetching import shown_fetch
    from panicroom.terminal.progress import make_reporter

    with contextlib.ExitStack() as stack:
        with shown_fetch(make_reporter(sys.stderr), "what the backups hold") as on_event:
            backups = stack.enter_context(open_backups(settings, job, on_event))
        yield backups
