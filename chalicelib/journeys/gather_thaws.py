"""All thaws as of now, and what the weekly mail has of them: those of the week, and what they come to this month."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.restore.progress import as_of
from chalicelib.domain.restore.thaw_section import recent_thaws
from chalicelib.domain.restore.thaws import Thaw, ThawMonth, ThawOwner


@dataclasses.dataclass(frozen=True)
class GatheredThaws:
    """``months`` by machine, of all that had a thaw in the last two months."""

    recent: Sequence[Thaw]
    months: Mapping[str, ThawMonth]

    @property
    def this_month(self) -> Decimal:
        """What was reserved and approved, drills included."""
        return sum((month.total for month in self.months.values()), Decimal(0))


def gather_thaws(
    store: ThawStore, machines: MachineStore, recoveries: RecoveryStore, since: datetime, now: datetime
) -> GatheredThaws:
    """What the mail has of them. One read where there are none, which is the usual case."""
    known = thaws_as_of(store, machines, recoveries, now)
    months = store.months(sorted({thaw.machine for thaw in known}), now) if known else {}
    return GatheredThaws(recent_thaws(known, since, now), months)


def thaws_as_of(
    store: ThawStore, machines: MachineStore, recoveries: RecoveryStore, now: datetime
) -> list[Thaw]:
    """All thaws of the last two months, as time has left them."""
    thaws = store.thaws()
    if not thaws:
        return []
    by_name = {machine.name: machine for machine in machines.machines()}
    jobs = {(job.machine, job.name): job for job in machines.jobs()}
    codes = recoveries.recoveries({thaw.machine for thaw in thaws if thaw.code_made_at is not None})

    def owner_of(thaw: Thaw) -> ThawOwner:
        names = thaw.machine, thaw.job
        return ThawOwner(by_name.get(thaw.machine), jobs.get(names), codes.get(thaw.machine))

    return [as_of(thaw, owner_of(thaw), now) for thaw in thaws]
