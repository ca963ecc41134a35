"""Waits for a thaw, over sleep of the computer and hours without a network."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from panicroom.api import UNREACHABLE, ApiError
from panicroom.wire import ErrorCode, ThawState, ThawStatus

UNDER_WAY = frozenset({ThawState.WAITING, ThawState.ASKING, ThawState.THAWING})
"""States after which there will be another."""

FIRST_SECONDS = 2.0
LONGEST_SECONDS = 300.0
_STEP_SECONDS = 30.0
_PASSING = (UNREACHABLE, ErrorCode.TRY_AGAIN, ErrorCode.INTERNAL)


@dataclass(frozen=True)
class Clock:
    """The wall clock, and sleeping. A sleeping computer sleeps in ``sleep`` as well: the system does not count it."""

    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    sleep: Callable[[float], None] = time.sleep

    def pause(self, seconds: float) -> None:
        """Returns after so many seconds, of which those that the computer sleeps count too: so the wall clock is asked
        again and again. One that is set back makes it no longer."""
        began_at, slept = self.now(), 0.0
        while slept < seconds and (gone := (self.now() - began_at).total_seconds()) < seconds:
            step = min(_STEP_SECONDS, seconds - max(slept, gone))
            self.sleep(step)
            slept += step


def wait_for(
    status: ThawStatus,
    look: Callable[[], ThawStatus],
    clock: Clock,
    show: Callable[[ThawStatus, str | None], None],
) -> ThawStatus:
    """Looks again and again until nothing is under way any more. ``show`` gets each state, and why it could not be
    looked at if so. Raises ``ApiError`` where waiting does not help."""
    pause = FIRST_SECONDS
    show(status, None)
    while status.state in UNDER_WAY:
        clock.pause(pause)
        pause = min(pause * 2, LONGEST_SECONDS)
        try:
            status = look()
        except ApiError as failure:
            if failure.code not in _PASSING:
                raise
            show(status, failure.message)
        else:
            show(status, None)
    return status
