"""A bucket with a job of any size in it, whose listing is made while it is read: nothing of it is kept.

It answers in the place of boto3's S3 client, as far as the catalogue asks.
"""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from chalicelib.domain.backups.storage import DEFAULT_STORAGE_POLICY, STORAGE_TAG_KEY

BUCKET = "panicroom-bench"
PREFIX = "anna/system/"
STORED_AT = datetime(2026, 1, 1, tzinfo=timezone.utc)
SIZE_BYTES = 25 * 2**20
ETAG = "9dd4e461268c8034f5c8564e155c67a6"
KEYS_A_PAGE = 1000


class Names(Sequence[str]):
    """The file names of so many full sets, in S3's order: all volumes, then signatures, then manifests."""

    def __init__(self, sets: int, volumes_of_a_set: int) -> None:
        self.sets = sets
        self.volumes_of_a_set = volumes_of_a_set
        # By their names: 1, 10, 100, 101, ..., 2
        self._order = sorted(range(1, volumes_of_a_set + 1), key=lambda number: f"{number}.")

    def set_time(self, number: int) -> str:
        return f"{STORED_AT - timedelta(hours=self.sets - number):%Y%m%dT%H%M%SZ}"

    def __len__(self) -> int:
        return self.sets * (self.volumes_of_a_set + 2)

    def __getitem__(self, index: Any) -> Any:
        """One name; a slice would be as long as the bucket."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        volumes = self.sets * self.volumes_of_a_set
        if index < volumes:
            number, place = divmod(index, self.volumes_of_a_set)
            return f"data_duplicity-full.{self.set_time(number)}.vol{self._order[place]}.difftar.gpg"
        kind, number = divmod(index - volumes, self.sets)
        if kind == 0:
            return f"meta_duplicity-full-signatures.{self.set_time(number)}.sigtar.gpg"
        return f"meta_duplicity-full.{self.set_time(number)}.manifest.gpg"


class GeneratedBucket:
    """Every key has one version, of the same bytes."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self.calls: Counter[str] = Counter()

    def get_paginator(self, operation: str) -> GeneratedBucket:
        assert operation == "list_object_versions"
        return self

    def paginate(self, *, Bucket: str, Prefix: str, KeyMarker: str = "") -> Iterator[dict[str, Any]]:
        while True:
            answer = self.list_object_versions(Prefix, KeyMarker)
            yield answer
            if not answer["IsTruncated"]:
                return
            KeyMarker = answer["Versions"][-1]["Key"]

    def list_object_versions(self, prefix: str, after: str) -> dict[str, Any]:
        """One page."""
        self.calls["list_object_versions"] += 1
        start = bisect.bisect_left(self._names, prefix.removeprefix(PREFIX))
        if after:
            start = max(start, bisect.bisect_right(self._names, after.removeprefix(PREFIX)))
        page = itertools.islice(self._keys_from(start), KEYS_A_PAGE)
        keys = list(itertools.takewhile(lambda key: key.startswith(prefix), page))
        versions = [{"Key": key, "IsLatest": True, "LastModified": STORED_AT, **_VERSION} for key in keys]
        return {"Versions": versions, "IsTruncated": len(keys) == KEYS_A_PAGE}

    def _keys_from(self, start: int) -> Iterator[str]:
        return (PREFIX + self._names[index] for index in range(start, len(self._names)))

    def head_object(self, *, Bucket: str, Key: str, ChecksumMode: str) -> dict[str, Any]:
        self.calls["head_object"] += 1
        promise = {"volumes": str(self._names.volumes_of_a_set)} if "manifest" in Key else {}
        return {
            "ContentLength": SIZE_BYTES,
            "ETag": f'"{ETAG}"',
            "LastModified": STORED_AT,
            "VersionId": "v1",
            "Metadata": promise,
        }

    def get_object_tagging(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self.calls["get_object_tagging"] += 1
        is_volume = Key.startswith(f"{PREFIX}data_")
        value = DEFAULT_STORAGE_POLICY.tag_value
        return {"TagSet": [{"Key": STORAGE_TAG_KEY, "Value": value}] if is_volume else []}


_VERSION = {"Size": SIZE_BYTES, "ETag": f'"{ETAG}"', "StorageClass": "STANDARD", "VersionId": "v1"}
