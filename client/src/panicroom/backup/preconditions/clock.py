"""Clocks: this machine's against the service's, and against the sets that are stored."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime, timezone

from panicroom.api import moment_of
from panicroom.exit_codes import ExitCode, Problem
from panicroom.names import set_time

CLOCK_TOLERANCE_SECONDS = 600
_PATIENCE_SECONDS = 30.0


def check_clock(server_time: str) -> None:
    """A Problem if this clock is so wrong that its sets would be refused or would poison the chain."""
    ahead = (datetime.now(timezone.utc) - moment_of(server_time)).total_seconds()
    if abs(ahead) > CLOCK_TOLERANCE_SECONDS:
        word = "ahead" if ahead > 0 else "behind"
        raise Problem(
            f"this machine's clock is {abs(ahead) / 60:.0f} minutes {word} the service's; set it right first",
            ExitCode.CLOCK,
        )


def wait_for_clock(finished_sets: Collection[str]) -> None:
    """Returns once a set that begins now is younger than all others; a Problem if that takes more than a moment."""
    seconds = seconds_behind(finished_sets, datetime.now(timezone.utc))
    if seconds > _PATIENCE_SECONDS:
        raise Problem(
            f"the newest backup is dated {seconds / 60:.0f} minutes ahead of this machine's clock; set the clock right"
            " if it is wrong, else try again later",
            ExitCode.CLOCK,
        )
    if seconds:
        time.sleep(seconds + 1)


def seconds_behind(finished_sets: Collection[str], now: datetime) -> float:
    """How far this clock is behind the newest set; 0 if it is not.

    duplicity dates a set by this clock. Dated before the set that it builds on, it would be part of no chain, and a
    restore would give neither of the two without a warning.
    """
    newest = max((set_time(name) for name in finished_sets), default=now)
    return max((newest - now).total_seconds(), 0.0)
