"""The tables of ``docs/prices.md`` and ``docs/photos.md``, and those of storage in ``docs/how-to.md``, by the service's
own rules and prices.

python -m tools.docs.price_examples        what the service itself costs a month, part by part
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from bench.years.tables import photographers_table, year_blocks
from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.storage import CLASS_OF_NAME, DEEP_ARCHIVE, STANDARD
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import FREE_TRANSFER_GB
from chalicelib.domain.costs.service_costs import service_cost
from chalicelib.domain.mail.cost_amounts import CLASS_NAMES
from chalicelib.domain.mail.phrases import format_money
from ops.deploy.cost_preview import _activity, _sum_of, service_month
from ops.storage_costs import (
    DEFAULT_VOLUME_BYTES,
    MB,
    FirstBackup,
    everything_back,
    first_upload,
    month,
    storage_by_size,
)

STORAGE_REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1")
REGIONS = ("us-east-1", "eu-central-1")
"""Those whose service, choices and thaws are worked out."""

PHOTO_GB = (10, 50, 200, 500, 1000)

CHOICE_GB = (20, 50, 100, 200, 1000)

MACHINES = (1, 10, 1000)


@dataclasses.dataclass(frozen=True)
class Example:
    """A machine's first full backup."""

    name: str
    backup: FirstBackup


EXAMPLES = (
    Example("a laptop, 50 GB in volumes of 25 MB", FirstBackup(50 * GB, DEFAULT_VOLUME_BYTES)),
    Example("photos, 200 GB in volumes of 200 MB", FirstBackup(200 * GB, 200 * MB)),
    Example("photos, 1,000 GB in volumes of 200 MB", FirstBackup(1000 * GB, 200 * MB)),
)


def price_blocks() -> dict[str, str]:
    """Every table by the name that the document calls it."""
    storage = {f"storage {region}": storage_table(table_of(region)) for region in STORAGE_REGIONS}
    tables = [table_of(region) for region in REGIONS]
    return storage | {"service": service_table(tables)} | year_blocks(tables)


def choice_blocks() -> dict[str, str]:
    """Both sums that ``machine add --size`` shows, for some sizes."""
    return {f"choice {region}": choice_table(table_of(region)) for region in REGIONS}


def photo_blocks() -> dict[str, str]:
    """What ``docs/photos.md`` says before anything is typed."""
    tables = [table_of(region) for region in REGIONS]
    pictures = {f"pictures {table.region}": pictures_table(table) for table in tables}
    return {**pictures, "ten years for photographers": photographers_table(tables)}


def pictures_table(table: PriceTable) -> str:
    """Pictures in Deep Archive: stored once, kept, and brought back in one month or in several."""
    lines = [
        f"Prices of {table.region} as of {table.as_of}, in USD before tax.\n",
        "| pictures | the first backup | a month | a year | all back in one month | all back, 100 GB a month |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for size_gb in PHOTO_GB:
        backup = FirstBackup.of_photos(size_gb * GB)
        monthly = month(table, backup, DEEP_ARCHIVE)
        months = -(-size_gb // FREE_TRANSFER_GB)
        part = everything_back(table, FirstBackup.of_photos(backup.size_bytes // months), DEEP_ARCHIVE).cost
        slowly = f"{_money(part and part * months)} in {months} months" if months > 1 else ""
        sums = [
            first_upload(table, backup, DEEP_ARCHIVE),
            monthly,
            12 * monthly,
            everything_back(table, backup, DEEP_ARCHIVE).cost,
        ]
        lines.append(f"| {size_gb:,} GB | {' | '.join(_money(one) for one in sums)} | {slowly} |")
    return "\n".join(lines) + "\n"


def choice_table(table: PriceTable) -> str:
    lines = [
        f"Prices of {table.region} as of {table.as_of}, in USD before tax, in volumes of 25 MB.\n",
        "| source | `instant`, a month | everything back | `deep`, a month | everything back | chosen by its size |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for size_gb in CHOICE_GB:
        backup = FirstBackup(size_gb * GB)
        sums = [
            _money(amount)
            for name in ("instant", "deep")
            for amount in (
                month(table, backup, CLASS_OF_NAME[name]),
                everything_back(table, backup, CLASS_OF_NAME[name]).cost,
            )
        ]
        lines.append(f"| {size_gb:,} GB | {' | '.join(sums)} | `{storage_by_size(backup.size_bytes).name}` |")
    return "\n".join(lines) + "\n"


def storage_table(table: PriceTable) -> str:
    lines = [
        f"Prices of {table.region} as of {table.as_of}, in USD before tax.\n",
        "| stored | where | a month | the first upload | everything back | to wait for |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for example in EXAMPLES:
        for storage_class in CLASS_OF_NAME.values():
            back = everything_back(table, example.backup, storage_class)
            monthly = month(table, example.backup, storage_class)
            first = first_upload(table, example.backup, storage_class)
            label = example.name if storage_class == STANDARD else ""
            hours = round(back.wait.total_seconds() / 3600)
            wait = f"up to {hours} hours" if hours else "nothing"
            sums = f"{_money(monthly)} | {_money(first)} | {_money(back.cost)}"
            lines.append(f"| {label} | {CLASS_NAMES[storage_class]} | {sums} | {wait} |")
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


def service_parts(table: PriceTable, machines: int) -> str:
    """The service's own bill for a month, a line each: in full, and after the allowances that never end."""
    parts = service_cost(table, _activity(machines))
    lines = [f"{part.name:16}{_money(part.in_full):>12}{_money(part.after_allowance):>14}" for part in parts]
    in_full, after_allowance = service_month(table, machines)
    lines.append(f"{'all of it':16}{_money(in_full):>12}{_money(after_allowance):>14}")
    return f"{table.region}, {machines:,} machine(s), in full and after allowances:\n" + "\n".join(lines)


def table_of(region: str) -> PriceTable:
    table = price_table(region)
    if table is None:
        raise LookupError(f"there is no price table of {region}")
    return table


def _money(amount: Decimal | None) -> str:
    return "not known" if amount is None else format_money(amount)


if __name__ == "__main__":
    print("\n\n".join(service_parts(table_of(region), count) for region in REGIONS for count in MACHINES))
