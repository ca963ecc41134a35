"""Six attacks on retention, for four kinds of owner: on which day after the theft of a token the last good chain goes.

The thief has the token of one machine for 600 days, nobody notices, and S3 alone says when its sets were stored. The
rules are the product's; each is taken away once, to show what it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta

import pytest

from chalicelib.domain.backups.chains import BackupChain, chains_of
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.retention_policy import RetentionPolicy
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.retention import rules
from chalicelib.domain.retention.facts import OwnerChoices, RetentionFacts
from tests.domain.retention.histories import day, stored_set

THEFT, STEP, UNTIL = 400, 5, 1000
FULL_BYTES, INCREMENT_BYTES = 50_000, 500

Attack = Callable[[int, list[BackupSet]], list[BackupSet]]
"""What the thief stores on a day, seeing what is there."""


def _full(number: int, size_bytes: int = FULL_BYTES, *, named: float | None = None) -> BackupSet:
    return stored_set(
        None, day(number if named is None else named), day(number + 0.01), size_bytes=size_bytes
    )


def two_full_backups(number: int, there: list[BackupSet]) -> list[BackupSet]:
    return [_full(number)] if number in (THEFT, THEFT + 1) else []


def one_a_month(number: int, there: list[BackupSet]) -> list[BackupSet]:
    return [_full(number)] if (number - THEFT) % 30 == 0 else []


def one_every_three_days(number: int, there: list[BackupSet]) -> list[BackupSet]:
    return [_full(number)] if (number - THEFT) % 3 == 0 else []


def tiny_ones(number: int, there: list[BackupSet]) -> list[BackupSet]:
    return [_full(number, 10)] if (number - THEFT) % 3 == 0 else []


def backdated_ones(number: int, there: list[BackupSet]) -> list[BackupSet]:
    return [_full(number, named=300.5 + (number - THEFT) * 10)] if number < THEFT + 5 else []


def the_good_chain_looks_alive(number: int, there: list[BackupSet]) -> list[BackupSet]:
    """Increments of rubbish on the good chain while the thief's full backups grow old."""
    if number % 7 or number <= THEFT + 1:
        return two_full_backups(number, there)
    good = chains_of(one for one in there if one.set_id.end < day(THEFT) or not one.set_id.is_full).chains[-1]
    return [stored_set(good.newest_end, day(number), day(number + 0.01), size_bytes=INCREMENT_BYTES)]


ATTACKS: tuple[Attack, ...] = (
    two_full_backups,
    one_a_month,
    one_every_three_days,
    tiny_ones,
    backdated_ones,
    the_good_chain_looks_alive,
)
LOOKS: dict[str, Collection[int]] = {
    "is away for ever": (),
    "looked the day before the theft": (THEFT - 1,),
    "approves blindly every 30 days": range(0, UNTIL, 30),
    "approves blindly every 180 days": range(0, UNTIL, 180),
}
SAFE = ("is away for ever", "looked the day before the theft")


def honest_sets() -> list[BackupSet]:
    """A full backup a quarter and an increment a week until the theft."""
    sets: list[BackupSet] = []
    last_full = 1
    for number in range(1, THEFT, 7):
        is_full = not sets or number - last_full >= 91
        last_full = number if is_full else last_full
        size_bytes = FULL_BYTES if is_full else INCREMENT_BYTES
        start = None if is_full else sets[-1].set_id.end
        sets.append(stored_set(start, day(number), day(number + 0.1), size_bytes=size_bytes))
    return sets


def last_good_chain_goes(attack: Attack, looks: Collection[int]) -> int | None:
    """Days from the theft to its going; ``None`` for never."""
    sets = honest_sets()
    good = chains_of(sets).chains[-1].id
    choices = OwnerChoices()
    for number in range(THEFT - 1, UNTIL):
        if number in looks:
            choices = OwnerChoices(day(number), seen=frozenset(_full_sets(sets)))
        if number >= THEFT and (number - THEFT) % STEP == 0:
            gone = _plan(number, sets, choices)
            if good in gone:
                return number - THEFT
            sets = [one for one in sets if one.set_id not in gone]
        if number >= THEFT:
            sets += attack(number, sets)
    return None


def _full_sets(sets: list[BackupSet]) -> list[SetId]:
    return [one.set_id for one in sets if one.set_id.is_full]


def _plan(now: float, sets: list[BackupSet], choices: OwnerChoices) -> frozenset[SetId]:
    facts = RetentionFacts(sets, choices=choices, announced=dict.fromkeys(_full_sets(sets), 2))
    plan = rules.plan_retention(day(now), RetentionPolicy(keep_chains=2), facts)
    return frozenset(set_id for chain in plan.go for set_id in chain.set_ids)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("owner", LOOKS)
def test_the_last_good_chain_goes_only_where_the_owner_approves_the_thiefs(
    owner: str, attack: Attack
) -> None:
    approved_blindly = {two_full_backups: 190, one_a_month: 215, one_every_three_days: 190}
    expected = None if owner in SAFE else approved_blindly.get(attack)
    assert last_good_chain_goes(attack, LOOKS[owner]) == expected


@pytest.mark.parametrize("owner", SAFE)
def test_without_the_look_it_is_lost_after_half_a_year(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "was_seen", lambda chain, choices: True)
    assert [last_good_chain_goes(attack, LOOKS[owner]) for attack in ATTACKS] == [
        190, 215, 190, None, None, None
    ]  # fmt: skip


def test_without_the_age_it_is_lost_within_weeks_where_the_owner_approves_blindly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "SUCCESSOR_AGE", timedelta(0))
    lost = [last_good_chain_goes(attack, LOOKS["approves blindly every 30 days"]) for attack in ATTACKS]
    assert [at is not None and at <= 60 for at in lost] == [True, True, True, False, False, False], lost


def test_without_the_size_tiny_ones_do_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SMALLEST_SUCCESSOR", 0)
    assert last_good_chain_goes(tiny_ones, LOOKS["approves blindly every 30 days"]) == 190


def test_by_s3s_time_alone_backdated_ones_do_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_newer(other: BackupChain, chain: BackupChain) -> bool:
        return other.first_sealed_at > chain.newest_sealed_at

    monkeypatch.setattr(rules, "_is_newer", is_newer)
    assert last_good_chain_goes(backdated_ones, LOOKS["approves blindly every 30 days"]) is not None


def test_by_the_names_alone_the_thiefs_stand_in_for_a_chain_that_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thief names its full backups later than what it hangs on the good chain."""
    monkeypatch.setattr(
        rules, "_is_newer", lambda other, chain: other.first_sealed_at > chain.first_sealed_at
    )
    looks = LOOKS["approves blindly every 30 days"]
    assert last_good_chain_goes(the_good_chain_looks_alive, looks) is not None
