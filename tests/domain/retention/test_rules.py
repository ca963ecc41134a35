"""Which chain goes, rule by rule: an old chain that may go, and the one thing that keeps it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import pytest

from chalicelib.domain.backups.retention_policy import RetentionPolicy
from chalicelib.domain.retention.facts import OwnerChoices, RetentionFacts
from chalicelib.domain.retention.plan import Why
from tests.domain.retention.histories import DAY, HOUR, History, day, stored_set

OLD, OLDS = stored_set(None, day(0), day(0.1)), stored_set(day(0), day(7), day(7.1))
NEW, NEWS = stored_set(None, day(14), day(14.1)), stored_set(day(14), day(21), day(21.1))
IDS = [one.set_id for one in (OLD, OLDS, NEW, NEWS)]
LOOK = OwnerChoices(day(22), seen=frozenset({OLD.set_id, NEW.set_id}))
FACTS = RetentionFacts((OLD, OLDS, NEW, NEWS), choices=LOOK, announced=dict.fromkeys(IDS, 2))
NOW = day(14.1) + 180 * DAY
HISTORY = History(NOW, RetentionPolicy(), FACTS)
SECOND = timedelta(seconds=1)


def test_the_older_chain_goes_whole_and_the_newer_stays() -> None:
    plan = HISTORY.plan()
    assert [chain.sets for chain in plan.go] == [(OLD, OLDS)]
    assert [(one.chain.full, one.why, one.until) for one in plan.waits] == [(NEW, Why.NO_SUCCESSOR, None)]


def _sets(**changed: object) -> History:
    """With another newest full backup."""
    return HISTORY.with_sets([OLD, OLDS, dataclasses.replace(NEW, **changed), NEWS])  # type: ignore[arg-type]


def _facts(**changed: object) -> History:
    return dataclasses.replace(HISTORY, facts=dataclasses.replace(FACTS, **changed))  # type: ignore[arg-type]


def _chosen(**changed: object) -> History:
    return _facts(choices=dataclasses.replace(LOOK, **changed))  # type: ignore[arg-type]


def _policy(**policy: int) -> History:
    return dataclasses.replace(HISTORY, policy=RetentionPolicy(**policy))


SMALL = stored_set(None, day(14), day(14.1), size_bytes=49)
CASES: dict[str, tuple[Callable[[], History], Why]] = {
    "too young": (lambda: dataclasses.replace(HISTORY, now=NOW - SECOND), Why.NO_SUCCESSOR),
    "never looked": (lambda: _facts(choices=OwnerChoices()), Why.NOT_LOOKED_AT),
    "looked before": (lambda: _chosen(looked_at=day(14)), Why.NOT_LOOKED_AT),
    "not in the list": (lambda: _chosen(seen=frozenset({OLD.set_id})), Why.NOT_LOOKED_AT),
    "much smaller": (lambda: HISTORY.with_sets([OLD, OLDS, SMALL, NEWS]), Why.MUCH_SMALLER),
    "enrolled between": (lambda: _facts(enrolled_at=(day(8),)), Why.OTHER_ENROLMENT),
    "volumes missing": (lambda: _sets(volumes=frozenset({2})), Why.NO_SUCCESSOR),
    "no signatures": (lambda: _sets(has_signatures=False), Why.NO_SUCCESSOR),
    "unproven": (lambda: _sets(volumes_promised=None), Why.NO_SUCCESSOR),
    "open": (lambda: _sets(sealed_at=None), Why.NO_SUCCESSOR),
    "copied later": (lambda: _sets(sealed_at=day(30)), Why.NO_SUCCESSOR),
    "a fork": (
        lambda: HISTORY.with_sets([*FACTS.sets, stored_set(day(14), day(22), day(22.1))]),
        Why.NO_SUCCESSOR,
    ),
    "quarantined full": (lambda: _facts(quarantined=frozenset({NEW.set_id})), Why.NO_SUCCESSOR),
    "quarantined increment": (lambda: _facts(quarantined=frozenset({NEWS.set_id})), Why.NO_SUCCESSOR),
    "named before": (
        lambda: HISTORY.with_sets([OLD, OLDS, stored_set(None, day(6), day(14.1))]),
        Why.NO_SUCCESSOR,
    ),
    "stored before": (
        lambda: HISTORY.with_sets([OLD, stored_set(day(0), day(7), day(15)), NEW, NEWS]),
        Why.NO_SUCCESSOR,
    ),
    "two wanted": (lambda: _policy(keep_chains=2), Why.NO_SUCCESSOR),
    "kept by days": (lambda: _policy(keep_days=188), Why.YOUNG),
    "kept for its year": (lambda: _policy(keep_yearly=1), Why.FOR_ITS_YEAR),
    "held": (lambda: _chosen(held=frozenset({OLD.set_id})), Why.HELD),
    "all held": (lambda: _chosen(holds_all=True), Why.HELD),
    "locked": (lambda: _facts(locked_until={OLDS.set_id: NOW + SECOND}), Why.LOCKED),
    "open increment": (
        lambda: HISTORY.with_sets([*FACTS.sets, stored_set(day(7), day(200), None)]),
        Why.OPEN_SET,
    ),
    "blocked": (lambda: _facts(blocks=("A backup is running.",)), Why.BLOCKED),
    "fetched": (lambda: _facts(fetched_at={OLDS.set_id: NOW - 14 * DAY + SECOND}), Why.FETCHED),
    "named in one mail": (lambda: _facts(announced=dict.fromkeys(IDS, 1)), Why.UNANNOUNCED),
    "one went today": (lambda: _facts(let_go_at=NOW - HOUR), Why.ONE_A_DAY),
    "two full backups meet": (
        lambda: HISTORY.with_sets([*FACTS.sets, stored_set(None, day(7), day(15))]),
        Why.TANGLED,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_thing_keeps_it(case: str) -> None:
    made, why = CASES[case]
    plan = made().plan()
    assert not plan.go
    kept = {one.chain.id: one.why for one in (*plan.waits, *plan.needs_owner)}
    assert kept[OLD.set_id] is why


@pytest.mark.parametrize(
    "history",
    [
        HISTORY.with_sets([OLD, OLDS, stored_set(None, day(14), day(14.1), size_bytes=50), NEWS]),
        _facts(enrolled_at=(day(-1), day(7), day(15))),
        _facts(locked_until={OLDS.set_id: NOW}),
        _facts(fetched_at={OLDS.set_id: NOW - 14 * DAY, NEW.set_id: NOW}),
        _facts(let_go_at=NOW - DAY),
        _policy(keep_chains=0, keep_days=186),
        _facts(quarantined=frozenset({OLDS.set_id})),
    ],
)
def test_what_does_not_keep_it(history: History) -> None:
    assert [chain.id for chain in history.plan().go] == [OLD.set_id]


def test_naming_a_chain_makes_up_for_the_size_and_the_enrolment_and_for_nothing_else() -> None:
    named = dataclasses.replace(LOOK, named=frozenset({OLD.set_id}))
    small = dataclasses.replace(FACTS, sets=(OLD, OLDS, SMALL, NEWS), enrolled_at=(day(8),), choices=named)
    assert dataclasses.replace(HISTORY, facts=small).plan().go
    unseen = dataclasses.replace(small, choices=dataclasses.replace(named, looked_at=day(1)))
    assert not dataclasses.replace(HISTORY, facts=unseen).plan().go


def test_a_full_backup_in_quarantine_tangles_nothing_any_more() -> None:
    """So that a thief's, named as a set of the owner's, does not stop everything for good."""
    thiefs = stored_set(None, day(7), day(15))
    history = HISTORY.with_sets([*FACTS.sets, thiefs])
    assert not history.plan().go
    facts = dataclasses.replace(history.facts, quarantined=frozenset({thiefs.set_id}))
    assert [chain.id for chain in dataclasses.replace(history, facts=facts).plan().go] == [OLD.set_id]


def test_the_owner_is_not_asked_for_a_look_where_a_look_does_not_help() -> None:
    """Two newer chains are wanted, and there is one, which the owner has not seen."""
    facts = dataclasses.replace(FACTS, choices=OwnerChoices())
    plan = History(NOW, RetentionPolicy(keep_chains=2), facts).plan()
    assert plan.needs_owner == ()


@pytest.mark.parametrize(
    "history",
    [
        HISTORY.with_sets([dataclasses.replace(OLD, volumes_promised=None), OLDS, NEW, NEWS]),
        HISTORY.with_sets([dataclasses.replace(OLD, sealed_at=None), OLDS, NEW, NEWS]),
        HISTORY.with_sets([OLDS, NEW, NEWS]),
        _facts(quarantined=frozenset({OLD.set_id})),
    ],
    ids=["unproven", "open", "orphaned", "quarantined"],
)
def test_what_is_no_chain_never_goes_and_is_in_no_plan(history: History) -> None:
    plan = history.plan()
    assert not plan.go
    assert [one.chain.id for one in (*plan.waits, *plan.needs_owner)] == [NEW.set_id]


def test_only_a_chain_that_the_owner_has_seen_has_a_claim_on_its_year() -> None:
    """Else what a thief stores in January would push the owner's first of an earlier year out."""
    thiefs = stored_set(None, day(380), day(380.1))
    facts = dataclasses.replace(FACTS, sets=(*FACTS.sets, thiefs))
    history = History(day(700), RetentionPolicy(keep_yearly=1), facts)
    kept = {one.chain.id: one.why for one in history.plan().waits}
    assert kept[OLD.set_id] is Why.FOR_ITS_YEAR
    assert not history.plan().go
