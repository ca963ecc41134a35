"""A family of photo jobs as one: its years, the worst state of its jobs, and how long ago each was looked at."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from chalicelib.domain.backups.freshness import WORST_FIRST, Freshness, State
from chalicelib.domain.backups.machines import Job

_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclasses.dataclass(frozen=True)
class FamilySummary:
    """``years`` is ``2018-2026``, ``2024``, or empty where no folder is called by a year.

    ``looked_at`` is when the one of its jobs was looked at that was not for longest: its newest backup, or a check that
    found nothing changed since; ``None`` before the first backup.
    """

    years: str
    jobs: tuple[str, ...]
    state: State
    looked_at: datetime | None
    newest_complete_at: datetime | None
    stored_bytes: int


def summarize_family(family: str, evaluated: Sequence[tuple[Job, Freshness]]) -> FamilySummary:
    """``evaluated`` are all jobs of the family, one at least."""
    jobs = tuple(sorted(job.name for job, _ in evaluated))
    looks = [looked_at(job, freshness.newest_complete_at) for job, freshness in evaluated]
    return FamilySummary(
        years_of(family, jobs),
        jobs,
        worst_state(freshness.state for _, freshness in evaluated),
        min((look for look in looks if look), default=None),
        max((one.newest_complete_at for _, one in evaluated if one.newest_complete_at), default=None),
        sum(freshness.stored_bytes for _, freshness in evaluated),
    )


def looked_at(job: Job, newest_complete_at: datetime | None) -> datetime | None:
    """When the job was last backed up, or found unchanged since; ``None`` before its first backup."""
    if newest_complete_at is None:
        return None
    return max(newest_complete_at, job.last_check.at) if job.last_check else newest_complete_at


def worst_state(states: Iterable[State]) -> State:
    """One that the owner has paused says nothing of the others."""
    found = set(states)
    return min(found - {State.PAUSED} or found, key=WORST_FIRST.index)


def years_of(family: str, jobs: Iterable[str]) -> str:
    """By the names of its jobs: ``photos-2018``, ``photos-2018-05-12-wedding``."""
    found = [_YEAR.match(job.removeprefix(f"{family}-")) for job in jobs]
    years = sorted(match[0] for match in found if match)
    if not years:
        return ""
    return years[0] if years[0] == years[-1] else f"{years[0]}-{years[-1]}"
