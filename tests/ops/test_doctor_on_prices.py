"""The doctor looks at the age of the prices that the weekly mail counts with."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.costs.price_table import OLD_AFTER_DAYS
from ops.doctor.checks import price_complaints

REGION = "us-east-1"


def at_age(days: int) -> datetime:
    table = price_table(REGION)
    assert table is not None
    return datetime.combine(table.as_of, time(), timezone.utc) + timedelta(days=days)


def test_prices_that_are_not_old_are_well() -> None:
    assert price_complaints(REGION, at_age(OLD_AFTER_DAYS)) == []


def test_old_prices_are_named_with_what_brings_new_ones() -> None:
    [said] = price_complaints(REGION, at_age(OLD_AFTER_DAYS + 1))
    assert f"{OLD_AFTER_DAYS + 1} days old" in said
    assert f"python -m ops prices refresh --region {REGION}" in said


def test_a_region_without_prices_is_named() -> None:
    [said] = price_complaints("eu-north-1", at_age(0))
    assert said.startswith("no prices of eu-north-1 are known")
