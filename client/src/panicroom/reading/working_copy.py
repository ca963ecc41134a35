"""A folder of its own for a duplicity that only reads, and how it is run there."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from panicroom.duplicity_files.work_folder import work_folder
from panicroom.duplicity_run import process as duplicity_process
from panicroom.duplicity_run.plan import ChildPlan, Search
from panicroom.duplicity_run.process import Ended, Event
from panicroom.private_files import private_folder
from panicroom.reading.stored_backups import StoredBackups
from panicroom.secrets import passphrase_of, token_of
from panicroom.settings import JobSettings, Settings
from panicroom.stored.metadata import SetMetadata


@contextmanager
def working_copy(settings: Settings, job: JobSettings, copies: Mapping[str, SetMetadata]) -> Iterator[Path]:
    """A folder with duplicity's ``archive`` of ``copies`` and a ``tmp``; a backup may run at the same time."""
    duplicity_process.require_gpg()
    with work_folder(settings.job_cache(job.job), "read") as work:
        private_folder(work / "tmp")
        archive = private_folder(work / "archive" / settings.archive_name(job.job))
        for item in copies.values():
            item.place_in(archive)
        yield work


def run_reading(
    settings: Settings,
    job: JobSettings,
    arguments: list[str],
    output: Path,
    *,
    backups: StoredBackups | None = None,
    on_line: Callable[[str], None] | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
    search: Search | None = None,
    passphrase: str | None = None,
) -> Ended:
    """Runs duplicity without a run of the service: it cannot write to the backup. Lines come without their time.

    ``passphrase``: another one than today's.
    """
    hidden = () if backups is None else tuple(sorted(backups.false_sets))
    return duplicity_process.run(
        ChildPlan(url=settings.url, job=job.job, hidden_sets=hidden, search=search),
        arguments,
        token=token_of(settings),
        passphrase=passphrase or passphrase_of(settings),
        log_file=output,
        on_event=on_event,
        on_line=on_line and (lambda line: on_line(without_time(line))),
    )


def raise_problem(settings: Settings, ended: Ended) -> None:
    """Raises what ended duplicity, if it did not end well."""
    problem = ended.problem(settings.places.log_file)
    if problem is not None:
        raise problem


def without_time(line: str) -> str:
    """A line of duplicity's without the time before it."""
    return re.sub(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[,.]?\d* ", "", line)
