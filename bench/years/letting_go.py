"""Which chains go in ten years, and when: each day by the service's own rules."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from bench.years.duplicity import MadeChain, MadeSet
from bench.years.lots import END, START
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.retention_policy import DEFAULT_RETENTION
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.storage import STANDARD
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.retention.facts import OwnerChoices, RetentionFacts
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.domain.retention.plan import Why
from chalicelib.domain.retention.rules import counted_chains, plan_retention
from chalicelib.domain.retention.schedule import next_run

LOOKS_EVERY_DAYS = 30
MAIL_DAY = 0
"""Mondays."""


def let_go(chains: Sequence[MadeChain], *, looks_every_days: int | None = LOOKS_EVERY_DAYS) -> list[LetGo]:
    """What the function does on each of the ten years' days, the first to go first.

    The owner approves all there is every so many days, or never. Each weekly mail names what lacks nothing but that.
    """
    made = [row for chain in chains for row in _rows(chain)]
    times = [row.set_id.end for row in made]
    gone: list[LetGo] = []
    hidden: set[SetId] = set()
    choices, announced = OwnerChoices(), Counter[SetId]()
    today = next_run(START) - timedelta(days=1)
    while (today := today + timedelta(days=1)) < END:
        there = [row for row in made[: bisect.bisect(times, today)] if row.set_id not in hidden]
        facts = RetentionFacts(there, choices=choices, enrolled_at=(START,), announced=announced)
        if looks_every_days and (today - START).days % looks_every_days == 0:
            choices = _approved(facts, today)
        if sum(row.set_id.is_full for row in there) < 2:
            continue  # nothing could stand in for it
        if choices.looked_at is None and today.day != 1:
            continue  # nothing goes before the first look: asked once a month all the same, to save time
        plan = plan_retention(today, DEFAULT_RETENTION, facts)
        if today.weekday() == MAIL_DAY:
            announced.update(one.chain.id for one in plan.waits if one.why is Why.UNANNOUNCED)
        for chain in plan.go:
            gone.append(LetGo("laptop", "system", chain.id, chain.set_ids, today, marked_at=today))
            hidden.update(chain.set_ids)
    return gone


def _approved(facts: RetentionFacts, now: datetime) -> OwnerChoices:
    seen = frozenset(chain.id for chain in counted_chains(facts))
    return OwnerChoices(looked_at=now, seen=seen)


def _rows(chain: MadeChain) -> list[BackupSet]:
    names = [SetId(None, chain[0].made_at)]
    names += [SetId(before.made_at, one.made_at) for before, one in itertools.pairwise(chain)]
    return [_row(name, one) for name, one in zip(names, chain, strict=True)]


def _row(set_id: SetId, made: MadeSet) -> BackupSet:
    """One volume stands for all: only that none is missing matters to the rules."""
    return BackupSet(
        set_id,
        volumes=frozenset({1}),
        volumes_promised=1,
        has_signatures=True,
        sealed_at=made.made_at,
        current={STANDARD: Tally(1, made.volume_bytes)},
    )
