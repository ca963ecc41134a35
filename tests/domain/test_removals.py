"""What removing backups costs: the fee for what goes before its minimum stay is over."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

import pytest

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.price_table import PriceUnknown
from chalicelib.domain.costs.removals import early_deletion_fee

PRICES = price_table("us-east-1")
assert PRICES is not None
NOW = datetime(2026, 11, 16, tzinfo=timezone.utc)


def stored(at: datetime, noncurrent: dict[str, Tally] | None = None, **current: Tally) -> BackupSet:
    """A complete full set that came in one moment."""
    volumes = max((tally.count for tally in current.values()), default=0)
    numbers = frozenset(range(1, volumes + 1))
    return BackupSet(SetId(None, at), numbers, volumes, True, True, at, current, noncurrent or {}, at)


def cents(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


def fee(*sets: BackupSet, now: datetime = NOW, moved_after_days: int = 0) -> str:
    assert PRICES is not None
    return cents(early_deletion_fee(sets, now, PRICES, moved_after_days=moved_after_days))


def test_each_set_pays_for_the_days_that_its_class_misses() -> None:
    """100 GB after 30 of 90 days: 2 months x 100 x 0.0036; 500 GB after 45 of 180: 4.5 x 500 x 0.00099; 0 of IR."""
    young = stored(NOW - timedelta(days=30), GLACIER=Tally(1, 100 * GB))
    deep = stored(NOW - timedelta(days=45), DEEP_ARCHIVE=Tally(1, 500 * GB))
    over = stored(NOW - timedelta(days=90), GLACIER_IR=Tally(1, 250 * GB), STANDARD=Tally(3, GB))
    assert (fee(young), fee(deep), fee(over), fee(young, deep, over)) == ("0.72", "2.23", "0.00", "2.95")


def test_the_stay_begins_when_the_volumes_were_moved() -> None:
    """1,000 GB, uploaded 90 days ago and moved on the seventh: 7 days are missing: 1000 x 0.004 x 7 / 30."""
    one = stored(NOW - timedelta(days=90), GLACIER_IR=Tally(1, 1000 * GB))
    assert (fee(one, moved_after_days=7), fee(one)) == ("0.93", "0.00")


def test_a_volume_in_an_archive_sooner_than_the_policy_moves_it_misses_all_of_the_stay() -> None:
    one = stored(NOW - timedelta(days=2), GLACIER=Tally(1, 100 * GB))
    assert fee(one, moved_after_days=7) == "1.08"


def test_what_is_in_standard_goes_for_nothing() -> None:
    assert fee(stored(NOW, STANDARD=Tally(100, 1000 * GB))) == "0.00"


def test_older_versions_pay_too() -> None:
    hidden = {"GLACIER": Tally(1, 100 * GB)}
    assert fee(stored(NOW - timedelta(days=30), hidden, STANDARD=Tally(1, GB))) == "0.72"


def test_the_age_of_a_set_is_that_of_its_newest_file_and_not_of_its_name() -> None:
    backdated = stored(NOW - timedelta(days=30), GLACIER=Tally(1, 100 * GB))
    assert fee(dataclasses.replace(backdated, set_id=SetId(None, NOW - timedelta(days=900)))) == "0.72"


def test_a_fee_that_is_not_known_is_not_taken_for_none() -> None:
    assert PRICES is not None
    unknown = dataclasses.replace(PRICES, steps={})
    with pytest.raises(PriceUnknown, match="storage/GLACIER"):
        early_deletion_fee([stored(NOW, GLACIER=Tally(1, GB))], NOW, unknown)
