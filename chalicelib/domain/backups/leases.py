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


def is_run_id(text: str) -> bool:
    """Whether it has the form that ``wire.new_run_id`` gives."""
    return _RUN.fullmatch(text) is not None


def may_take(lease: Lease | None, run: str, resumes: str | None, now: datetime) -> bool:
    """Whether ``run`` may begin: nobody runs, the last one's lease has lapsed or was one's own, or ``run`` has
    the lease already and asks again."""
    return lease is None or now >= lease.expires_at or lease.run in (run, resumes)


def clock_is_wrong(client_clock: datetime, now: datetime) -> bool:
    return abs(client_clock - now) > CLOCK_TOLERANCE
