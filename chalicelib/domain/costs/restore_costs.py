"""What bringing everything back costs and takes."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from decimal import Decimal

from chalicelib.domain.backups.storage import ARCHIVE_CLASSES
from chalicelib.domain.backups.tallies import Tallies, total_bytes
from chalicelib.domain.costs.price_table import PriceTable, PriceUnknown
from chalicelib.domain.costs.pricing import (
    THAW_HOURS,
    get_cost,
    read_cost,
    thaw_cost,
    transfer_out_cost,
)
from chalicelib.wire import ThawTier

THAWED_DAYS = 7
"""How long a thawed copy is kept while it is fetched."""

LINE_BYTES_A_SECOND = 12_500_000
"""100 Mbit/s, for how long fetching everything takes; the mail names it."""


@dataclasses.dataclass(frozen=True)
class RestoreCost:
    """Bringing back everything that is current; ``tier`` is ``None`` where nothing is archived.

    ``cost`` is ``None`` where a price is not known; ``transfer`` is the part of it that leaving AWS costs. ``wait`` is
    until everything can be read, ``fetch`` at 100 Mbit/s from then on.
    """

    tier: ThawTier | None
    cost: Decimal | None
    transfer: Decimal
    wait: timedelta
    fetch: timedelta


def restore_everything(table: PriceTable, current: Tallies) -> tuple[RestoreCost, ...]:
    """What fetching all current files costs and takes, a line for each tier that makes a difference."""
    archived = {name: tally for name, tally in current.items() if name in ARCHIVE_CLASSES}
    if not total_bytes(current):
        return ()
    tiers: list[ThawTier | None] = [None]
    if archived:
        tiers = [tier for tier in ThawTier if any(tier in THAW_HOURS[name] for name in archived)]
    return tuple(_restore(table, current, archived, tier) for tier in tiers)


def _restore(table: PriceTable, current: Tallies, archived: Tallies, tier: ThawTier | None) -> RestoreCost:
    used = {name: _tier_of(name, tier) for name in archived} if tier else {}
    hours = max((THAW_HOURS[name][used_tier][1] for name, used_tier in used.items()), default=Decimal(0))
    size_bytes = total_bytes(current)
    transfer = transfer_out_cost(table, size_bytes)
    try:
        cost: Decimal | None = transfer + sum(
            (
                get_cost(table, name, tally.count) + read_cost(table, name, tally.size_bytes)
                for name, tally in current.items()
            ),
            Decimal(0),
        )
        for name, used_tier in used.items():
            assert cost is not None
            cost += thaw_cost(table, name, used_tier, archived[name], THAWED_DAYS)
    except PriceUnknown:
        cost = None
    wait = timedelta(minutes=int(hours * 60))
    return RestoreCost(tier, cost, transfer, wait, timedelta(seconds=size_bytes // LINE_BYTES_A_SECOND))


def _tier_of(storage_class: str, tier: ThawTier) -> ThawTier:
    """The tier, or the fastest there is where the class lacks it."""
    return tier if tier in THAW_HOURS[storage_class] else ThawTier.STANDARD
