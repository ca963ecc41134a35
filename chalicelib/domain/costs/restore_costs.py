"""What bringing files back costs and takes: the mail prices everything, a plan of a thaw what a restore needs."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from decimal import Decimal

from chalicelib.domain.backups.storage import ARCHIVE_CLASSES, STANDARD
from chalicelib.domain.backups.tallies import Tallies, total_bytes
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.price_table import PriceTable, PriceUnknown
from chalicelib.domain.costs.pricing import (
    MONTH_DAYS,
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
    if not total_bytes(current):
        return ()
    archived = {name: tally for name, tally in current.items() if name in ARCHIVE_CLASSES}
    return tuple(restore_cost(table, current, archived, tier) for tier in tiers_for(archived))


def tiers_for(archived: Tallies) -> tuple[ThawTier | None, ...]:
    """The tiers that make a difference to these; ``None`` alone where nothing is archived."""
    if not archived:
        return (None,)
    return tuple(tier for tier in ThawTier if any(tier in THAW_HOURS[name] for name in archived))


def restore_cost(
    table: PriceTable,
    stored: Tallies,
    archived: Tallies,
    tier: ThawTier | None,
    *,
    readable_days: int = THAWED_DAYS,
    already_bytes: int = 0,
) -> RestoreCost:
    """What fetching ``stored`` costs and takes, where ``archived`` of it have to be thawed first.

    ``already_bytes`` left AWS earlier in the month. Raises ``PriceUnknown`` where the price of transfer is not known.
    """
    size_bytes = total_bytes(stored)
    transfer = transfer_out_cost(table, size_bytes, already_bytes)
    try:
        parts = [
            get_cost(table, name, tally.count) + read_cost(table, name, tally.size_bytes)
            for name, tally in stored.items()
        ]
        if tier is not None:
            parts += [
                thaw_cost(table, name, tier_used(name, tier), tally, readable_days)
                for name, tally in archived.items()
            ]
        cost: Decimal | None = transfer + sum(parts, Decimal(0))
    except PriceUnknown:
        cost = None
    _, at_most = thaw_wait(archived, tier)
    return RestoreCost(tier, cost, transfer, at_most, timedelta(seconds=size_bytes // LINE_BYTES_A_SECOND))


def thaw_wait(archived: Tallies, tier: ThawTier | None) -> tuple[timedelta, timedelta]:
    """How long until the first and until the last of them can be read, as the tier promises."""
    hours = [THAW_HOURS[name][tier_used(name, tier)] for name in archived] if tier else []
    first = min((begins for begins, _ in hours), default=Decimal(0))
    last = max((ends for _, ends in hours), default=Decimal(0))
    return timedelta(minutes=int(first * 60)), timedelta(minutes=int(last * 60))


def tier_used(storage_class: str, tier: ThawTier) -> ThawTier:
    """The tier, or the fastest there is where the class lacks it."""
    return tier if tier in THAW_HOURS[storage_class] else ThawTier.STANDARD


def longer_copies_cost(table: PriceTable, thawed: Tallies, more_days: int) -> Decimal:
    """What keeping the copies of thawed objects for more days costs: their bytes as Standard, and a request each.

    S3 moves the day on which a copy lapses for the price of another request of the cheapest tier. Raises
    ``PriceUnknown``.
    """
    cost = Decimal(0)
    for name, tally in thawed.items():
        gigabytes = Decimal(tally.size_bytes) / GB
        cost += gigabytes * table.first(f"storage/{STANDARD}") * more_days / MONTH_DAYS
        cost += table.cost(f"thaw-request/{name}/{ThawTier.BULK.value}", tally.count)
    return cost
