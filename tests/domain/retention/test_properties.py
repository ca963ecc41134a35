"""What holds of letting chains go, whatever a job has been through: the theorem, and what follows from the rules.

`make soak` tries ten thousand histories of each.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings

from chalicelib.domain.backups.chains import BackupChain
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.retention.plan import ASKS_THE_OWNER, Why
from chalicelib.domain.retention.rules import counted_chains, is_sound, was_seen
from tests.domain.retention.histories import (
    DAY,
    History,
    day,
    gone_sets,
    histories,
    live_on,
    robbed,
)

Property = Callable[[tuple[History, History]], None]
"""Of a history as it was, and as a thief made it."""


def the_newest_sound_chain_that_the_owner_saw_never_goes(both: tuple[History, History]) -> None:
    """The theorem: until the owner looks again, whatever is added and the clocks say."""
    before, worse = both
    seen = _sound_and_seen(before)
    departures, _ = live_on(worse)
    if before.facts.choices.looked_at is None:
        assert not departures
    if seen:
        assert seen[-1].id not in gone_sets(departures)


def a_thief_lets_nothing_go_that_would_have_stayed(both: tuple[History, History]) -> None:
    before, worse = both
    known = {one.set_id for one in before.facts.sets}
    assert gone_sets(live_on(worse)[0]) & known <= gone_sets(live_on(before)[0])


def what_lives_needs_nothing_that_went(both: tuple[History, History]) -> None:
    for history in both:
        departures, after = live_on(history)
        lost = {set_id.end for set_id in gone_sets(departures)}
        ends = {one.set_id.end for one in after.facts.sets}
        assert not [
            one for one in after.facts.sets if one.set_id.start in lost and one.set_id.start not in ends
        ]


def two_runs_are_as_one(both: tuple[History, History]) -> None:
    for history in both:
        plan = history.plan()
        assert history.plan() == plan
        after = history.after(plan)
        assert not plan.go or not after.plan().go
        assert after.after(after.plan()) == after


def at_most_one_goes_a_day_and_it_is_the_oldest_that_may(both: tuple[History, History]) -> None:
    for history in both:
        departures, _ = live_on(history)
        days = [one.before.now.date() for one in departures]
        assert len(set(days)) == len(days)
        for one in departures:
            plan = one.before.plan()
            assert plan.go == (one.chain,)
            others = [waiting.chain for waiting in plan.waits if waiting.why is Why.ONE_A_DAY]
            assert all(other.first_sealed_at >= one.chain.first_sealed_at for other in others)


def a_sound_chain_is_left_where_there_was_one(both: tuple[History, History]) -> None:
    for history in both:
        departures, after = live_on(history)
        if any(is_sound(chain, history.facts) for chain in counted_chains(history.facts)):
            assert any(is_sound(chain, after.facts) for chain in counted_chains(after.facts))
        for one in departures:
            stand_ins = [
                other
                for other in _sound_and_seen(one.before)
                if other.first_sealed_at > one.chain.newest_sealed_at
                and one.before.now - other.first_sealed_at >= timedelta(days=180)
            ]
            assert len(stand_ins) >= max(1, history.policy.keep_chains)


def what_is_locked_held_open_unproven_or_quarantined_never_goes(both: tuple[History, History]) -> None:
    for history in both:
        for one in live_on(history)[0]:
            facts, chain, now = one.before.facts, one.chain, one.before.now
            assert chain.id not in facts.quarantined
            assert chain.full.volumes_promised is not None
            assert not facts.choices.holds_all
            assert chain.id not in facts.choices.held
            for stored in chain.sets:
                assert stored.sealed_at is not None
                assert facts.locked_until.get(stored.set_id, now) <= now
                assert now - facts.fetched_at.get(stored.set_id, now - 14 * DAY) >= 14 * DAY
                assert now - stored.sealed_at >= history.policy.keep_days * DAY


def what_blocks_stops_everything_and_changes_nothing_else(both: tuple[History, History]) -> None:
    for history in both:
        free = dataclasses.replace(history, facts=dataclasses.replace(history.facts, blocks=()))
        blocked = dataclasses.replace(history, facts=dataclasses.replace(history.facts, blocks=("Stop.",)))
        assert not live_on(blocked)[0]
        plan, stopped = free.plan(), blocked.plan()
        assert stopped.needs_owner == plan.needs_owner
        assert {one.id for one in plan.go} <= {
            one.chain.id for one in stopped.waits if one.why in (Why.BLOCKED, Why.ONE_A_DAY, Why.TANGLED)
        }


def every_chain_is_in_the_plan_once_and_no_other_set_is(both: tuple[History, History]) -> None:
    for history in both:
        plan = history.plan()
        waiting = (*plan.waits, *plan.needs_owner)
        shown = [*plan.go, *(one.chain for one in waiting)]
        assert Counter(one.id for one in shown) == Counter(one.id for one in counted_chains(history.facts))
        assert all((one.why in ASKS_THE_OWNER) == (one in plan.needs_owner) for one in waiting)


def a_yes_of_the_owner_is_asked_for_only_where_it_helps(both: tuple[History, History]) -> None:
    """Whoever is asked looks and names, and then nothing is asked about that chain any more."""
    for history in both:
        asked = history.plan().needs_owner
        choices = dataclasses.replace(
            history.facts.choices,
            looked_at=history.now,
            seen=frozenset(one.id for one in counted_chains(history.facts)),
            named=history.facts.choices.named
            | {one.chain.id for one in asked if one.why is not Why.NOT_LOOKED_AT},
        )
        facts = dataclasses.replace(history.facts, choices=choices)
        plan = dataclasses.replace(history, facts=facts).plan()
        still = {one.chain.id: one.why for one in (*plan.waits, *plan.needs_owner)}
        for one in asked:
            assert still.get(one.chain.id) not in (*ASKS_THE_OWNER, Why.NO_SUCCESSOR)


def a_clock_that_is_ahead_lets_no_more_go(both: tuple[History, History]) -> None:
    """Of two laptops with the same history the one whose clock is years ahead loses nothing more."""
    history = both[0]
    ahead = {one.set_id: _later(one.set_id) for one in history.facts.sets}
    renamed = _renamed(history, ahead)
    assert {ahead[one] for one in gone_sets(live_on(history)[0])} >= gone_sets(live_on(renamed)[0])


def more_caution_lets_no_more_go(both: tuple[History, History]) -> None:
    """A hold, a lock, an enrolment or a longer policy only keeps more."""
    history = both[0]
    facts, choices, policy = history.facts, history.facts.choices, history.policy
    middle = facts.sets[len(facts.sets) // 2]
    gone = gone_sets(live_on(history)[0])
    for safer in (
        dataclasses.replace(facts, choices=dataclasses.replace(choices, held=choices.held | {middle.set_id})),
        dataclasses.replace(facts, locked_until={**facts.locked_until, middle.set_id: day(9999)}),
        dataclasses.replace(facts, enrolled_at=(*facts.enrolled_at, middle.set_id.end)),
    ):
        assert gone_sets(live_on(dataclasses.replace(history, facts=safer))[0]) <= gone
    for name, more in (("keep_chains", 1), ("keep_days", 500), ("keep_yearly", 1)):
        longer = dataclasses.replace(policy, **{name: getattr(policy, name) + more})
        assert gone_sets(live_on(dataclasses.replace(history, policy=longer))[0]) <= gone


PROPERTIES: tuple[Property, ...] = (
    the_newest_sound_chain_that_the_owner_saw_never_goes,
    a_thief_lets_nothing_go_that_would_have_stayed,
    what_lives_needs_nothing_that_went,
    two_runs_are_as_one,
    at_most_one_goes_a_day_and_it_is_the_oldest_that_may,
    a_sound_chain_is_left_where_there_was_one,
    what_is_locked_held_open_unproven_or_quarantined_never_goes,
    what_blocks_stops_everything_and_changes_nothing_else,
    every_chain_is_in_the_plan_once_and_no_other_set_is,
    a_yes_of_the_owner_is_asked_for_only_where_it_helps,
    a_clock_that_is_ahead_lets_no_more_go,
    more_caution_lets_no_more_go,
)


def all_of_it(both: tuple[History, History]) -> None:
    for holds in PROPERTIES:
        holds(both)


def test_all_of_it_holds() -> None:
    settings(max_examples=400, derandomize=True, database=None)(given(robbed())(all_of_it))()


@pytest.mark.soak
def test_all_of_it_holds_however_often_one_tries() -> None:
    settings(max_examples=10_000, database=None)(given(robbed())(all_of_it))()


def test_a_third_of_the_histories_lets_something_go_and_every_reason_comes_up() -> None:
    """Else the properties would prove nothing."""
    went, reasons = Counter[int](), Counter[Why]()

    @settings(max_examples=500, derandomize=True, database=None)
    @given(histories())
    def count(history: History) -> None:
        went[len(live_on(history)[0])] += 1
        plan = history.plan()
        reasons.update(one.why for one in (*plan.waits, *plan.needs_owner))

    count()
    assert went.total() - went[0] > went.total() / 3, went
    assert sum(number for chains, number in went.items() if chains > 1) > went.total() / 10, went
    assert set(reasons) == set(Why), reasons


def _sound_and_seen(history: History) -> list[BackupChain]:
    return [
        chain
        for chain in counted_chains(history.facts)
        if is_sound(chain, history.facts) and was_seen(chain, history.facts.choices)
    ]


def _later(set_id: SetId) -> SetId:
    ahead = 3000 * DAY
    return SetId(set_id.start and set_id.start + ahead, set_id.end + ahead)


def _renamed(history: History, names: dict[SetId, SetId]) -> History:
    def renamed(one: BackupSet) -> BackupSet:
        return dataclasses.replace(one, set_id=names[one.set_id])

    facts, choices = history.facts, history.facts.choices
    return dataclasses.replace(
        history,
        facts=dataclasses.replace(
            facts,
            sets=tuple(map(renamed, facts.sets)),
            quarantined=frozenset(names[one] for one in facts.quarantined),
            choices=dataclasses.replace(
                choices,
                named=frozenset(names[one] for one in choices.named),
                held=frozenset(names[one] for one in choices.held),
                seen=frozenset(names[one] for one in choices.seen),
            ),
            locked_until={names[one]: at for one, at in facts.locked_until.items()},
            announced={names[one]: count for one, count in facts.announced.items()},
            fetched_at={names[one]: at for one, at in facts.fetched_at.items()},
        ),
    )
