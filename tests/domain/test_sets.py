"""What object rows add up to."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.backups.names import SetId, manifest_file, signatures_file, volume_file
from chalicelib.domain.backups.objects import ObjectRow, StoredObject, is_newer
from chalicelib.domain.backups.sets import BackupSet, apply_changes, newest_whole
from chalicelib.domain.ranges import format_gaps, format_ranges, parse_ranges

T0 = datetime(2026, 11, 1, tzinfo=timezone.utc)
SET = SetId(None, T0)


def stored(size: int = 10, storage_class: str = "STANDARD", promised: int | None = None) -> StoredObject:
    return StoredObject(size, "etag", storage_class, T0, volumes_promised=promised)


def sealed(start: datetime | None, end: datetime, sealed_at: datetime = T0) -> BackupSet:
    return BackupSet(SetId(start, end), frozenset({1}), 1, has_signatures=True, sealed_at=sealed_at)


@given(st.sets(st.integers(1, 300)))
def test_ranges_are_read_back(numbers: set[int]) -> None:
    assert parse_ranges(format_ranges(numbers)) == numbers


def test_eight_thousand_volumes_take_six_characters() -> None:
    assert format_ranges(range(1, 8001)) == "1-8000"


NAMES = [
    *(volume_file(SET, number).name for number in (1, 2, 3)),
    signatures_file(SET).name,
    manifest_file(SET).name,
]
ROWS = st.builds(
    lambda name, size, there: ObjectRow(
        name, stored(size, promised=2 if "manifest" in name else None) if there else None
    ),
    st.sampled_from(NAMES),
    st.integers(1, 100),
    st.booleans(),
)


@given(st.lists(ROWS))
def test_a_set_is_what_its_last_rows_say_whatever_came_before(changes: list[ObjectRow]) -> None:
    rows: dict[str, ObjectRow] = {}
    lived = BackupSet(SET)
    for row in changes:
        lived = apply_changes(lived, rows, [row])
        rows[row.name] = row
    present = [row for row in rows.values() if row.stored is not None]
    fresh = apply_changes(BackupSet(SET), {}, present)
    assert (lived.volumes, lived.current, lived.sealed, lived.has_signatures) == (
        fresh.volumes,
        fresh.current,
        fresh.sealed,
        fresh.has_signatures,
    )
    assert lived.stored_bytes == sum(row.stored.size for row in present if row.stored)


@pytest.mark.parametrize(
    ("volumes", "promised", "gaps", "complete", "surplus"),
    [
        ({1, 2, 3}, 3, (), True, set()),
        ({1, 3}, 3, (2,), False, set()),
        ({1, 2}, 3, (3,), False, set()),
        ({1, 2, 3, 4}, 3, (), True, {4}),
        (set(), 1, (1,), False, set()),
        ({2, 4}, None, (1, 3), False, set()),
    ],
)
def test_gaps_are_counted_to_the_promised_number(
    volumes: set[int], promised: int | None, gaps: tuple[int, ...], complete: bool, surplus: set[int]
) -> None:
    backup_set = BackupSet(SET, frozenset(volumes), promised, sealed_at=T0)
    missing = tuple(number for gap in backup_set.gaps for number in gap)
    assert (missing, backup_set.complete, backup_set.surplus) == (gaps, complete, surplus)


@pytest.mark.parametrize(("volume", "promised"), [(99_999_999, None), (1, 10**15), (99_999_999, 10**15)])
def test_gaps_take_no_more_memory_the_larger_a_number_is(volume: int, promised: int | None) -> None:
    backup_set = BackupSet(SET, frozenset({volume}), promised, sealed_at=T0)
    assert len(backup_set.gaps) <= 2
    assert len(format_gaps(backup_set.gaps)) < 50


@pytest.mark.parametrize(
    ("sequencer", "known", "newer"),
    [
        ("0055AED6DCD90281E5", "0055AED6DCD90281E4", True),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E5", False),
        ("0A", "0A0", False),  # the shorter is padded on the right with 0
        ("0A1", "0A", True),
        ("0A", "0A1", False),
        ("", "0A", True),  # restores and transitions carry none: S3 is asked again
        ("0A", "", True),
    ],
)
def test_sequencers_order_the_events_of_a_key(sequencer: str, known: str, newer: bool) -> None:
    assert is_newer(sequencer, known) is newer


def test_the_newest_complete_set_is_the_one_s3_stored_last_whatever_its_name_says() -> None:
    dated_ahead = sealed(None, T0 + timedelta(days=3650), sealed_at=T0)
    later = sealed(None, T0, sealed_at=T0 + timedelta(days=1))
    assert newest_whole([dated_ahead, later]) == later
