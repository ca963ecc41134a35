"""One run at a time: a run holds its job's lease from its start to its end."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta

LEASE_LIFE = timedelta(minutes=20)
"""Counted from the last call that carried the run. Clients call every five minutes; a laptop that slept longer
goes on with its run unless another took the lease meanwhile."""

CLOCK_TOLERANCE = timedelta(minutes=10)
"""duplicity orders its sets by the laptop's clock: one that is ahead poisons the chain."""

_RUN = re.compile(r"[0-9]{8}t[0-9]{6}z-[0-9a-f]{16}")


@dataclasses.dataclass(frozen=True)
class Lease:
    run: str
    expires_at: datetime


def new_run_id(now: datetime, random_bytes: bytes) -> str:
    """Runs sort by the time they began; eight random bytes keep a thief from guessing one."""
    return f"{now:%Y%m%dt%H%M%Sz}-{random_bytes.hex()}"


def is_run_id(text: str) -> bool:
    return _RUN.fullmatch(text) is not None


def may_take(lease: Lease | None, resumes: str | None, now: datetime) -> bool:
    """Whether a new run may begin: nobody runs, the last one's lease has lapsed, or it was one's own."""
    return lease is None or now >= lease.expires_at or lease.run == resumes


def clock_is_wrong(client_clock: datetime, now: datetime) -> bool:
    return abs(client_clock - now) > CLOCK_TOLERANCE
