"""Waiting for a thaw: by the wall clock, over sleep, and without a network."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from panicroom.api import UNREACHABLE, ApiError
from panicroom.thaw.waiting import LONGEST_SECONDS, Clock, wait_for
from panicroom.wire import ErrorCode, ThawState, ThawStatus

START = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)


class FakeClock:
    """``jumps`` are what the wall clock leaps by after so many sleeps: a closed lid, or somebody who sets it."""

    def __init__(self, jumps: dict[int, timedelta] | None = None) -> None:
        self.time, self.slept, self.sleeps = START, 0.0, 0
        self._jumps = jumps or {}
        self.clock = Clock(lambda: self.time, self.sleep)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept += seconds
        self.sleeps += 1
        self.time += timedelta(seconds=seconds) + self._jumps.get(self.sleeps, timedelta())


def status(state: ThawState, done: int = 0) -> ThawStatus:
    return ThawStatus("a1", state, done, 40, ready_by="2026-12-02T12:00:00Z")


def wait(fake: FakeClock, look: Callable[[], ThawStatus], shown: list[str] | None = None) -> ThawStatus:
    def show(now: ThawStatus, failure: str | None) -> None:
        if shown is not None:
            shown.append(failure or f"{now.done} of {now.of}")

    return wait_for(status(ThawState.ASKING), look, fake.clock, show)


def test_it_looks_more_and_more_rarely_until_all_is_ready() -> None:
    fake = FakeClock()
    ready_at = START + timedelta(hours=12)
    looks: list[datetime] = []

    def look() -> ThawStatus:
        looks.append(fake.time)
        return status(ThawState.READY if fake.time >= ready_at else ThawState.THAWING)

    assert wait(fake, look).state == ThawState.READY
    pauses = [(after - before).total_seconds() for before, after in zip([START, *looks], looks, strict=False)]
    assert pauses[0] < 5
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_SECONDS
    assert fake.time - ready_at < timedelta(seconds=LONGEST_SECONDS + 1)
    assert len(looks) < 160


def test_a_computer_that_slept_for_two_days_looks_as_soon_as_it_wakes() -> None:
    fake = FakeClock({20: timedelta(days=2)})

    def look() -> ThawStatus:
        return status(ThawState.READY if fake.time > START + timedelta(days=1) else ThawState.THAWING)

    assert wait(fake, look).state == ThawState.READY
    assert fake.sleeps == 20


def test_a_clock_that_is_set_back_makes_it_no_longer() -> None:
    fake = FakeClock({5: timedelta(days=-3)})
    looks = 0

    def look() -> ThawStatus:
        nonlocal looks
        looks += 1
        return status(ThawState.READY if looks == 12 else ThawState.THAWING)

    assert wait(fake, look).state == ThawState.READY
    assert fake.slept < 12 * (LONGEST_SECONDS + 30)


def test_hours_without_a_network_end_nothing_and_are_shown() -> None:
    fake, shown = FakeClock(), []  # type: FakeClock, list[str]

    def look() -> ThawStatus:
        if fake.time < START + timedelta(hours=6):
            raise ApiError(UNREACHABLE, "the service cannot be reached")
        return status(ThawState.READY, 40)

    assert wait(fake, look, shown).state == ThawState.READY
    assert shown[0] == "0 of 40"
    assert shown[-1] == "40 of 40"
    assert set(shown[1:-1]) == {"the service cannot be reached"}


def test_a_revoked_token_ends_the_wait() -> None:
    def look() -> ThawStatus:
        raise ApiError(ErrorCode.MACHINE_REVOKED, "this machine was revoked")

    with pytest.raises(ApiError, match="revoked"):
        wait(FakeClock(), look)


@pytest.mark.parametrize("state", [ThawState.LAPSED, ThawState.ENDED])
def test_it_ends_with_whatever_will_not_change_any_more(state: ThawState) -> None:
    assert wait(FakeClock(), lambda: status(state)).state == state
