"""AWS's pricing rules, against examples worked by hand, AWS's own where it publishes some."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.price_files import FOLDER, price_table
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import (
    GB,
    KB,
    billed_in_all,
    billed_object_bytes,
    gb_months,
    shares_in_cents,
)
from chalicelib.domain.costs.price_table import PriceTable, PriceUnknown, read_price_table, write_price_table
from chalicelib.domain.costs.pricing import (
    PRICED_CLASSES,
    THAW_HOURS,
    early_deletion_cost,
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
from chalicelib.wire import ThawTier


def known(region: str) -> PriceTable:
    table = price_table(region)
    assert table is not None
    return table


USE1, EUC1 = known("us-east-1"), known("eu-central-1")
EUW1, USW2 = known("eu-west-1"), known("us-west-2")
TB = 1024 * GB


def whole(storage_class: str, size_bytes: int, count: int = 1, table: PriceTable = USE1) -> Decimal:
    return sum(month_of_storage(table, {storage_class: Tally(count, size_bytes)}).values(), Decimal(0))


def byte_hours(*spans: tuple[int, int]) -> int:
    """Bytes and days."""
    return sum(size_bytes * days * 24 for size_bytes, days in spans)


FAQ = "https://aws.amazon.com/s3/faqs/"
PRICES = "https://aws.amazon.com/s3/pricing/"
GUIDE = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/"

EXAMPLES: dict[str, tuple[str, Callable[[], Decimal], str]] = {
    # 100 GB for 15 days and 100 TB for 16 of a March: 42,259,901,212,262,400 byte-hours are 52,900 GB-months:
    # 51,200 x 0.023 + 1,700 x 0.022 = 1,177.60 + 37.40
    "AWS's own example of storage across two steps": (
        FAQ + " How will I be charged and billed for my use of Amazon S3? (Storage Example)",
        lambda: storage_cost(USE1, "STANDARD", gb_months(byte_hours((100 * GB, 15), (100 * TB, 16)), 744)),
        "1215.00",
    ),
    # 4 GB for 31 days and, as an older version is billed too, 5 GB for 16: 6.581 GB-months x 0.023 = 0.1514
    "AWS's own example of versions": (
        FAQ + " How am I charged for using Versioning?",
        lambda: storage_cost(USE1, "STANDARD", gb_months(byte_hours((4 * GB, 31), (5 * GB, 16)), 744)),
        "0.15",
    ),
    # 310,000 x 0.005 / 1,000
    "AWS's own example of PUT requests": (
        FAQ + " (Request Example)",
        lambda: put_cost(USE1, "STANDARD", 310_000),
        "1.55",
    ),
    # 620,000 x 0.004 / 10,000 = 0.248
    "AWS's own example of GET requests": (
        FAQ + " (Request Example)",
        lambda: get_cost(USE1, "STANDARD", 620_000),
        "0.25",
    ),
    # 300 GB x 0.01
    "AWS's own example of reading from Standard-IA": (
        FAQ + " (Data Retrieval Example)",
        lambda: read_cost(USE1, "STANDARD_IA", 300 * GB),
        "3.00",
    ),
    # 62 TB: AWS's example with 1 GB free has 921.51 + 3,481.60 + 860.16 = 5,263.27; with 100 GB free it is
    # (10,240 - 100) x 0.09 = 912.60, + 3,481.60 + 860.16
    "AWS's own example of transfer out, with today's 100 free GB": (
        FAQ + " (Data Transfer Out Example); " + PRICES + " Data transfer",
        lambda: transfer_out_cost(USE1, 62 * TB),
        "5254.36",
    ),
    # 100,000 objects of 1 GB: (100,000 GB + 100,000 x 32 KB = 3.0518 GB) x 0.0036 = 360.0110, and
    # 100,000 x 8 KB = 0.7629 GB x 0.023 = 0.0175
    "AWS's own example of archived objects' overheads": (
        FAQ + " How is my storage charge calculated for Amazon S3 Glacier?",
        lambda: whole("GLACIER", 100_000 * GB, 100_000),
        "360.03",
    ),
    # 1,000,000 x 128 KB = 122.0703 GB x 0.0125 = 1.5259, though 30 KB each are stored
    "a million objects of 30 KB in Standard-IA": (
        PRICES + " minimum billable object size",
        lambda: whole("STANDARD_IA", 1_000_000 * 30 * KB, 1_000_000),
        "1.53",
    ),
    # 1,000,000 x 128 KB = 122.0703 GB x 0.004 = 0.4883
    "a million objects of 1 KB in Glacier Instant Retrieval": (
        PRICES + " minimum billable object size",
        lambda: whole("GLACIER_IR", 1_000_000 * KB, 1_000_000),
        "0.49",
    ),
    # 412 GB x 0.004, in volumes of 25 MB, far above the minimum
    "412 GB in Glacier Instant Retrieval": (
        PRICES + " Storage",
        lambda: whole("GLACIER_IR", 412 * GB, 16_876),
        "1.65",
    ),
    # 1 TB in volumes of 200 MB, 5,243 of them: (1,024 + 0.1600) x 0.00099 = 1.0139; 8 KB: 0.0400 x 0.023 = 0.0009
    "a terabyte of photos in Deep Archive": (
        GUIDE + "archival-storage Storage overhead charges",
        lambda: whole("DEEP_ARCHIVE", TB, 5_243),
        "1.01",
    ),
    # 100 GB after 30 of 90 days: 60 days = 2 months x 100 x 0.0036
    "deleting from Glacier after a month": (
        PRICES + " minimum storage duration charge",
        lambda: early_deletion_cost(USE1, "GLACIER", Tally(1, 100 * GB), 30),
        "0.72",
    ),
    # 500 GB after 45 of 180 days: 4.5 months x 500 x 0.00099
    "deleting from Deep Archive after 45 days": (
        PRICES + " minimum storage duration charge",
        lambda: early_deletion_cost(USE1, "DEEP_ARCHIVE", Tally(1, 500 * GB), 45),
        "2.23",
    ),
    # 250 GB after 100 days: the 90 are over
    "deleting from Glacier Instant Retrieval after its stay": (
        PRICES + " minimum storage duration charge",
        lambda: early_deletion_cost(USE1, "GLACIER_IR", Tally(1, 250 * GB), 100),
        "0.00",
    ),
    # 41,944 x 0.02 / 1,000 (a TB in volumes of 25 MB)
    "moving a terabyte of 25 MB volumes to Glacier Instant Retrieval": (
        PRICES + " Lifecycle transition requests",
        lambda: transition_cost(USE1, "GLACIER_IR", 41_944),
        "0.84",
    ),
    # 5,243 x 0.05 / 1,000
    "moving a terabyte of 200 MB volumes to Deep Archive": (
        PRICES + " Lifecycle transition requests",
        lambda: transition_cost(USE1, "DEEP_ARCHIVE", 5_243),
        "0.26",
    ),
    # 1,000,000 x 0.0065 / 10,000
    "tags on a million volumes": (
        "https://aws.amazon.com/about-aws/whats-new/2025/03/amazon-s3-reduces-pricing-object-tagging",
        lambda: tags_cost(USE1, 1_000_000),
        "0.65",
    ),
    # within the free 100 GB
    "a hundred gigabytes out": (PRICES + " Data transfer", lambda: transfer_out_cost(USE1, 100 * GB), "0.00"),
    # 100 GB had left before: 312 x 0.09 of a 412 GB laptop if 100 were free; all 412 here
    "a whole laptop out, after the free gigabytes": (
        PRICES + " Data transfer",
        lambda: transfer_out_cost(USE1, 412 * GB, 100 * GB),
        "37.08",
    ),
    # 1,024 x 0.01 + 41,944 x 0.05 / 1,000 = 10.24 + 2.0972; the copy for 10 of 30 days 1,024 x 0.023 / 3 = 7.8507
    "a terabyte thawed from Glacier, Standard, for ten days": (
        PRICES + " Data retrievals; " + GUIDE + "restoring-objects",
        lambda: thaw_cost(USE1, "GLACIER", ThawTier.STANDARD, Tally(41_944, TB), 10),
        "20.19",
    ),
    # nothing by GB and object; the copy for 30 days 1,024 x 0.023
    "a terabyte thawed from Glacier, Bulk, for a month": (
        PRICES + " Data retrievals",
        lambda: thaw_cost(USE1, "GLACIER", ThawTier.BULK, Tally(41_944, TB), 30),
        "23.55",
    ),
    # 1,024 x 0.0025 + 5,243 x 0.025 / 1,000 = 2.56 + 0.1311; the copy for 15 days 1,024 x 0.023 / 2 = 11.776
    "a terabyte thawed from Deep Archive, Bulk, for 15 days": (
        PRICES + " Data retrievals",
        lambda: thaw_cost(USE1, "DEEP_ARCHIVE", ThawTier.BULK, Tally(5_243, TB), 15),
        "14.47",
    ),
    # 412 x 0.005
    "412 GB in Glacier Instant Retrieval in Frankfurt": (
        PRICES + " Storage",
        lambda: whole("GLACIER_IR", 412 * GB, 16_876, EUC1),
        "2.06",
    ),
    # 200 x 0.036 + 1,024 x 12 / 1,000 = 7.20 + 12.288; the copy for 3 of 30 days 200 x 0.0245 / 10 = 0.49
    "200 GB thawed from Glacier, Expedited, for three days, in Frankfurt": (
        PRICES + " Data retrievals",
        lambda: thaw_cost(EUC1, "GLACIER", ThawTier.EXPEDITED, Tally(1_024, 200 * GB), 3),
        "19.98",
    ),
    # 1,024 x 0.024 + 5,243 x 0.12 / 1,000 = 24.576 + 0.6292; the copy for 15 days 1,024 x 0.0245 / 2 = 12.544
    "a terabyte thawed from Deep Archive, Standard, for 15 days, in Frankfurt": (
        PRICES + " Data retrievals",
        lambda: thaw_cost(EUC1, "DEEP_ARCHIVE", ThawTier.STANDARD, Tally(5_243, TB), 15),
        "37.75",
    ),
    # 1,024 x 0.01 + 41,944 x 0.055 / 1,000 = 10.24 + 2.3069; the copy for 10 days 1,024 x 0.023 / 3 = 7.8507
    "a terabyte thawed from Glacier, Standard, for ten days, in Ireland": (
        PRICES + " Data retrievals",
        lambda: thaw_cost(EUW1, "GLACIER", ThawTier.STANDARD, Tally(41_944, TB), 10),
        "20.40",
    ),
    # 60 TB = 61,440 GB: 51,200 x 0.0245 + 10,240 x 0.0235
    "60 TB in Standard in Frankfurt": (
        PRICES + " Storage",
        lambda: whole("STANDARD", 60 * TB, table=EUC1),
        "1495.04",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_worked_by_hand_agrees_to_the_cent(name: str) -> None:
    source, cost, expected = EXAMPLES[name]
    assert source.startswith(("https://aws.amazon.com", GUIDE))
    assert str(cost().quantize(Decimal("0.01"), ROUND_HALF_UP)) == expected


def test_a_small_object_is_billed_as_128_kb_in_the_classes_with_a_minimum() -> None:
    sizes = {name: billed_object_bytes(name, 1) for name in PRICED_CLASSES}
    assert {name for name, size in sizes.items() if size == 128 * KB} == {"STANDARD_IA", "GLACIER_IR"}
    assert billed_object_bytes("GLACIER_IR", 128 * KB + 1) == 128 * KB + 1


def test_deep_archive_has_no_expedited_retrieval() -> None:
    with pytest.raises(ValueError, match="Expedited"):
        thaw_cost(USE1, "DEEP_ARCHIVE", ThawTier.EXPEDITED, Tally(1, GB), 1)


@pytest.mark.parametrize("table", [EUC1, EUW1, USW2], ids=lambda table: table.region)
def test_a_table_says_which_prices_of_thaws_are_bounds_or_taken_from_elsewhere(table: PriceTable) -> None:
    """``ops prices refresh`` brings AWS's own."""
    assert "thaw-request/DEEP_ARCHIVE/" in table.source
    for tier in (ThawTier.BULK, ThawTier.STANDARD):
        assert thaw_cost(table, "DEEP_ARCHIVE", tier, Tally(1, GB), 3) > 0
    bulk, standard = (table.first(f"thaw-request/DEEP_ARCHIVE/{tier}") for tier in ("Bulk", "Standard"))
    assert bulk <= standard


