"""A job's state, from S3's times and the owner's settings, never from what the laptop reports alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

from chalicelib.domain.backups.chains import newest_chain
from chalicelib.domain.backups.machines import Job, Machine, added_at, is_paused
from chalicelib.domain.backups.sets import BackupSet, newest_whole, oldest_whole_at


class State(str, Enum):
    """The first that holds counts, in this order; but a first full backup that grows is never, not overdue."""

    PAUSED = "paused"
    OVERDUE = "overdue"
    NEVER = "never"
    FAILING = "failing"
    DUE = "due"
    SETTLED = "settled"
    FRESH = "fresh"


WORST_FIRST = (
    State.OVERDUE,
    State.FAILING,
    State.NEVER,
    State.DUE,
    State.PAUSED,
    State.SETTLED,
    State.FRESH,
)
"""In this order they are shown, and the first counts where several jobs are shown as one."""

NEEDS_ATTENTION = frozenset({State.OVERDUE, State.FAILING})


PROGRESS_SHOWN_AFTER = timedelta(hours=1)
"""Before that, and below one per cent, a rate does not predict the days to come."""


LONGEST_FORECAST = timedelta(days=3660)
"""What would take longer is no forecast."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a job's first full backup is.

    ``percent`` is 0 to 99 of the source's size as the run reported it, ``None`` where it reported none; never 100,
    since encrypted volumes are somewhat smaller or larger than what is in them. ``time_left`` is at the pace since the
    backup began, the hours in which the machine slept included; ``None`` while it is unknown, or nothing moves.
    """

    begun_at: datetime
    stored_bytes: int
    percent: int | None
    time_left: timedelta | None


@dataclasses.dataclass(frozen=True)
class Freshness:
    """``newest_complete_at`` is S3's time of the manifest of the newest complete or unproven set,
    ``oldest_complete_at`` that of the oldest.

    ``progress`` is there while a job's first full backup is on its way, and at no other time.
    """

    state: State
    newest_complete_at: datetime | None
    chain_length: int
    stored_bytes: int
    progress: Progress | None = None
    oldest_complete_at: datetime | None = None


@dataclasses.dataclass(frozen=True)
class SealedSummary:
    """What a job's sealed sets come to, for whoever must not read all of them."""

    newest_complete_at: datetime | None = None
    chain_length: int = 0
    stored_bytes: int = 0
    oldest_complete_at: datetime | None = None
    volumes: int = 0


def summarize(sets: Sequence[BackupSet]) -> SealedSummary:
    """Sets that are not sealed are passed over."""
    sealed = [backup_set for backup_set in sets if backup_set.sealed]
    newest, chain = newest_whole(sealed), newest_chain(sealed)
    return SealedSummary(
        newest.sealed_at if newest else None,
        len(chain.sets) if chain else 0,
        sum(backup_set.stored_bytes for backup_set in sealed),
        oldest_whole_at(sealed),
        sum(len(backup_set.volumes) for backup_set in sealed),
    )


def evaluate_freshness(machine: Machine, job: Job, sets: Sequence[BackupSet], now: datetime) -> Freshness:
    return evaluate_summary(machine, job, summarize(sets), sets, now)


def evaluate_summary(
    machine: Machine, job: Job, summary: SealedSummary, sets: Sequence[BackupSet], now: datetime
) -> Freshness:
    """``summary`` is of the job's sealed sets; any of them that is among ``sets`` too is passed over."""
    open_sets = [backup_set for backup_set in sets if not backup_set.sealed]
    newest_at = summary.newest_complete_at
    grows = any(one.changed_at and now - one.changed_at <= STALLED_AFTER for one in open_sets)
    return Freshness(
        state=_state(machine, job, newest_at, now, first_grows=newest_at is None and grows),
        newest_complete_at=newest_at,
        chain_length=summary.chain_length,
        stored_bytes=summary.stored_bytes + sum(backup_set.stored_bytes for backup_set in open_sets),
        progress=_progress(machine, job, open_sets, now) if newest_at is None else None,
        oldest_complete_at=summary.oldest_complete_at,
    )


def due_since(machine: Machine, job: Job) -> datetime:
    """From when on a job without any backup counts its period: its adding, or the end of a pause after that."""
    added, paused_until = added_at(machine, job), machine.paused_until
    return max(added, paused_until) if paused_until is not None else added


def _state(
    machine: Machine, job: Job, newest_at: datetime | None, now: datetime, *, first_grows: bool
) -> State:
    """``first_grows``: a first full backup, which may take weeks, is on its way."""
    if is_paused(machine, job, now):
        return State.PAUSED
    if first_grows:
        return State.NEVER
    looked_at = _looked_at(job, newest_at)
    age = now - (looked_at or newest_at or due_since(machine, job))
    if age > job.late_after:
        return State.OVERDUE
    if newest_at is None:
        return State.NEVER
    if job.last_run is not None and job.last_run.exit_code not in (None, 0):
        return State.FAILING
    if age > timedelta(seconds=job.period_seconds):
        return State.DUE
    return State.SETTLED if looked_at is not None else State.FRESH


def _looked_at(job: Job, newest_at: datetime | None) -> datetime | None:
    """When a photo job was last found unchanged since its newest backup: as good as a backup, whose time it takes."""
    check = job.last_check
    return check.at if check is not None and newest_at is not None and check.at > newest_at else None


def _progress(machine: Machine, job: Job, open_sets: Sequence[BackupSet], now: datetime) -> Progress | None:
    begun = [backup_set for backup_set in open_sets if backup_set.set_id.is_full and backup_set.stored_bytes]
    if not begun:
        return None
    first = max(begun, key=lambda backup_set: backup_set.set_id.end)
    # The name has the laptop's time; it cannot have begun before there was a machine, nor after now.
    begun_at = min(max(first.set_id.end, machine.created_at), now)
    run = job.last_run
    estimated = run.estimated_bytes if run is not None and run.kind == "full" else None
    if estimated is None or estimated <= 0:
        return Progress(begun_at, first.stored_bytes, None, None)
    percent = max(0, min(99, first.stored_bytes * 100 // estimated))
    taken = now - begun_at
    stands_still = first.changed_at is not None and now - first.changed_at > STALLED_AFTER
    time_left = None
    if percent and taken >= PROGRESS_SHOWN_AFTER and not stands_still:
        seconds = taken.total_seconds() * max(0, estimated - first.stored_bytes) / first.stored_bytes
        time_left = timedelta(seconds=seconds) if seconds < LONGEST_FORECAST.total_seconds() else None
    return Progress(begun_at, first.stored_bytes, percent, time_left)


STALLED_AFTER = timedelta(days=2)
"""An open set without progress for so long is no backup in progress."""
