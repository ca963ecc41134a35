"""What stops all of a job's chains from going: each thing alone does."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from chalicelib.domain.backups.freshness import State
from chalicelib.domain.retention.blocks import Surroundings, blocks_of

NOW = datetime(2026, 11, 30, 6, 0, tzinfo=timezone.utc)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
QUIET = Surroundings(
    state=State.FRESH,
    lease_until=None,
    thaw_is_open=False,
    compared_at=NOW - 7 * DAY,
    differed=False,
    critical=(),
    safety=(),
    keeps_versions=True,
    old_versions_days=None,
)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"state": State.DUE},
        {"state": State.PAUSED},
        {"state": State.SETTLED},
        {"lease_until": NOW},
        {"compared_at": NOW - 10 * DAY},
        {"keeps_versions": None},
        {"old_versions_days": 30},
    ],
    ids=str,
)
def test_nothing_blocks_where_all_is_well(change: dict[str, Any]) -> None:
    assert blocks_of(dataclasses.replace(QUIET, **change), NOW) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": State.OVERDUE}, "overdue. Back the machine up"),
        ({"state": State.FAILING}, "last run failed. Have a backup succeed first"),
        ({"state": State.NEVER}, "no complete backup yet"),
        ({"lease_until": NOW + SECOND}, "A backup is running; its lease ends at 2026-11-30 06:00 UTC"),
        ({"thaw_is_open": True}, "thaw"),
        ({"compared_at": None}, "not been compared"),
        ({"compared_at": NOW - 10 * DAY - SECOND}, "last compared with the bucket at 2026-11-20 05:59 UTC"),
        ({"differed": True}, "was not as the bucket"),
        ({"critical": ("Volume 3 is missing.",)}, "A critical finding is open: Volume 3 is missing."),
        ({"safety": ("A code was used twice.",)}, "in the last 30 days: A code was used twice."),
        ({"keeps_versions": False}, "Versioning"),
        ({"unread": ("lifecycle rules",)}, "lifecycle rules of the bucket could not be read"),
        ({"old_versions_days": 29}, "after 29 days, before the 30 days"),
        ({"old_versions_days": 1}, "after 1 day, before"),
    ],
    ids=str,
)
def test_each_thing_alone_blocks_and_is_said(change: dict[str, Any], said: str) -> None:
    (sentence,) = blocks_of(dataclasses.replace(QUIET, **change), NOW)
    assert said in sentence


def test_the_gravest_comes_first() -> None:
    everything = Surroundings(
        State.OVERDUE, NOW + DAY, True, None, True, ("gap",), ("a code was used twice",), False, 3
    )
    sentences = blocks_of(everything, NOW)
    assert len(sentences) == 9
    assert "gap" in sentences[0]
    assert "used twice" in sentences[1]
    assert all(sentence.endswith((".", "gap", "twice")) for sentence in sentences)
