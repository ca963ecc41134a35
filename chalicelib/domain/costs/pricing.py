"""AWS's rules of what is billed, each a function; the prices themselves are in a ``PriceTable``.

A GB is 2^30 bytes (S3 FAQ, "How much does Amazon S3 cost?": bytes / 1,073,741,824). Money is USD before tax.
Pages named here without an address are https://aws.amazon.com/s3/pricing/ ("the price page"),
https://aws.amazon.com/s3/faqs/ ("the FAQ") and the S3 user guide at
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ ("the guide").
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from chalicelib.domain.backups.storage import (
    DEEP_ARCHIVE,
    GLACIER_FLEXIBLE_RETRIEVAL,
    GLACIER_INSTANT_RETRIEVAL,
    STANDARD,
)
from chalicelib.domain.backups.tallies import Tallies, Tally
from chalicelib.domain.costs.billed import (
    GB,
    MINIMUM_BILLED_BYTES,
    MINIMUM_STAY_DAYS,
    STANDARD_IA,
    billed_bytes,
    billed_in_all,
)
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.wire import ThawTier

MONTH_DAYS = 30

PRICED_CLASSES = (
    STANDARD,
    STANDARD_IA,
    GLACIER_INSTANT_RETRIEVAL,
    GLACIER_FLEXIBLE_RETRIEVAL,
    DEEP_ARCHIVE,
)

FREE_TRANSFER_GB = 100
"""A month, of an account, over all services and regions: the price page, "Data transfer"."""


THAW_HOURS: Mapping[str, Mapping[ThawTier, tuple[Decimal, Decimal]]] = {
    GLACIER_FLEXIBLE_RETRIEVAL: {
        ThawTier.EXPEDITED: (Decimal(1) / 60, Decimal(5) / 60),
        ThawTier.STANDARD: (Decimal(3), Decimal(5)),
        ThawTier.BULK: (Decimal(5), Decimal(12)),
    },
    DEEP_ARCHIVE: {
        ThawTier.STANDARD: (Decimal(0), Decimal(12)),
        ThawTier.BULK: (Decimal(0), Decimal(48)),
    },
}
"""From and to how many hours a thaw takes; Deep Archive knows no Expedited. The guide,
"restoring-objects-retrieval-options"."""


def storage_cost(table: PriceTable, storage_class: str, used_gb_months: Decimal) -> Decimal:
    """The larger steps of Standard (50 TB, 500 TB) included; the price page, "Storage"."""
    return table.cost(f"storage/{storage_class}", used_gb_months)


def month_of_storage(table: PriceTable, tallies: Tallies) -> dict[str, Decimal]:
    """What keeping all of this for a whole month costs, by class."""
    return {
        storage_class: storage_cost(table, storage_class, Decimal(size_bytes) / GB)
        for storage_class, size_bytes in billed_in_all(tallies).items()
    }


def early_deletion_cost(
    table: PriceTable, storage_class: str, tally: Tally, stayed_days: Decimal | int
) -> Decimal:
    """What deleting (or moving on) before the minimum stay costs: storage for the days that are missing.

    The price page: "a pro-rated charge equal to the storage charge for the remaining days". In months of 30 days,
    so that 90 of them are the three months of AWS's examples.
    """
    missing = max(Decimal(0), MINIMUM_STAY_DAYS.get(storage_class, 0) - Decimal(stayed_days))
    if not missing:
        return Decimal(0)
    own_bytes = billed_bytes(storage_class, tally)[storage_class]
    return cut_short_cost(table, storage_class, int(own_bytes * missing * 86_400))


def cut_short_cost(table: PriceTable, storage_class: str, missing_byte_seconds: int) -> Decimal:
    """The same, of billed bytes times the seconds that are missing."""
    months = Decimal(missing_byte_seconds) / (MONTH_DAYS * 86_400)
    return months / GB * table.first(f"storage/{storage_class}")


def put_cost(table: PriceTable, storage_class: str, requests: int) -> Decimal:
    """PUT, COPY, POST and LIST requests, by the class they write to; DELETE is free. The price page, "Requests"."""
    return table.cost(f"put/{storage_class}", requests)


def get_cost(table: PriceTable, storage_class: str, requests: int) -> Decimal:
    """GET and all other requests; the price page, "Requests"."""
    return table.cost(f"get/{storage_class}", requests)


def read_cost(table: PriceTable, storage_class: str, size_bytes: int) -> Decimal:
    """What reading costs by the GB in the classes that can be read at once; nothing in Standard, and nothing for the
    copy of an archived object, whose thaw was paid for. The price page, "Data retrievals"."""
    if storage_class not in MINIMUM_BILLED_BYTES:
        return Decimal(0)
    return table.cost(f"read/{storage_class}", Decimal(size_bytes) / GB)


def transition_cost(table: PriceTable, to_class: str, objects: int) -> Decimal:
    """Moving objects by a lifecycle rule, by the object; the price page, "Lifecycle transition requests"."""
    return table.cost(f"transition/{to_class}", objects)


def tags_cost(table: PriceTable, tags: Decimal | int) -> Decimal:
    """Tags on objects, $0.0065 per 10,000 a month since March 2025; the price page, "S3 Object Tagging"."""
    return table.cost("tag-month", tags)


def transfer_out_cost(table: PriceTable, size_bytes: int, already_bytes: int = 0) -> Decimal:
    """Bytes that leave AWS for the internet; uploads cost nothing.

    The first 100 GB of a month are free and count towards the first step, as in the FAQ's example ("10 TB tier:
    10,239 GB", of the days when 1 GB was free). ``already_bytes`` left earlier in the month.
    """

    def up_to(total_bytes: int) -> Decimal:
        gigabytes = Decimal(total_bytes) / GB
        free = min(gigabytes, Decimal(FREE_TRANSFER_GB))
        return table.cost("transfer-out", gigabytes) - free * table.first("transfer-out")

    return up_to(already_bytes + size_bytes) - up_to(already_bytes)


def free_transfer_left(already_bytes: int) -> int:
    """Bytes that may still leave AWS this month at no cost; ``already_bytes`` have left."""
    return max(0, FREE_TRANSFER_GB * GB - already_bytes)


def thaw_cost(
    table: PriceTable, storage_class: str, tier: ThawTier, tally: Tally, readable_days: int
) -> Decimal:
    """A thaw: by the GB, by the object, and the copy, which is billed as Standard for as long as it may be read.

    The price page, "Data retrievals", and the guide, "restoring-objects": "you pay for both the archive and a copy
    that you restored temporarily". Raises ``PriceUnknown``, and ``ValueError`` for a tier that the class lacks.
    """
    if tier not in THAW_HOURS.get(storage_class, {}):
        raise ValueError(f"{storage_class} has no {tier.value} retrieval")
    gigabytes = Decimal(tally.size_bytes) / GB
    copy = gigabytes * table.first(f"storage/{STANDARD}") * readable_days / MONTH_DAYS
    by_size = table.cost(f"thaw/{storage_class}/{tier.value}", gigabytes)
    return by_size + table.cost(f"thaw-request/{storage_class}/{tier.value}", tally.count) + copy
