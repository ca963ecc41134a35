"""What removing backups for good costs, before S3's minimum stay is over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import add_tallies
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import early_deletion_cost


def early_deletion_fee(
    sets: Iterable[BackupSet], now: datetime, prices: PriceTable, *, moved_after_days: int = 0
) -> Decimal:
    """What AWS charges, in USD, if every version of these sets is deleted for good at ``now``.

    ``moved_after_days`` is after how many days the job's storage policy moves volumes
    (``job.storage.archive_after_days``): a class's minimum stay counts from the day the volume came into it. Each set
    counts as if all of it had come with its newest file, by S3's time, so that the fee is never said to be less than
    it is. Raises ``PriceUnknown``.
    """
    fee = Decimal(0)
    for one in sets:
        newest = one.changed_at or one.sealed_at or one.set_id.end
        days = Decimal((now - newest) / timedelta(days=1)) - moved_after_days
        for storage_class, tally in add_tallies(one.current, one.noncurrent).items():
            fee += early_deletion_cost(prices, storage_class, tally, max(Decimal(0), days))
    return fee
