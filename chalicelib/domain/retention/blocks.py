"""Why nothing of a job may be let go now, whatever its chains are like."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from chalicelib.domain.backups.freshness import State


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """``critical`` are sentences of open critical findings of the job and its bucket, ``safety`` messages of notices
    about safety of the last 30 days. ``differed``: the weekly comparison found differences within the last 10 days.
    ``keeps_versions`` is ``None`` where the bucket was not looked at, ``old_versions_days`` where no rule removes
    old versions of the job's files, and else the shortest.
    """

    state: State
    lease_until: datetime | None = None
    thaw_is_open: bool = False
    compared_at: datetime | None = None
    differed: bool = False
    critical: tuple[str, ...] = ()
    safety: tuple[str, ...] = ()
    keeps_versions: bool | None = None
    old_versions_days: int | None = None


def blocks_of(around: Surroundings, now: datetime) -> tuple[str, ...]:
    leased = around.lease_until is not None and around.lease_until > now
    running = ("A run of it is in progress.",) if leased else ()
    return (*around.critical, *around.safety, *running)
