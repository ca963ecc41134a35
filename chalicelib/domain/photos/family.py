"""A family of photo jobs: one folder of pictures, whose folders become jobs of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime

from chalicelib.domain.backups.machines import DAY_SECONDS, DEFAULT_DRILL_SECONDS, Job
from chalicelib.domain.backups.names import Location, is_identifier, own_location
from chalicelib.domain.backups.retention_policy import DEFAULT_RETENTION, RetentionPolicy
from chalicelib.domain.backups.storage import DEEP_ARCHIVE, StoragePolicy
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ErrorCode

PHOTO_FAMILY = "photos"
"""The name of the one that ``machine add --photos`` makes."""

MOST_JOBS = 60
"""Of a family: a year each, for longer than anybody takes pictures."""

PHOTO_STORAGE = StoragePolicy(DEEP_ARCHIVE, 7)
"""The last resort: read once in many years, if ever."""

PHOTO_VOLUME_MB = 200

PHOTO_PERIOD_SECONDS = 7 * DAY_SECONDS
PHOTO_GRACE_SECONDS = 28 * DAY_SECONDS
"""Pictures come once in a while, and their disk is not always attached: overdue after five weeks in which nobody even
looked at them."""


@dataclasses.dataclass(frozen=True)
class Family:
    """What its jobs are made with. ``source_hint`` is where the owner thinks that the pictures are."""

    machine: str
    name: str
    created_at: datetime
    period_seconds: int = PHOTO_PERIOD_SECONDS
    grace_seconds: int = PHOTO_GRACE_SECONDS
    storage: StoragePolicy = PHOTO_STORAGE
    volume_mb: int = PHOTO_VOLUME_MB
    retention: RetentionPolicy = DEFAULT_RETENTION
    drill_every_seconds: int = DEFAULT_DRILL_SECONDS
    source_hint: str | None = None
    follows: frozenset[str] = frozenset()
    """Its settings that are not its own, and that its new jobs take from the machine's group too."""


def stand_in(family: Family) -> Job:
    """What a family is evaluated as while none of its folders has come: a job of which no backup is there."""
    return Job(
        family.machine,
        family.name,
        Location("", ""),
        family.period_seconds,
        family.grace_seconds,
        family.storage,
        added_at=family.created_at,
        family=family.name,
    )


def without_jobs(families: Iterable[Family], jobs: Iterable[Job]) -> list[Family]:
    """Those none of whose folders has come yet."""
    known = {(job.machine, job.family) for job in jobs}
    return [family for family in families if (family.machine, family.name) not in known]


def child_job(family: Family, name: str, bucket: str, now: datetime) -> Job:
    """A job of the family, with its settings, below the machine's own prefix."""
    return Job(
        family.machine,
        name,
        own_location(bucket, family.machine, name),
        family.period_seconds,
        family.grace_seconds,
        family.storage,
        added_at=now,
        drill_every_seconds=family.drill_every_seconds,
        retention=family.retention,
        family=family.name,
        follows=family.follows,
    )


def check_child(family: Family, job: str, known: int) -> None:
    """Refuses a job that is none of the family's, or one too many; ``known`` are those that are there."""
    if not is_identifier(job) or not job.startswith(f"{family.name}-") or job == f"{family.name}-":
        raise Refusal(
            ErrorCode.BAD_NAME,
            f"A job of {family.name} is called {family.name}-..., such as {family.name}-2018.",
        )
    if known >= MOST_JOBS:
        raise Refusal(
            ErrorCode.TOO_MANY_JOBS,
            f"{family.machine}/{family.name} has {known} jobs, and no more may be: put folders of one year together.",
        )
