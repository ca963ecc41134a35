"""What goes by the rules has stayed longer than S3's minimum in its class: no plan costs a fee."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.retention_policy import RetentionPolicy
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.storage import DEEP_ARCHIVE, STORAGE_POLICIES, StoragePolicy
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.pricing import MINIMUM_STAY_DAYS, early_deletion_cost
from chalicelib.domain.retention.facts import OwnerChoices, RetentionFacts
from chalicelib.domain.retention.let_go import LetGo
from tests.domain.retention.histories import (
    DAY,
    HOUR,
    History,
    day,
    gone_sets,
    histories,
    live_on,
    stored_set,
)

TABLE = price_table("us-east-1")
LATE_MOVES = [
    one for one in STORAGE_POLICIES if (one.archive_class, one.archive_after_days) == (DEEP_ARCHIVE, 90)
]


def next_midnight(at: datetime) -> datetime:
    """From when S3 counts the days of a rule."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == at else midnight + DAY


def fee(stored: BackupSet, final_at: datetime, policy: StoragePolicy) -> Decimal:
    """Of a terabyte: in Standard until the rule moves it, then in the policy's class until it is gone."""
    assert TABLE is not None
    assert stored.sealed_at is not None
    moved_at = next_midnight(stored.sealed_at) + policy.archive_after_days * DAY
    stayed = Decimal((final_at - moved_at) / timedelta(days=1))
    return early_deletion_cost(TABLE, policy.archive_class, Tally(1, 1024 * GB), stayed)


def fees(history: History, policy: StoragePolicy) -> list[Decimal]:
    found = []
    for one in live_on(history)[0]:
        let_go = LetGo("anna-laptop", "system", one.chain.id, one.chain.set_ids, one.before.now)
        found += [fee(stored, let_go.final_at, policy) for stored in one.chain.sets]
    return found


@st.composite
def as_soon_as_may_be(draw: st.DrawFn) -> History:
    """The next full backup comes right after a chain's newest set, and the chain goes on the first day that it may."""
    first_at = day(draw(st.integers(0, 400))) + draw(st.integers(0, 86_400)) * timedelta(seconds=1)
    next_at = first_at + 2 * HOUR
    sets = [stored_set(None, at, at + HOUR) for at in (first_at, next_at)]
    ids = [one.set_id for one in sets]
    age = (
        draw(st.sampled_from([180, 179, 150, 90])) * DAY
    )  # 180 is the first day that it may, by the rules as they are
    now = next_at + HOUR + age + draw(st.integers(0, 86_400)) * timedelta(seconds=1)
    choices = OwnerChoices(now, seen=frozenset(ids))
    return History(
        now, RetentionPolicy(), RetentionFacts(sets, choices=choices, announced=dict.fromkeys(ids, 2))
    )


@settings(max_examples=200, derandomize=True, database=None)
@given(histories() | as_soon_as_may_be())
def test_no_plan_costs_a_fee_in_any_class(history: History) -> None:
    for policy in STORAGE_POLICIES:
        if policy not in LATE_MOVES:
            assert not any(fees(history, policy)), policy


@settings(max_examples=50, derandomize=True, database=None)
@given(as_soon_as_may_be())
def test_what_moves_to_deep_archive_only_after_ninety_days_costs_two_months_of_it_at_most(
    history: History,
) -> None:
    (policy,) = LATE_MOVES
    assert TABLE is not None
    whole = early_deletion_cost(
        TABLE, DEEP_ARCHIVE, Tally(1, 1024 * GB), MINIMUM_STAY_DAYS[DEEP_ARCHIVE] - 60
    )
    assert len(fees(history, policy)) == 1
    assert all(0 <= one <= whole for one in fees(history, policy))


@pytest.mark.parametrize("grace", [29, 0])
def test_the_days_in_which_it_can_be_brought_back_count(grace: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer of them what moves into Deep Archive after a month would cost a fee."""
    from chalicelib.domain.retention import let_go

    monkeypatch.setattr(let_go, "GRACE", grace * DAY)
    monthly = StoragePolicy(DEEP_ARCHIVE, 30)
    sets = [stored_set(None, day(0), day(0) + HOUR), stored_set(None, day(0) + 2 * HOUR, day(0) + 3 * HOUR)]
    ids = [one.set_id for one in sets]
    now = day(180) + 3 * HOUR
    choices = OwnerChoices(now, seen=frozenset(ids))
    facts = RetentionFacts(sets, choices=choices, announced=dict.fromkeys(ids, 2))
    history = History(now, RetentionPolicy(), facts)
    assert gone_sets(live_on(dataclasses.replace(history))[0]) == {ids[0]}
    assert all(fees(history, monthly))
