"""Storage policies to choose: what there is, what each accepts, and which one a source's size gets."""

from __future__ import annotations

import dataclasses
import re
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.price_files import FOLDER, price_table
from chalicelib.domain.audit.lifecycle.own_rules import own_rules
from chalicelib.domain.backups.names import parse_file_name
from chalicelib.domain.backups.storage import (
    CLASS_OF_NAME,
    DAYS_TO_CHOOSE,
    DEFAULT_STORAGE_POLICY,
    DEPTH,
    KEPT_IN_STANDARD,
    POLICY_OF_TAG,
    SMALLEST_MOVED_BYTES,
    STANDARD,
    STORAGE_POLICIES,
    StoragePolicy,
    chosen_policy,
    needs_thaw,
)
from chalicelib.domain.backups.uploads import headers_for
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.price_table import PriceTable
from ops.commands.arguments import storage_choice
from ops.storage_costs import DEEP_FROM_BYTES, FirstBackup, everything_back, month, storage_by_size

VOLUME = parse_file_name("data_duplicity-full.20261101T000000Z.vol1.difftar.gpg")
MANIFEST = parse_file_name("meta_duplicity-full.20261101T000000Z.manifest.gpg")
TABLES = [price_table(path.stem) for path in FOLDER.glob("*.json")]

policies = st.sampled_from(STORAGE_POLICIES)
classes = st.sampled_from([*DEPTH, "STANDARD_IA", "INTELLIGENT_TIERING"])
sizes = st.integers(1, 2**45)


def test_each_policy_has_a_tag_of_its_own_that_s3_takes() -> None:
    assert len(POLICY_OF_TAG) == len(STORAGE_POLICIES) == 12
    assert all(re.fullmatch(r"[a-z0-9-]{1,128}", tag) for tag in POLICY_OF_TAG)


def test_the_rules_of_an_earlier_version_are_among_those_of_this_one() -> None:
    """A volume that was stored under one of them is moved by its tag for as long as it is there."""
    names = {rule["ID"] for rule in own_rules()}
    assert {"panicroom-glacier-ir-7d", "panicroom-glacier-7d", "panicroom-deep-archive-7d"} < names
    assert not [name for name in names if "standard" in name]


@given(policies)
def test_what_the_owner_types_for_a_policy_is_that_policy(policy: StoragePolicy) -> None:
    assert chosen_policy(policy.name, policy.archive_after_days if policy.moves else None) == policy


@given(st.sampled_from([*CLASS_OF_NAME, "glacier", ""]), st.none() | st.integers(-1, 400))
def test_nothing_can_be_chosen_that_has_no_rule(name: str, days: int | None) -> None:
    with suppress(ValueError):
        assert chosen_policy(name, days) in STORAGE_POLICIES


def test_a_choice_that_is_refused_names_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="choose standard, instant, flexible, deep"):
        chosen_policy("cold")
    with pytest.raises(ValueError, match="after one of 7d, 30d, 90d, not after 1d"):
        chosen_policy("deep", 1)
    with pytest.raises(ValueError, match="Nothing is moved out of standard"):
        chosen_policy("standard", 7)


def test_what_needs_a_thaw_stays_readable_for_a_week() -> None:
    """A resume reads the first volume of a set that was not finished."""
    assert all(min(days) >= 7 for name, days in DAYS_TO_CHOOSE.items() if needs_thaw(name))


@given(policies, classes)
def test_a_policy_accepts_what_can_be_read_at_once_and_nothing_slower_than_it_chose(
    policy: StoragePolicy, storage_class: str
) -> None:
    slower = storage_class in DEPTH and DEPTH.index(storage_class) > DEPTH.index(policy.archive_class)
    assert policy.accepts(storage_class) is not (needs_thaw(storage_class) and slower)


# ---------------------------------------------------------------- what an upload carries


@given(policies, st.integers(1, 2**30))
def test_small_volumes_and_all_metadata_are_stored_in_standard(policy: StoragePolicy, size: int) -> None:
    assert VOLUME is not None
    assert MANIFEST is not None
    of_volume, of_manifest = headers_for(VOLUME, size, policy), headers_for(MANIFEST, size, policy)
    assert (of_manifest.storage_class, of_manifest.tagging) == (STANDARD, None)
    assert of_volume.tagging == f"panicroom-storage={policy.tag_value}"
    at_once = policy == StoragePolicy("GLACIER_IR", 0) and size >= SMALLEST_MOVED_BYTES
    assert of_volume.storage_class == ("GLACIER_IR" if at_once else STANDARD)


# ---------------------------------------------------------------- by the size of the source


@given(sizes, sizes)
def test_a_larger_source_never_gets_a_dearer_class(one: int, other: int) -> None:
    smaller, larger = sorted((one, other))
    assert DEPTH.index(storage_by_size(smaller).archive_class) <= DEPTH.index(
        storage_by_size(larger).archive_class
    )


def test_small_sources_get_the_default_and_large_ones_deep_archive() -> None:
    assert storage_by_size(DEEP_FROM_BYTES - 1) == DEFAULT_STORAGE_POLICY
    assert storage_by_size(DEEP_FROM_BYTES) == StoragePolicy("DEEP_ARCHIVE", 7)
    assert {storage_by_size(1), storage_by_size(2**60), KEPT_IN_STANDARD} <= set(STORAGE_POLICIES)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.region)
@given(size=st.integers(GB, 2**45))
def test_a_class_that_is_slower_to_read_is_cheaper_to_keep(table: PriceTable, size: int) -> None:
    costs = [month(table, FirstBackup(size), storage_class) for storage_class in DEPTH]
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.region)
def test_below_the_limit_deep_archive_saves_less_than_thirty_five_cents_a_month(table: PriceTable) -> None:
    limit = FirstBackup(DEEP_FROM_BYTES)
    saved = month(table, limit, "GLACIER_IR") - month(table, limit, "DEEP_ARCHIVE")
    assert 0 < saved < 0.35


def without(table: PriceTable, *names: str) -> PriceTable:
    known = {name: steps for name, steps in table.steps.items() if name not in names}
    return dataclasses.replace(table, steps=known)


def test_everything_back_is_by_the_cheapest_tier_whose_price_is_known() -> None:
    table = price_table("us-east-1")
    assert table is not None
    backup = FirstBackup(200 * GB)
    bulk, standard = (f"thaw-request/DEEP_ARCHIVE/{tier}" for tier in ("Bulk", "Standard"))
    for known, hours in ((table, 48), (without(table, bulk), 12)):
        assert everything_back(known, backup, "DEEP_ARCHIVE").wait == timedelta(hours=hours)
    unknown = everything_back(without(table, bulk, standard), backup, "DEEP_ARCHIVE")
    assert (unknown.cost, unknown.wait) == (None, timedelta(hours=48))
    assert everything_back(table, backup, "GLACIER_IR").wait == timedelta(0)


def test_an_estimate_leaves_out_what_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that was refreshed may lack a price: the machine is there by then, and its code is still to be shown."""
    table = price_table("us-east-1")
    assert table is not None
    deep = chosen_policy("deep")
    monkeypatch.setattr(storage_choice, "price_table", lambda _region: without(table, "storage/DEEP_ARCHIVE"))
    found = {one.storage: one for one in storage_choice.estimates("us-east-1", FirstBackup(50 * GB), deep)}
    assert (found["deep"].monthly, found["instant"].monthly) == (None, "0.22")
    monkeypatch.setattr(storage_choice, "price_table", lambda _region: without(table, "transfer-out"))
    assert storage_choice.estimates("us-east-1", FirstBackup(50 * GB), deep) == []
