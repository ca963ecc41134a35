"""Photo jobs in which nothing has changed are not backed up again: the service is told that they were looked at."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from panicroom.api import Api, moment_of
from panicroom.backup.new_chain import is_asked_for
from panicroom.photos.coverage import as_job_check
from panicroom.photos.family import walk_through
from panicroom.photos.walk import Walk, is_unchanged, recall_walk
from panicroom.secrets import token_of
from panicroom.settings import JobSettings, Settings
from panicroom.wire import JobStatus, MachineStatus, RunStart

_CLOCKS_APART = timedelta(minutes=10)
"""At most: the service refuses a run of a computer whose clock is further off."""


@dataclass(frozen=True)
class Looked:
    """A photo job that was looked at; ``is_settled``: it needs no backup. ``before`` is the walk of its newest one."""

    job: JobSettings
    walk: Walk
    before: Walk | None
    is_settled: bool


def look_through(settings: Settings, job: JobSettings, status: MachineStatus) -> Looked:
    """Raises ``Problem`` as a backup would."""
    state = settings.job_state(job.job)
    walk, before = walk_through(settings, job), recall_walk(state)
    known = next((one for one in status.jobs if one.job == job.job), None)
    is_settled = (
        before is not None
        and not is_asked_for(state)
        and _is_stored(known, before)
        and is_unchanged(before, walk)
    )
    return Looked(job, walk, before, is_settled)


def report_settled(settings: Settings, family: str, settled: Sequence[Looked]) -> None:
    """One request for all of them, which keeps them in time, and repeats what ``photos check`` has found."""
    checks = tuple(as_job_check(settings, one.job, one.walk) for one in settled)
    clock = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with Api(settings.url, token_of(settings)) as api:
        api.report_checks(family, RunStart(kind="check", clock=clock, checks=checks))


def _is_stored(known: JobStatus | None, before: Walk) -> bool:
    """Whether the backup that followed that walk counts still: the owner may have put it into quarantine."""
    if known is None or known.newest_complete_at is None:
        return False
    began = datetime.fromtimestamp(before.began_ns / 10**9, timezone.utc)
    return moment_of(known.newest_complete_at) >= began - _CLOCKS_APART
