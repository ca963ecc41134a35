"""The tables of ``docs/restore.md``: what bringing archived files back costs, by the rules of a thaw's plan."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.machines import DEFAULT_DOWNLOAD_CAP_BYTES_A_DAY
from chalicelib.domain.backups.storage import DEEP_ARCHIVE, GLACIER_FLEXIBLE_RETRIEVAL
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import transfer_out_cost
from chalicelib.domain.costs.restore_costs import restore_cost
from chalicelib.domain.mail.phrases import format_small_money
from chalicelib.domain.restore.plans import days_needed, rounded_up
from chalicelib.wire import ThawTier

MB = 2**20

REGIONS = ("us-east-1", "eu-central-1")

WAYS = (
    (DEEP_ARCHIVE, ThawTier.BULK),
    (DEEP_ARCHIVE, ThawTier.STANDARD),
    (GLACIER_FLEXIBLE_RETRIEVAL, ThawTier.BULK),
    (GLACIER_FLEXIBLE_RETRIEVAL, ThawTier.STANDARD),
    (GLACIER_FLEXIBLE_RETRIEVAL, ThawTier.EXPEDITED),
)


CLASS_NAMES = {DEEP_ARCHIVE: "Deep Archive", GLACIER_FLEXIBLE_RETRIEVAL: "Flexible Retrieval"}


@dataclasses.dataclass(frozen=True)
class RestoreExample:
    """What a restore has to bring back."""

    name: str
    volumes: int
    volume_bytes: int

    @property
    def tally(self) -> Tally:
        return Tally(self.volumes, self.volumes * self.volume_bytes)


def _of(gigabytes: int, volume_mb: int) -> RestoreExample:
    volumes = gigabytes * GB // (volume_mb * MB)
    return RestoreExample(f"{gigabytes:,} GB in volumes of {volume_mb} MB", volumes, volume_mb * MB)


EXAMPLES = (
    RestoreExample("a letter: one volume of 25 MB", 1, 25 * MB),
    _of(10, 25),
    _of(50, 25),
    _of(200, 25),
    _of(200, 200),
    _of(1000, 200),
)


def thaw_blocks() -> dict[str, str]:
    """Every table by the name that the document calls it."""
    return {f"thaw {region}": thaw_table(_table_of(region)) for region in REGIONS}


def thaw_table(table: PriceTable) -> str:
    ways = " | ".join(f"{CLASS_NAMES[name]}, {tier.value}" for name, tier in WAYS)
    lines = [
        f"Prices of {table.region} as of {table.as_of}, in USD before tax.\n",
        f"| to bring back | {ways} | for leaving AWS |",
        f"| --- |{' ---: |' * (len(WAYS) + 1)}",
    ]
    for wanted in EXAMPLES:
        costs = [_shown(_cost(table, wanted, storage_class, tier)) for storage_class, tier in WAYS]
        leaving = transfer_out_cost(table, wanted.tally.size_bytes)
        lines.append(f"| {wanted.name} | {' | '.join(costs)} | {_shown(rounded_up(leaving))} |")
    return "\n".join(lines) + "\n"


def _cost(table: PriceTable, wanted: RestoreExample, storage_class: str, tier: ThawTier) -> Decimal | None:
    """The copies are kept as long as a plan keeps them on a line of 100 Mbit/s; nothing else left AWS this month."""
    stored = {storage_class: wanted.tally}
    days = days_needed(wanted.tally.size_bytes, None, DEFAULT_DOWNLOAD_CAP_BYTES_A_DAY)
    cost = restore_cost(table, stored, stored, tier, readable_days=days).cost
    return None if cost is None else rounded_up(cost)


def _shown(amount: Decimal | None) -> str:
    return "not known" if amount is None else format_small_money(amount)


def _table_of(region: str) -> PriceTable:
    table = price_table(region)
    if table is None:
        raise LookupError(f"there is no price table of {region}")
    return table
