"""What the commands about a stored job begin with: which job, and its backups."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from panicroom.exit_codes import ExitCode, Problem

if TYPE_CHECKING:
    from panicroom.reading.stored_backups import StoredBackups
    from panicroom.settings import JobSettings, Settings


def chosen_job(settings: Settings, job: str | None) -> JobSettings:
    """The job that is named, or the only one."""
    if job is None and len(settings.jobs) > 1:
        names = ", ".join(one.job for one in settings.jobs)
        raise Problem(f"this machine has several jobs ({names}); say which: --job JOB", ExitCode.USAGE)
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
