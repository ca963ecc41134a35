"""Whether the next backup is a full one, and whether it may begin now. Pure: bucket and time are given."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from panicroom.names import set_kind, set_time


def kind_by_policy(finished_sets: Collection[str], full_every: timedelta | None, now: datetime) -> str:
    """``full`` where there is none yet, or where the newest one is as old as ``full_every``; else
    ``incremental``."""
    fulls = [set_time(name) for name in finished_sets if set_kind(name) == "full"]
    if not fulls:
        return "full"
    due = full_every is not None and now - max(fulls) >= full_every
    return "full" if due else "incremental"


def seconds_behind(finished_sets: Collection[str], now: datetime) -> float:
    """How far this clock is behind the newest set; 0 if it is not.

    duplicity dates a set by this clock. Dated before the set that it builds on, it would be part of no chain, and a
    restore would give neither of the two without a warning.
    """
    newest = max((set_time(name) for name in finished_sets), default=now)
    return max((newest - now).total_seconds(), 0.0)
