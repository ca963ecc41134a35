"""Whether the next backup is a full one. Pure: what is in the bucket and the time are given."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta

from panicroom.names import set_kind, set_time

_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_PERIOD = re.compile(r"([1-9]\d{0,4})([dwmy])", re.IGNORECASE)
NEVER = "never"


def parse_period(text: str) -> timedelta | None:
    """``90d``, ``12w``, ``3m`` (of 30 days) or ``1y`` (of 365); None for ``never``. Else a ``ValueError``."""
    if text == NEVER:
        return None
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return timedelta(days=int(match[1]) * _DAYS[match[2].lower()])


def kind_by_policy(finished_sets: Collection[str], full_every: timedelta | None, now: datetime) -> str:
    """``full`` where there is none yet, or where the newest one is as old as ``full_every``; else
    ``incremental``."""
    fulls = [set_time(name) for name in finished_sets if set_kind(name) == "full"]
    if not fulls:
        return "full"
    due = full_every is not None and now - max(fulls) >= full_every
    return "full" if due else "incremental"
