"""What a backup of some size costs in each storage class, before it is made: by the service's own rules and prices."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from chalicelib.domain.backups.storage import (
    DEEP_ARCHIVE,
    DEFAULT_AFTER_DAYS,
    DEFAULT_STORAGE_POLICY,
    STANDARD,
    StoragePolicy,
)
from chalicelib.domain.backups.tallies import Tallies, Tally
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import (
    MONTH_DAYS,
    month_of_storage,
    put_cost,
    storage_cost,
    tags_cost,
    transition_cost,
)
from chalicelib.domain.costs.restore_costs import RestoreCost, restore_everything
from chalicelib.domain.photos.family import PHOTO_VOLUME_MB

MB = 2**20

DEFAULT_VOLUME_BYTES = 25 * MB

METADATA_SHARE = Decimal("0.02")
"""Signatures are 0.6 to 2.4 % of what they describe, the more the smaller the files are; they stay in Standard."""

PHOTO_METADATA_SHARE = Decimal("0.002")
"""Measured at 0.14 % of raw pictures of 80 MB; other cameras make smaller ones."""

DEEP_FROM_BYTES = 100 * GB
"""Below, Deep Archive saves less than 35 cents a month, for a wait of up to two days."""


@dataclasses.dataclass(frozen=True)
class FirstBackup:
    """A first full backup, as large as it is stored: after gpg's compression."""

    size_bytes: int
    volume_bytes: int = DEFAULT_VOLUME_BYTES
    metadata_share: Decimal = METADATA_SHARE

    @classmethod
    def of_photos(cls, size_bytes: int) -> FirstBackup:
        return cls(size_bytes, PHOTO_VOLUME_MB * MB, PHOTO_METADATA_SHARE)

    @property
    def volumes(self) -> Tally:
        return Tally(-(-self.size_bytes // self.volume_bytes), self.size_bytes)

    @property
    def metadata(self) -> Tally:
        return Tally(3, int(self.size_bytes * self.metadata_share))

    def stored(self, storage_class: str) -> Tallies:
        if storage_class == STANDARD:
            return {STANDARD: self.volumes + self.metadata}
        return {storage_class: self.volumes, STANDARD: self.metadata}


def storage_by_size(size_bytes: int) -> StoragePolicy:
    """The policy for a source of that size where the owner chose none."""
    if size_bytes >= DEEP_FROM_BYTES:
        return StoragePolicy(DEEP_ARCHIVE, DEFAULT_AFTER_DAYS)
    return DEFAULT_STORAGE_POLICY


def month(table: PriceTable, backup: FirstBackup, storage_class: str) -> Decimal:
    """Keeping it for a month, with the tag that each volume carries."""
    stored = month_of_storage(table, backup.stored(storage_class))
    return sum(stored.values(), tags_cost(table, backup.volumes.count))


def first_upload(table: PriceTable, backup: FirstBackup, storage_class: str) -> Decimal:
    """The requests, the days in Standard before the move, and the move; the transfer itself costs nothing."""
    requests = put_cost(table, STANDARD, backup.volumes.count + backup.metadata.count)
    if storage_class == STANDARD:
        return requests
    days = Decimal(DEFAULT_AFTER_DAYS) / MONTH_DAYS
    waiting = storage_cost(table, STANDARD, Decimal(backup.size_bytes) / GB * days)
    return requests + waiting + transition_cost(table, storage_class, backup.volumes.count)


def everything_back(table: PriceTable, backup: FirstBackup, storage_class: str) -> RestoreCost:
    """Fetching all of it in one month, by the cheapest tier whose prices the table knows; without any, the slowest."""
    tiers = restore_everything(table, backup.stored(storage_class))
    known = [tier for tier in tiers if tier.cost is not None]
    return min(known, key=lambda one: one.cost or 0) if known else max(tiers, key=lambda one: one.wait)