def test_a_price_that_is_not_known_is_never_taken_for_nothing() -> None:
    with pytest.raises(PriceUnknown, match="storage/ONEZONE_IA"):
        storage_cost(USE1, "ONEZONE_IA", Decimal(1))


# ---------------------------------------------------------------- properties

tables = st.sampled_from([USE1, EUC1, EUW1, USW2])
classes = st.sampled_from(PRICED_CLASSES)
sizes = st.integers(0, 2**52)
counts = st.integers(0, 10**7)
tallies = st.builds(Tally, counts, sizes)
CLOSE = Decimal("1e-12")


def priced(table: PriceTable, storage_class: str, tally: Tally, days: int) -> dict[str, Decimal]:
    thaws = {
        tier.value: thaw_cost(table, storage_class, tier, tally, days)
        for tier in THAW_HOURS.get(storage_class, {})
        if table.knows(f"thaw/{storage_class}/{tier.value}", f"thaw-request/{storage_class}/{tier.value}")
    }
    return {
        "month": sum(month_of_storage(table, {storage_class: tally}).values(), Decimal(0)),
        "early": early_deletion_cost(table, storage_class, tally, days),
        "put": put_cost(table, storage_class, tally.count),
        "get": get_cost(table, storage_class, tally.count),
        "read": read_cost(table, storage_class, tally.size_bytes),
        "tags": tags_cost(table, tally.count),
        "out": transfer_out_cost(table, tally.size_bytes),
        **thaws,
    }


