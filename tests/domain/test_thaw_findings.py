"""Thaws that do not come to their end, and copies that lapse before anybody fetches them."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest

from chalicelib.domain.restore.thaw_findings import find_thaw_trouble
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.wire import ThawState, ThawTier

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)

BULK = Thaw(
    machine="anna",
    job="photos",
    id="5e02",
    state=ThawState.ASKING,
    tier=ThawTier.BULK,
    started_at=NOW,
    volumes=40,
    size_bytes=1000,
    days=5,
    ready_by=NOW + 48 * HOUR,
)
THAWING = dataclasses.replace(BULK, state=ThawState.THAWING, done=12)
READY = dataclasses.replace(BULK, state=ThawState.READY, done=40, readable_until=NOW + 5 * DAY)


def codes(thaw: Thaw, later: timedelta) -> list[str]:
    return [found.code for found in find_thaw_trouble([thaw], NOW + later)]


def test_volumes_that_are_not_asked_for_within_an_hour_are_stuck() -> None:
    assert codes(BULK, HOUR) == []
    assert codes(BULK, HOUR + MINUTE) == ["thaw_stuck"]


def test_the_hour_of_an_approved_thaw_begins_with_the_approval() -> None:
    approved = dataclasses.replace(BULK, approved_at=NOW + DAY)
    assert codes(approved, DAY + HOUR) == []
    assert codes(approved, DAY + HOUR + MINUTE) == ["thaw_stuck"]


def test_a_thaw_is_stuck_a_day_after_the_tiers_longest_time() -> None:
    assert codes(THAWING, 72 * HOUR) == []
    [found] = find_thaw_trouble([THAWING], NOW + 72 * HOUR + MINUTE)
    assert found.code == "thaw_stuck"
    assert "by 2026-11-25 06:00 UTC" in found.message
    assert found.evidence == "thawing, 12 of 40 volumes can be read"
    assert found.commands == ("python -m ops thaw list", "python -m ops doctor")


def test_copies_that_lapse_within_a_day_unread_are_reported() -> None:
    assert codes(READY, 4 * DAY - MINUTE) == []
    [found] = find_thaw_trouble([READY], NOW + 4 * DAY)
    assert (found.code, found.machine, found.job, found.subject) == ("thaw_unread", "anna", "photos", "5e02")
    assert "until 2026-11-28 06:00 UTC" in found.message


def test_copies_that_are_gone_are_unread_no_longer() -> None:
    assert codes(READY, 5 * DAY - MINUTE) == ["thaw_unread"]
    assert codes(READY, 5 * DAY) == []


def test_what_was_downloaded_whole_may_lapse() -> None:
    assert codes(dataclasses.replace(READY, downloaded_bytes=999), 4 * DAY) == ["thaw_unread"]
    assert codes(dataclasses.replace(READY, downloaded_bytes=1000), 4 * DAY) == []


@pytest.mark.parametrize("state", [ThawState.WAITING, ThawState.LAPSED, ThawState.ENDED, ThawState.PLANNED])
def test_nothing_is_wrong_with_a_thaw_that_waits_or_is_over(state: ThawState) -> None:
    assert codes(dataclasses.replace(READY, state=state), 90 * DAY) == []
