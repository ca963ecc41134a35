"""Why a chain does not go, in words."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.backups.chains import chains_of
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.retention.plan import ASKS_THE_OWNER, Waiting, Why
from chalicelib.domain.retention.reasons import reason_of

T0 = datetime(2024, 3, 2, 23, 30, tzinfo=timezone.utc)
UNTIL = datetime(2026, 11, 2, 23, 30, tzinfo=timezone.utc)
(CHAIN,) = chains_of([BackupSet(SetId(None, T0), frozenset({1}), 1, True, sealed_at=T0)]).chains
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (Why.HELD, "You hold it: it stays until you release it."),
        (Why.LOCKED, "Object Lock keeps it until 3 Nov 2026."),
        (Why.FOR_ITS_YEAR, "the first chain of 2024 that you have seen"),
        (Why.YOUNG, "Its newest backup is of 3 Mar 2024: you keep it until 3 Nov 2026."),
        (Why.MUCH_SMALLER, "less than 50% of this one's bytes"),
        (
            Why.NO_SUCCESSOR,
            "must be 180 days old before it can stand in for this one: it will be on 3 Nov 2026.",
        ),
        (Why.FETCHED, "read from in the last 14 days, as in a restore: it stays until 3 Nov 2026."),
        (Why.UNANNOUNCED, "1 of 2 have named it"),
        (Why.ONE_A_DAY, "this one stays until 3 Nov 2026."),
    ],
)
def test_the_reason_has_its_dates_in_the_owners_zone(why: Why, said: str) -> None:
    assert said in reason_of(Waiting(CHAIN, why, UNTIL, "1 of 2"), BERLIN)


def test_what_blocks_is_said_as_it_is_with_its_times_in_the_owners_zone() -> None:
    waiting = Waiting(CHAIN, Why.BLOCKED, detail="Its lease ends at 2026-11-02 23:30 UTC at the latest.")
    assert reason_of(waiting, BERLIN) == "Its lease ends at Tue 03 Nov 2026, 00:30 at the latest."


@pytest.mark.parametrize("why", Why)
def test_every_reason_is_a_sentence_without_a_command(why: Why) -> None:
    for until in (UNTIL, None):
        sentence = reason_of(Waiting(CHAIN, why, until, "What blocks it."), BERLIN)
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "python -m" not in sentence
        assert "None" not in sentence


def test_what_only_the_owner_can_let_go_says_what_to_do() -> None:
    for why in ASKS_THE_OWNER:
        assert "approve" in reason_of(Waiting(CHAIN, why), BERLIN)
