"""The doctor says what the one alarm's state means, and where the cause stands."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ops.doctor.alarms import alarm_complaints

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)


def said(state: str, hours_ago: float) -> list[str]:
    alarm = {
        "AlarmName": "panicroom-home-failures",
        "StateValue": state,
        "StateUpdatedTimestamp": NOW - timedelta(hours=hours_ago),
    }
    return alarm_complaints(alarm, NOW)


def test_a_raised_alarm_names_its_time_and_where_the_cause_stands() -> None:
    [sentence] = said("ALARM", 3)
    assert sentence.startswith("panicroom-home-failures is raised since 2026-11-23 09:00 UTC")
    assert "Events, Failures or Mail" in sentence


def test_an_alarm_without_data_for_a_day_names_where_the_cause_stands() -> None:
    [sentence] = said("INSUFFICIENT_DATA", 25)
    assert "Functions, Failures or Schedules" in sentence


@pytest.mark.parametrize(("state", "hours_ago"), [("OK", 100), ("INSUFFICIENT_DATA", 23)])
def test_a_quiet_alarm_and_a_new_one_are_well(state: str, hours_ago: float) -> None:
    assert said(state, hours_ago) == []
