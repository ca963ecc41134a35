"""Random histories of a job: backups as they are made, with everything that can be wrong with them, and a thief's.

Mostly what is drawn is in order, so that many histories let something go: where nothing ever does, all properties hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from hypothesis import strategies as st

from chalicelib.domain.backups.chains import BackupChain, chains_of
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.retention_policy import RetentionPolicy
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.retention.facts import OwnerChoices, RetentionFacts
from chalicelib.domain.retention.limits import ANNOUNCED_IN_MAILS
from chalicelib.domain.retention.plan import RetentionPlan
from chalicelib.domain.retention.rules import plan_retention

One = TypeVar("One")

T0 = datetime(2024, 1, 1, tzinfo=timezone.utc)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def day(number: float) -> datetime:
    return T0 + number * DAY


def stored_set(
    start: datetime | None,
    end: datetime,
    sealed_at: datetime | None,
    *,
    size_bytes: int = 100,
    is_whole: bool = True,
    has_signatures: bool = True,
    is_proven: bool = True,
) -> BackupSet:
    volumes = frozenset({1, 2} if is_whole else {2})
    promised = 2 if sealed_at is not None and is_proven else None
    current = {"STANDARD": Tally(2, size_bytes)}
    return BackupSet(SetId(start, end), volumes, promised, has_signatures, False, sealed_at, current)


@dataclasses.dataclass(frozen=True)
class History:
    """A job at the time ``now``."""

    now: datetime
    policy: RetentionPolicy
    facts: RetentionFacts

    def with_sets(self, sets: Sequence[BackupSet]) -> History:
        return dataclasses.replace(self, facts=dataclasses.replace(self.facts, sets=tuple(sets)))

    def plan(self) -> RetentionPlan:
        return plan_retention(self.now, self.policy, self.facts)

    def after(self, plan: RetentionPlan) -> History:
        """What is left when the plan has been carried out."""
        gone = {set_id for chain in plan.go for set_id in chain.set_ids}
        facts = dataclasses.replace(
            self.facts,
            sets=tuple(one for one in self.facts.sets if one.set_id not in gone),
            let_go_at=self.now if plan.go else self.facts.let_go_at,
        )
        return dataclasses.replace(self, facts=facts)


@dataclasses.dataclass(frozen=True)
class Departure:
    """A chain that went, and what the job was like before."""

    before: History
    chain: BackupChain


def live_on(history: History) -> tuple[list[Departure], History]:
    """Six years of daily runs in which nobody looks again; days on which nothing can change are passed over."""
    departures: list[Departure] = []
    begun_at = history.now
    for days in (0, 100, 200, 500, 2000):
        history = dataclasses.replace(history, now=max(history.now, begun_at + days * DAY))
        while True:
            plan = history.plan()
            departures += [Departure(history, chain) for chain in plan.go]
            waited = history.facts.let_go_at is not None and history.facts.let_go_at > history.now - DAY
            if not plan.go and not waited:
                break
            history = dataclasses.replace(history.after(plan), now=history.now + DAY)
    return departures, history


def gone_sets(departures: Sequence[Departure]) -> set[SetId]:
    return {set_id for one in departures for set_id in one.chain.set_ids}


def seldom(one_in: int) -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * (one_in - 1) + [True])


@st.composite
def _sets(draw: st.DrawFn) -> list[BackupSet]:
    """Chains one after the other, some with something wrong; then forks, and sets of any name and time at all."""
    found: list[BackupSet] = []
    at = 0.0
    for _ in range(draw(st.sampled_from([3, 2, 4, 5]))):
        start: datetime | None = None
        for _ in range(draw(st.sampled_from([2, 1, 3]))):
            found.append(draw(_set(start, day(at))))
            start = found[-1].set_id.end
            at += draw(st.sampled_from([1, 7, 30]))
        at += draw(st.sampled_from([1, 40, 90, 200, 300]))
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        ends = [one.set_id.end for one in found]
        anywhere = st.integers(-200, 900).map(day)
        begins, ended = (
            draw(st.none() | st.sampled_from(ends) | anywhere),
            draw(st.sampled_from(ends) | anywhere),
        )
        found.append(stored_set(begins, ended, draw(anywhere), size_bytes=draw(st.integers(1, 200))))
    return list({one.set_id: one for one in reversed(found)}.values())[::-1]


@st.composite
def _set(draw: st.DrawFn, start: datetime | None, end: datetime) -> BackupSet:
    """As an honest laptop makes it, an hour long; now and then open, broken, small, of a wrong clock, or copied."""
    sealed_at: datetime | None = end + HOUR
    if draw(seldom(25)):
        sealed_at = draw(st.sampled_from([None, end - DAY, end + 150 * DAY]))
    return stored_set(
        start,
        end,
        sealed_at,
        size_bytes=draw(st.sampled_from([100] * 6 + [120, 60, 10])),
        is_whole=not draw(seldom(40)),
        has_signatures=not draw(seldom(40)),
        is_proven=not draw(seldom(40)),
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    sets: list[BackupSet] = draw(_sets())
    ids = [one.set_id for one in sets]
    some = st.sampled_from(ids)
    newest = max([one.sealed_at for one in sets if one.sealed_at] or [T0])
    now = newest + draw(st.sampled_from([1, 100, 181, 200, 400])) * DAY
    facts = RetentionFacts(
        sets,
        quarantined=frozenset(draw(_few(some, 10))),
        choices=draw(_choices(sets, newest)),
        enrolled_at=(T0 - DAY, *draw(_few(st.integers(0, 900).map(day), 4))),
        locked_until={one: now + draw(st.sampled_from([-1, 1, 50])) * DAY for one in draw(_few(some, 6))},
        announced={one: 0 if draw(seldom(15)) else ANNOUNCED_IN_MAILS for one in ids},
        fetched_at={one: now - draw(st.integers(0, 20)) * DAY for one in draw(_few(some, 3))},
        let_go_at=now if draw(seldom(10)) else None,
        blocks=("A critical finding is open.",) if draw(seldom(15)) else (),
    )
    return History(now, draw(_POLICIES), facts)


def _few(of: st.SearchStrategy[One], one_in: int) -> st.SearchStrategy[list[One]]:
    none = st.just(list[One]())
    return seldom(one_in).flatmap(lambda some: st.lists(of, min_size=1, max_size=2) if some else none)


_POLICIES = st.builds(
    RetentionPolicy,
    keep_chains=st.sampled_from([1, 1, 1, 1, 0, 2]),
    keep_days=st.sampled_from([0, 0, 0, 90, 365]),
    keep_yearly=st.sampled_from([0, 0, 0, 0, 0, 1, 2]),
)


@st.composite
def _choices(draw: st.DrawFn, sets: Sequence[BackupSet], newest: datetime) -> OwnerChoices:
    """The owner has looked after the newest backup mostly, else earlier or never, and has seen what was there then."""
    if draw(seldom(20)):
        return OwnerChoices()
    looked_at = newest - draw(st.sampled_from([-1, -1, -1, 50, 150, 300])) * DAY
    chains = chains_of(sets).chains
    seen = [chain.id for chain in chains if chain.first_sealed_at <= looked_at]
    if draw(seldom(12)) and seen:
        seen.remove(draw(st.sampled_from(seen)))  # it was catalogued after the look
    ids = st.sampled_from([one.set_id for one in sets])
    return OwnerChoices(
        looked_at,
        named=frozenset(draw(_few(ids, 6))),
        held=frozenset(draw(_few(ids, 10))),
        holds_all=draw(seldom(40)),
        seen=frozenset(seen),
    )


@st.composite
def robbed(draw: st.DrawFn) -> tuple[History, History]:
    """A history, and the same with what a thief has added since the owner's last look: sets of any name, hung on
    anything, and enrolments. S3 alone says when they were stored."""
    history: History = draw(histories())
    since = history.facts.choices.looked_at or T0 - DAY
    ends = [one.set_id.end for one in history.facts.sets]
    anywhere = st.integers(-200, 1500).map(day)
    known = {one.set_id: one for one in history.facts.sets}
    for _ in range(draw(st.integers(1, 5))):
        sealed_at = since + draw(st.integers(1, 400)) * DAY
        end = draw(st.sampled_from(ends) | anywhere | st.just(sealed_at - HOUR))
        start = draw(st.none() | st.sampled_from(ends) | anywhere)
        is_open, size_bytes = draw(seldom(8)), draw(st.sampled_from([100, 1]))
        added = stored_set(start, end, None if is_open else sealed_at, size_bytes=size_bytes)
        known.setdefault(added.set_id, added)
        ends.append(end)
    enrolled = [since + days * DAY for days in draw(st.lists(st.integers(1, 400), max_size=1))]
    worse = history.with_sets(list(known.values()))
    facts = dataclasses.replace(worse.facts, enrolled_at=(*worse.facts.enrolled_at, *enrolled))
    announced = dict.fromkeys(known, ANNOUNCED_IN_MAILS)
    announced.update({one: history.facts.announced[one] for one in history.facts.announced})
    return history, dataclasses.replace(worse, facts=dataclasses.replace(facts, announced=announced))
