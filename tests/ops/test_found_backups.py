"""What is in a bucket is counted before it is adopted, against moto's S3."""

from __future__ import annotations

from typing import Any

import pytest

from ops.buckets.found_backups import backups_to_adopt
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
        "Not managed by the service, and left as they are: 1 backup file with short names (--short-filenames).",
    ]


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
