"""What AWS bills of an object, beyond its own bytes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from chalicelib.domain.backups.storage import (
    ARCHIVE_CLASSES,
    DEEP_ARCHIVE,
    GLACIER_FLEXIBLE_RETRIEVAL,
    GLACIER_INSTANT_RETRIEVAL,
    STANDARD,
)
from chalicelib.domain.backups.tallies import Tallies, Tally

STANDARD_IA = "STANDARD_IA"
GB = 2**30
KB = 2**10

MINIMUM_BILLED_BYTES = {STANDARD_IA: 128 * KB, GLACIER_INSTANT_RETRIEVAL: 128 * KB}
"""An object in these classes is billed as this large at least: the price page, "minimum billable object size", and
the guide, "storage-class-intro"."""

MINIMUM_STAY_DAYS = {
    STANDARD_IA: 30,
    GLACIER_INSTANT_RETRIEVAL: 90,
    GLACIER_FLEXIBLE_RETRIEVAL: 90,
    DEEP_ARCHIVE: 180,
}
"""The price page, "minimum storage duration charge", and the guide, "storage-class-intro"."""

ARCHIVE_OVERHEAD_BYTES = 32 * KB
NAME_OVERHEAD_BYTES = 8 * KB
"""Each archived object has 32 KB more at its class's price, and 8 KB for its name at Standard's: the guide,
"archival-storage", "Storage overhead charges"."""


def billed_object_bytes(storage_class: str, size_bytes: int) -> int:
    """How large an object is billed: at least 128 KB in Standard-IA and Glacier Instant Retrieval.

    Without the overheads of archived objects, which ``billed_bytes`` adds.
    """
    return max(size_bytes, MINIMUM_BILLED_BYTES.get(storage_class, 0))


def billed_bytes(storage_class: str, tally: Tally) -> dict[str, int]:
    """What objects of one class are billed as, by class: archived ones put 8 KB each into Standard.

    Of many objects only count and sum are known, so a mix of small and large ones may be billed as more than this.
    """
    minimum = MINIMUM_BILLED_BYTES.get(storage_class, 0) * tally.count
    billed = max(tally.size_bytes, minimum)
    if storage_class not in ARCHIVE_CLASSES:
        return {storage_class: billed}
    return {
        storage_class: billed + ARCHIVE_OVERHEAD_BYTES * tally.count,
        STANDARD: NAME_OVERHEAD_BYTES * tally.count,
    }


def billed_in_all(tallies: Tallies) -> dict[str, int]:
    """Billed bytes by class of everything that is stored."""
    billed: dict[str, int] = {}
    for storage_class, tally in tallies.items():
        for billed_class, size_bytes in billed_bytes(storage_class, tally).items():
            billed[billed_class] = billed.get(billed_class, 0) + size_bytes
    return billed


def gb_months(byte_hours: Decimal | int, hours_in_month: int) -> Decimal:
    """The usage that a month is billed for: the average stored, over the month's own hours.

    The FAQ, "How will I be charged and billed for my use of Amazon S3?": byte-hours, by 2^30, by 744 in March.
    """
    return Decimal(byte_hours) / GB / hours_in_month


def shares_in_cents(total: Decimal, weights: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The total, rounded to cents, in parts by weight that add up to it: the largest remainders get the last cents.

    Rounding each part by itself would leave columns in the mail that do not add up.
    """
    cents = int((total * 100).to_integral_value())
    whole = sum(weights.values(), Decimal(0))
    if not whole:
        return {name: Decimal(0) for name in weights}
    exact = {name: cents * weight / whole for name, weight in weights.items()}
    parts = {name: int(amount) for name, amount in exact.items()}
    by_remainder = sorted(weights, key=lambda name: (parts[name] - exact[name], name))
    for name in by_remainder[: cents - sum(parts.values())]:
        parts[name] += 1
    return {name: Decimal(amount) / 100 for name, amount in parts.items()}
