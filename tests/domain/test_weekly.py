"""When the weekly mail is due, in the owner's zone and across its changes of the clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.weekly import Weekday, WeeklyTime

BERLIN = ZoneInfo("Europe/Berlin")
MONDAYS = WeeklyTime(Weekday.MONDAY, 7, BERLIN)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("now", "issue"),
    [
        (utc(2026, 11, 23, 5, 59), utc(2026, 11, 16, 6, 0)),
        (utc(2026, 11, 23, 6, 0), utc(2026, 11, 23, 6, 0)),
        (utc(2026, 11, 29, 23, 0), utc(2026, 11, 23, 6, 0)),
        (utc(2026, 10, 25, 12, 0), utc(2026, 10, 19, 5, 0)),  # summer time
        (utc(2026, 10, 26, 6, 0), utc(2026, 10, 26, 6, 0)),  # the morning after it ended
    ],
)
def test_seven_in_berlin_is_six_in_winter_and_five_in_summer(now: datetime, issue: datetime) -> None:
    assert MONDAYS.latest_issue(now) == issue


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda t: t.replace(tzinfo=timezone.utc)),
    st.sampled_from(Weekday),
    st.integers(0, 23),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Pacific/Chatham", "UTC", "America/Santiago"]),
)
def test_each_moment_lies_between_its_issue_and_the_next_about_a_week_apart(
    now: datetime, weekday: Weekday, hour: int, zone: str
) -> None:
    weekly = WeeklyTime(weekday, hour, ZoneInfo(zone))
    latest, following = weekly.latest_issue(now), weekly.next_issue(now)
    assert latest <= now < following
    assert timedelta(days=7, hours=-2) <= following - latest <= timedelta(days=7, hours=2)
    assert weekly.latest_issue(following) == following
