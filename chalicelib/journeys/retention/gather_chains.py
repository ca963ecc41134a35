"""What the weekly mail says of the chains of all jobs: each partition of the table is read once."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from chalicelib.adapters.stores.catalogue_store import JobSets
from chalicelib.adapters.stores.retention.retention_store import JobName
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.tallies import Tallies
from chalicelib.domain.costs.figures import first_price_monthly
from chalicelib.domain.costs.price_table import PriceTable, PriceUnknown
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.domain.retention.outlook import ChainOutlook, may_let_go, outlook_of
from chalicelib.domain.retention.rules import plan_retention
from chalicelib.domain.weekly import WeeklyTime
from chalicelib.journeys.retention.read_facts import FactSources, facts_of, read_surroundings


@dataclasses.dataclass(frozen=True)
class GatheredChains:
    """Of all jobs."""

    outlooks: Sequence[ChainOutlook]
    let_gos: Sequence[LetGo]


class ChainGatherer:
    """Is given one job after the other, whose sets it does not keep. ``prices`` are missing where those of the region
    are not known."""

    def __init__(
        self, sources: FactSources, prices: PriceTable | None, weekly_time: WeeklyTime, now: datetime
    ) -> None:
        self._snapshot = read_surroundings(sources, now)
        self._prices, self._weekly_time, self._now = prices, weekly_time, now
        self._outlooks: list[ChainOutlook] = []
        self._let_gos: dict[JobName, list[LetGo]] = defaultdict(list)
        for let_go in self._snapshot.let_gos:
            self._let_gos[let_go.machine, let_go.job].append(let_go)

    def add(self, machine: Machine, job_sets: JobSets) -> None:
        """The bucket is not looked at: what its settings forbid, the run that lets chains go says."""
        if not may_let_go(job_sets.visible):
            return
        job, now = job_sets.job, self._now
        facts = facts_of(self._snapshot, machine, job, job_sets, now)
        self._outlooks += outlook_of(
            job,
            plan_retention(now, job.retention, facts),
            facts.announced,
            now=now,
            next_issue=self._weekly_time.next_issue(now),
            zone=self._weekly_time.zone,
            monthly=self._monthly,
        )

    def let_gos_of(self, job: Job) -> Sequence[LetGo]:
        """By when they began."""
        return self._let_gos.get((job.machine, job.name), ())

    @property
    def gathered(self) -> GatheredChains:
        return GatheredChains(self._outlooks, self._snapshot.let_gos)

    def _monthly(self, stored: Tallies) -> Decimal | None:
        """At the price of each class's first GB; None where that is not known."""
        if self._prices is None:
            return None
        try:
            return first_price_monthly(self._prices, stored)
        except PriceUnknown:
            return None