@given(tables, classes, tallies, st.integers(0, 400))
def test_nothing_ever_costs_less_than_nothing(
    table: PriceTable, storage_class: str, tally: Tally, days: int
) -> None:
    assert min(priced(table, storage_class, tally, days).values()) >= 0


@given(tables, classes, tallies, tallies, st.integers(0, 400))
def test_more_is_never_cheaper(
    table: PriceTable, storage_class: str, tally: Tally, more: Tally, days: int
) -> None:
    less, all_of_it = (priced(table, storage_class, one, days) for one in (tally, tally + more))
    for name, cost in less.items():
        assert all_of_it[name] >= cost - CLOSE, name


@given(tables, st.dictionaries(classes, tallies))
def test_the_classes_add_up_to_the_whole(table: PriceTable, stored: dict[str, Tally]) -> None:
    billed = billed_in_all(stored)
    whole_cost = sum(month_of_storage(table, stored).values(), Decimal(0))
    by_class = [storage_cost(table, name, Decimal(size) / GB) for name, size in billed.items()]
    assert abs(sum(by_class, Decimal(0)) - whole_cost) <= CLOSE
    assert sum(billed.values()) >= sum(tally.size_bytes for tally in stored.values())


@given(tables, sizes, sizes)
def test_transfer_in_two_parts_costs_what_it_costs_at_once(table: PriceTable, one: int, other: int) -> None:
    parts = transfer_out_cost(table, one) + transfer_out_cost(table, other, already_bytes=one)
    assert abs(parts - transfer_out_cost(table, one + other)) <= CLOSE


