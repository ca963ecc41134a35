"""Bringing back files of a backup set that were deleted in a bucket that keeps versions."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from chalicelib.adapters.s3_buckets import side_by_side
from chalicelib.domain.backups.names import (
    METADATA_PREFIX,
    VOLUME_PREFIX,
    BackupFile,
    FileKind,
    Location,
    SetId,
    parse_file_name,
)


@dataclasses.dataclass(frozen=True)
class FileHistory:
    """A file's ``versions`` and ``markers`` as S3 lists them, the newest first."""

    name: str
    key: str
    versions: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    markers: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @property
    def is_marked(self) -> bool:
        return any(marker["IsLatest"] for marker in self.markers)

    @property
    def markers_on_top(self) -> Iterator[dict[str, Any]]:
        """A file that was marked twice has two of them over its newest version."""
        newest = self.versions[0]["LastModified"]
        return (marker for marker in self.markers if marker["LastModified"] >= newest)


def versions_of(s3: Any, location: Location, set_ids: Iterable[SetId]) -> list[FileHistory]:
    """Of every file of these sets, misplaced ones too, also where only a marker is left."""
    stems = {stem: set_id for set_id in set_ids for stem in _stems(set_id)}
    found = side_by_side(lambda stem: _below(s3, location, stem, stems[stem]), list(stems))
    return list(itertools.chain.from_iterable(found))


def _stems(set_id: SetId) -> list[str]:
    """What the names of the set's files begin with."""
    prefixes = (VOLUME_PREFIX, METADATA_PREFIX, "")
    signatures = [BackupFile(set_id, FileKind.SIGNATURES, prefix=prefix).stem for prefix in prefixes]
    return [*signatures, *(f"{prefix}duplicity-{set_id}." for prefix in prefixes)]


def _below(s3: Any, location: Location, stem: str, set_id: SetId) -> list[FileHistory]:
    def is_of_set(key: str) -> bool:
        file = parse_file_name(key.removeprefix(location.prefix))
        return file is not None and file.set_id == set_id

    return histories(s3, location, is_of_set, stem)


def histories(
    s3: Any, location: Location, is_wanted: Callable[[str], bool], stem: str = ""
) -> list[FileHistory]:
    """Of every key below the location whose name begins with ``stem``, as far as it is wanted."""
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=location.bucket, Prefix=location.key(stem)
    )
    files: dict[str, FileHistory] = {}
    for page in pages:
        for kind in ("Versions", "DeleteMarkers"):
            for one in page.get(kind, []):
                key = one["Key"]
                if is_wanted(key):
                    known = files.setdefault(key, FileHistory(key.removeprefix(location.prefix), key))
                    (known.versions if kind == "Versions" else known.markers).append(one)
    return list(files.values())


def bring_back(s3: Any, location: Location, set_id: SetId) -> list[str]:
    """Removes the delete markers over the set's files, so that the versions below them count again; returns the names.

    No version is removed. The files have the times that they had before.
    """
    found = []
    for file in versions_of(s3, location, [set_id]):
        for marker in file.markers:
            if marker["IsLatest"]:
                s3.delete_object(Bucket=location.bucket, Key=file.key, VersionId=marker["VersionId"])
                found.append(file.name)
    return sorted(found)
