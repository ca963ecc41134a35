"""What is in a bucket is counted before it is adopted, against moto's S3."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from ops.buckets.found_backups import backups_to_adopt, count_backups
from ops.errors import OpsError

SET = (
    "data_duplicity-full.20261101T040000Z.vol1.difftar.gpg",
    "meta_duplicity-full.20261101T040000Z.manifest.gpg",
    "meta_duplicity-full-signatures.20261101T040000Z.sigtar.gpg",
    "data_duplicity-inc.20261101T040000Z.to.20261128T040000Z.vol1.difftar.gpg",
    "meta_duplicity-inc.20261101T040000Z.to.20261128T040000Z.manifest.gpg",
)


def put(s3: Any, *keys: str) -> None:
    for key in keys:
        s3.put_object(Bucket="attic", Key=key, Body=b"x" * 1024)


def test_a_chain_that_can_be_continued_is_shown_with_its_dates_and_size(s3: Any) -> None:
    put(s3, *(f"laptop/{name}" for name in SET), "laptop/df.l8ph0.1.dt.g", "photos/beach.jpg")
    assert backups_to_adopt(s3, "attic", "laptop/") == [
        "Found 1 full and 1 incremental backups (2026-11-01 to 2026-11-28, 6 KB) in s3://attic/laptop/.",
        "  - full backup of 2026-11-01, 1 increment until 2026-11-28",
        "Not managed by the service, and left as they are: 1 backup file with short names (--short-filenames).",
    ]


def test_chains_are_shown_by_their_dates_the_newest_ones_by_name() -> None:
    def names(day: date, increments: int) -> list[str]:
        ends = [f"{day + timedelta(days=number):%Y%m%dT040000Z}" for number in range(increments + 1)]
        links = [f"inc.{start}.to.{end}" for start, end in pairwise(ends)]
        return [f"meta_duplicity-{one}.manifest.gpg" for one in (f"full.{ends[0]}", *links)]

    fulls = [date(2026, month, 1) for month in range(1, 13)]
    keys = [key for day in fulls for key in names(day, 3 if day.month == 12 else 0)]
    [found] = count_backups((key, 1) for key in keys).values()
    assert found.chains[:2] == [
        "full backup of 2026-12-01, 3 increments until 2026-12-04",
        "full backup of 2026-11-01",
    ]
    assert found.chains[-1] == "and 2 older chains"
    assert len(found.chains) == 11


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("duplicity-full.20261101T040000Z.vol1.difftar.gpg", "without the prefixes data_ and meta_"),
        ("df.l8ph0.1.dt.g", "with short names"),
        ("duplicity-full.2012-03-01T04_00_00Z.manifest.gpg", "with times in an old form"),
    ],
)
def test_a_chain_that_cannot_be_continued_is_refused_with_the_reason(s3: Any, name: str, reason: str) -> None:
    put(s3, f"laptop/{name}", "tidy/" + SET[0])
    for may_be_empty in (False, True):
        with pytest.raises(OpsError, match=reason):
            backups_to_adopt(s3, "attic", "laptop/", may_be_empty=may_be_empty)


@pytest.mark.parametrize("typed", ["laptop", "/laptop/", "Laptop/", "laptpo/", "nowhere/", ""])
def test_where_no_backup_is_the_prefix_that_was_probably_meant_is_named(s3: Any, typed: str) -> None:
    put(s3, *(f"laptop/{name}" for name in SET))
    with pytest.raises(OpsError, match=r"No backup was found in .* Did you mean --prefix laptop/\?"):
        backups_to_adopt(s3, "attic", typed)
    assert backups_to_adopt(s3, "attic", "new/", may_be_empty=True) == [
        "No backup was found in s3://attic/new/: the first one there will be a full backup."
    ]


def test_a_bucket_without_any_backup_may_be_taken(s3: Any) -> None:
    put(s3, "photos/beach.jpg")
    [line] = backups_to_adopt(s3, "attic", "laptop/")
    assert line.endswith("will be a full backup.")
