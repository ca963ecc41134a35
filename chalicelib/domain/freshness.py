"""A job's state, judged from the bucket's times and the owner's policy, never from the laptop's word alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

from chalicelib.domain.machines import Job, Machine
from chalicelib.domain.sets import BackupSet, newest_chain, newest_complete


class State(str, Enum):
    """In the order in which they are tried; the first that holds counts."""

    PAUSED = "paused"
    NEVER = "never"
    OVERDUE = "overdue"
    FAILING = "failing"
    DUE = "due"
    FRESH = "fresh"


NEEDS_ATTENTION = frozenset({State.OVERDUE, State.FAILING})


@dataclasses.dataclass(frozen=True)
class Freshness:
    """``newest_complete_at`` is S3's time of the manifest of the newest complete set."""

    state: State
    newest_complete_at: datetime | None
    chain_length: int
    stored_bytes: int


def judge(machine: Machine, job: Job, sets: Sequence[BackupSet], now: datetime) -> Freshness:
    newest = newest_complete(sets)
    stored_at = newest.sealed_at if newest else None
    return Freshness(
        state=_state(machine, job, stored_at, now),
        newest_complete_at=stored_at,
        chain_length=len(newest_chain(sets)),
        stored_bytes=sum(backup_set.stored_bytes for backup_set in sets),
    )


def _state(machine: Machine, job: Job, newest_complete_at: datetime | None, now: datetime) -> State:
    if machine.is_paused(now):
        return State.PAUSED
    if newest_complete_at is None:
        return State.NEVER
    age = now - newest_complete_at
    period = timedelta(seconds=job.period_seconds)
    if age > period + timedelta(seconds=job.grace_seconds):
        return State.OVERDUE
    if job.last_run is not None and job.last_run.exit_code not in (None, 0):
        return State.FAILING
    return State.DUE if age > period else State.FRESH