@given(
    st.decimals(0, 10**6, places=6),
    st.dictionaries(st.text(max_size=4), st.decimals(0, 10**5, places=6), min_size=1, max_size=30),
)
def test_parts_in_cents_add_up_to_the_whole(total: Decimal, weights: dict[str, Decimal]) -> None:
    parts = shares_in_cents(total, weights)
    assert all(part >= 0 for part in parts.values())
    if any(weights.values()):
        assert sum(parts.values()) == total.quantize(Decimal("0.01"))
        whole_weight = sum(weights.values())
        for name, weight in weights.items():
            assert abs(parts[name] - total * weight / whole_weight) <= Decimal("0.02")


# ---------------------------------------------------------------- the tables


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_table_reads_back_and_has_what_a_report_needs(path: object) -> None:
    table = known(path.stem)  # type: ignore[attr-defined]
    assert table.region == path.stem  # type: ignore[attr-defined]
    assert read_price_table(json.loads(json.dumps(write_price_table(table)))) == table
    needed = [f"{what}/{name}" for what in ("storage", "put", "get") for name in PRICED_CLASSES]
    assert table.knows(*needed, "transfer-out", "tag-month", "read/GLACIER_IR", "transition/GLACIER_IR")


@pytest.mark.parametrize(
    "prices", [{"x": []}, {"x": [{"from": 1, "usd": "1"}]}, {"x": [{"from": 0, "usd": "-1"}]}]
)
def test_a_table_with_impossible_steps_is_refused(prices: object) -> None:
    with pytest.raises(ValueError, match="x"):
        read_price_table({"region": "r", "as_of": "2026-01-01", "source": "s", "prices": prices})


def test_a_document_that_is_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no price table"):
        read_price_table({"region": "r"})
