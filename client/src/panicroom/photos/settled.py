"""Photo jobs in which nothing has changed are not backed up again: the service records that nothing has changed."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from panicroom.api import Api, moment_of
from panicroom.backup.new_chain import is_asked_for
from panicroom.photos.coverage import as_job_check
from panicroom.photos.walk import RememberedWalk, Walk, is_unchanged, recall_walk, remember_walk
from panicroom.photos.walking import walk_through
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
    walk, remembered = walk_through(settings, job), recall_walk(state)
    known = next((one for one in status.jobs if one.job == job.job), None)
    is_settled = (
        remembered is not None
        and remembered.settles
        and not is_asked_for(state)
        and any(
            settings.archive(job.job).glob("*.manifest")
        )  # else the cache was cleared, and is to be made again
        and _is_newest(known, remembered)
        and is_unchanged(remembered.walk, walk)
    )
    if is_settled and remembered and known and remembered.newest is None:
        remember_walk(state, replace(remembered, newest=known.newest_complete_at))
    return Looked(job, walk, remembered.walk if remembered else None, is_settled)


def report_settled(settings: Settings, family: str, settled: Sequence[Looked]) -> None:
    """One request for all of them, which keeps them in time, and repeats what ``photos check`` has found. Raises
    ``Problem``."""
    checks = tuple(as_job_check(settings, one.job, one.walk) for one in settled)
    clock = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with Api(settings.url, token_of(settings)) as api:
        api.report_checks(family, RunStart(kind="check", clock=clock, checks=checks))


def _is_newest(known: JobStatus | None, remembered: RememberedWalk) -> bool:
    """Whether the backup that followed that walk is the newest one that counts. The owner may have put it into
    quarantine, and whoever has a copy of the token may have made another."""
    if known is None or known.newest_complete_at is None:
        return False
    if remembered.newest is not None:
        return known.newest_complete_at == remembered.newest
    began = datetime.fromtimestamp(remembered.walk.began_ns / 10**9, timezone.utc)
    return moment_of(known.newest_complete_at) >= began - _CLOCKS_APART
