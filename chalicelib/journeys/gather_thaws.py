"""What the weekly mail is to know of thaws: those of the week, and what they come to this month."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.restore.thaw_section import recent_thaws
from chalicelib.domain.restore.thaws import Thaw, ThawMonth


@dataclasses.dataclass(frozen=True)
class GatheredThaws:
    """``months`` by machine, of all that had a thaw in the last two months."""

    recent: Sequence[Thaw]
    months: Mapping[str, ThawMonth]

    @property
    def this_month(self) -> Decimal:
        """What was reserved and approved."""
        return sum((month.reserved + month.approved for month in self.months.values()), Decimal(0))


def gather_thaws(store: ThawStore, since: datetime, now: datetime) -> GatheredThaws:
    """One read where there are none, which is the usual case."""
    thaws = store.thaws()
    machines = sorted({thaw.machine for thaw in thaws})
    return GatheredThaws(recent_thaws(thaws, since, now), store.months(machines, now) if machines else {})
