"""The tables of ``docs/prices.md``, worked out by the service's own rules from its own price tables.

python -m tools.docs.price_examples        what the service itself costs a month, part by part
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.storage import (
    DEEP_ARCHIVE,
    DEFAULT_STORAGE_POLICY,
    GLACIER_FLEXIBLE_RETRIEVAL,
    GLACIER_INSTANT_RETRIEVAL,
    STANDARD,
)
from chalicelib.domain.backups.tallies import Tallies, Tally
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import (
    MONTH_DAYS,
    THAW_HOURS,
    get_cost,
    month_of_storage,
    put_cost,
    read_cost,
    storage_cost,
    tags_cost,
    thaw_cost,
    transfer_out_cost,
    transition_cost,
)
from chalicelib.domain.costs.service_costs import service_cost
from chalicelib.domain.mail.phrases import format_money
from chalicelib.wire import ThawTier
from ops.deploy.cost_preview import _activity, _sum_of, service_month

STORAGE_REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1")
REGIONS = ("us-east-1", "eu-central-1")
"""Those whose service is worked out in full."""

MB = 2**20
METADATA_PERCENT = 2
"""Signatures are 0.6 to 2.4 % of what they describe, the more the smaller the files are; they stay in Standard."""

THAWED_DAYS = 7

MACHINES = (1, 10, 1000)

CLASS_NAMES = {
    STANDARD: "Standard",
    GLACIER_INSTANT_RETRIEVAL: "Glacier Instant Retrieval",
    GLACIER_FLEXIBLE_RETRIEVAL: "Glacier Flexible Retrieval",
    DEEP_ARCHIVE: "Glacier Deep Archive",
}


@dataclasses.dataclass(frozen=True)
class Example:
    """A machine's first full backup, as large as it is stored: after gpg's compression."""

    name: str
    size_bytes: int
    volume_bytes: int

    @property
    def volumes(self) -> Tally:
        return Tally(-(-self.size_bytes // self.volume_bytes), self.size_bytes)

    @property
    def metadata(self) -> Tally:
        return Tally(3, self.size_bytes * METADATA_PERCENT // 100)

    def stored(self, storage_class: str) -> Tallies:
        if storage_class == STANDARD:
            return {STANDARD: self.volumes + self.metadata}
        return {storage_class: self.volumes, STANDARD: self.metadata}


EXAMPLES = (
    Example("a laptop, 50 GB in volumes of 25 MB", 50 * GB, 25 * MB),
    Example("photos, 200 GB in volumes of 200 MB", 200 * GB, 200 * MB),
    Example("photos, 1,000 GB in volumes of 200 MB", 1000 * GB, 200 * MB),
)


def price_blocks() -> dict[str, str]:
    """Every table by the name that the document calls it."""
    storage = {f"storage {region}": storage_table(_table_of(region)) for region in STORAGE_REGIONS}
    return storage | {"service": service_table([_table_of(region) for region in REGIONS])}


def storage_table(table: PriceTable) -> str:
    lines = [
        f"Prices of {table.region} as of {table.as_of}, in USD before tax.\n",
        "| stored | where | a month | the first upload | everything back | to wait for |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for example in EXAMPLES:
        for storage_class, name in CLASS_NAMES.items():
            back, wait = everything_back(table, example, storage_class)
            monthly = month(table, example, storage_class)
            first = first_upload(table, example, storage_class)
            label = example.name if storage_class == STANDARD else ""
            lines.append(
                f"| {label} | {name} | {_money(monthly)} | {_money(first)} | {_money(back)} | {wait} |"
            )
    return "\n".join(lines) + "\n"


def service_table(tables: list[PriceTable]) -> str:
    """What the service itself costs a month, in full and after the allowances that never end."""
    head = [f"{table.region}, {kind}" for table in tables for kind in ("in full", "after allowances")]
    lines = [
        f"| machines | {' | '.join(head)} | the largest parts |",
        f"| ---: | {' | '.join(['---:'] * len(head))} | --- |",
    ]
    for machines in MACHINES:
        costs = [service_cost(table, _activity(machines)) for table in tables]
        sums = [_sum_of(parts, kind) for parts in costs for kind in ("in_full", "after_allowance")]
        largest = sorted(costs[0], key=lambda part: -part.in_full)[:3]
        named = ", ".join(f"{part.name} {_money(part.in_full)}" for part in largest)
        lines.append(f"| {machines:,} | {' | '.join(_money(one) for one in sums)} | {named} |")
    return "\n".join(lines) + "\n"


def month(table: PriceTable, example: Example, storage_class: str) -> Decimal:
    """Keeping it for a month, with the tag that each volume carries."""
    stored = month_of_storage(table, example.stored(storage_class))
    return sum(stored.values(), tags_cost(table, example.volumes.count))


def first_upload(table: PriceTable, example: Example, storage_class: str) -> Decimal:
    """The requests, the days in Standard before the move, and the move; the transfer itself costs nothing."""
    requests = put_cost(table, STANDARD, example.volumes.count + example.metadata.count)
    if storage_class == STANDARD:
        return requests
    days = Decimal(DEFAULT_STORAGE_POLICY.archive_after_days) / MONTH_DAYS
    waiting = storage_cost(table, STANDARD, Decimal(example.size_bytes) / GB * days)
    return requests + waiting + transition_cost(table, storage_class, example.volumes.count)


def everything_back(table: PriceTable, example: Example, storage_class: str) -> tuple[Decimal | None, str]:
    """Fetching all of it in one month, None where a price is not known, and how long an archive lets wait: by the
    cheapest tier."""
    stored = example.stored(storage_class)
    cost = transfer_out_cost(table, sum(tally.size_bytes for tally in stored.values()))
    for name, tally in stored.items():
        cost += get_cost(table, name, tally.count) + read_cost(table, name, tally.size_bytes)
    if storage_class not in THAW_HOURS:
        return cost, "nothing"
    tier = cheapest_tier(table, storage_class)
    if tier is None:
        return None, f"up to {THAW_HOURS[storage_class][ThawTier.BULK][1]} hours"
    hours = THAW_HOURS[storage_class][tier][1]
    cost += thaw_cost(table, storage_class, tier, example.volumes, THAWED_DAYS)
    return cost, f"up to {hours} hours"


def cheapest_tier(table: PriceTable, storage_class: str) -> ThawTier | None:
    """Of those whose prices the table knows."""
    known = [
        tier
        for tier in THAW_HOURS[storage_class]
        if table.knows(f"thaw/{storage_class}/{tier.value}", f"thaw-request/{storage_class}/{tier.value}")
    ]
    return min(known, key=lambda tier: table.first(f"thaw/{storage_class}/{tier.value}"), default=None)


def service_parts(table: PriceTable, machines: int) -> str:
    """The service's own bill for a month, a line each: in full, and after the allowances that never end."""
    parts = service_cost(table, _activity(machines))
    lines = [f"{part.name:16}{_money(part.in_full):>12}{_money(part.after_allowance):>14}" for part in parts]
    in_full, after_allowance = service_month(table, machines)
    lines.append(f"{'all of it':16}{_money(in_full):>12}{_money(after_allowance):>14}")
    return f"{table.region}, {machines:,} machine(s), in full and after allowances:\n" + "\n".join(lines)


def _table_of(region: str) -> PriceTable:
    table = price_table(region)
    if table is None:
        raise LookupError(f"there is no price table of {region}")
    return table


def _money(amount: Decimal | None) -> str:
    return "not known" if amount is None else format_money(amount)


if __name__ == "__main__":
    print("\n\n".join(service_parts(_table_of(region), count) for region in REGIONS for count in MACHINES))
