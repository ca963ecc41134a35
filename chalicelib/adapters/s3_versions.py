"""S3's versions of a job's files: which there are, our tag on them, delete markers, and the locks on them.

Nothing here deletes a version: a marker hides what it stands on, and the bucket's own rule removes that later.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.adapters.s3_buckets import side_by_side, versions_in_order
from chalicelib.domain.backups.names import Location
from chalicelib.domain.backups.storage import LET_GO_TAG_KEY, LET_GO_TAG_VALUE

MOST_A_REQUEST = 1000
"""Keys that S3 takes in one DeleteObjects."""

_GONE = (404, 405)


class RefusedByS3(Exception):
    """S3 did not tag or mark what it was asked to; the message has its reason, the first of many."""


@dataclasses.dataclass(frozen=True)
class FileVersions:
    """``versions`` are the ids of all that is stored of a file, ``is_marked`` whether a delete marker hides it."""

    name: str
    versions: tuple[str, ...]
    is_marked: bool


@dataclasses.dataclass(frozen=True)
class VersionLock:
    """Until when S3 lets nobody delete a version; in ``GOVERNANCE`` mode those with a special right excepted."""

    mode: str
    until: datetime


class VersionStore:
    def __init__(self, client: Any) -> None:
        self._client = client

    def files(self, location: Location, name_prefix: str = "") -> Iterator[FileVersions]:
        """All files with any version, by name; those of which only a marker is left as well."""
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=location.bucket, Prefix=location.key(name_prefix)
        )
        found = itertools.chain.from_iterable(map(versions_in_order, pages))
        for key, group in itertools.groupby(found, key=lambda version: str(version["Key"])):
            of_key = list(group)
            yield FileVersions(
                key.removeprefix(location.prefix),
                tuple(one["VersionId"] for one in of_key if "Size" in one),
                any(one["IsLatest"] and "Size" not in one for one in of_key),
            )

    # ------------------------------------------------------------ letting go

    def tag(self, location: Location, files: Sequence[FileVersions]) -> None:
        """Puts our tag on every version, beside the tags that it has; side by side. Raises ``RefusedByS3``."""
        versions = [(location.key(file.name), version) for file in files for version in file.versions]
        side_by_side(lambda one: self._tag(location.bucket, *one), versions)

    def _tag(self, bucket: str, key: str, version: str) -> None:
        where = {"Bucket": bucket, "Key": key, "VersionId": version}
        try:
            tags = self._client.get_object_tagging(**where)["TagSet"]
            if not any(tag["Key"] == LET_GO_TAG_KEY and tag["Value"] == LET_GO_TAG_VALUE for tag in tags):
                others = [tag for tag in tags if tag["Key"] != LET_GO_TAG_KEY]
                ours = {"Key": LET_GO_TAG_KEY, "Value": LET_GO_TAG_VALUE}
                self._client.put_object_tagging(**where, Tagging={"TagSet": [*others, ours]})
        except ClientError as error:
            # A version that has gone meanwhile needs no tag any more.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in _GONE:
                raise RefusedByS3(f"{key}: {error}") from error

    def mark_deleted(self, location: Location, names: Sequence[str]) -> None:
        """Writes a delete marker on each, ``MOST_A_REQUEST`` names at most. Raises ``RefusedByS3``, where some of them
        may be marked."""
        if not names:
            return
        wanted = {"Objects": [{"Key": location.key(name)} for name in names], "Quiet": True}
        try:
            errors = self._client.delete_objects(Bucket=location.bucket, Delete=wanted).get("Errors", [])
        except ClientError as error:
            raise RefusedByS3(str(error)) from error
        if errors:
            first = errors[0]
            raise RefusedByS3(
                f"{len(errors)} files, first {first['Key']}: {first['Code']} {first['Message']}"
            )

    # ------------------------------------------------------------ locks

    def default_lock(self, bucket: str) -> timedelta | None:
        """For how long the bucket locks what is stored in it; ``None`` where it does not, or may not be asked."""
        try:
            answer = self._client.get_object_lock_configuration(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ObjectLockConfigurationNotFoundError", "AccessDenied"):
                return None
            raise
        retention = answer["ObjectLockConfiguration"].get("Rule", {}).get("DefaultRetention", {})
        days = retention.get("Days") or 365 * retention.get("Years", 0)
        return timedelta(days=days) if days else None

    def locks(
        self, location: Location, versions: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], VersionLock]:
        """The locks of these ``(file name, version)``, side by side, lapsed ones too; those without one are left
        out."""
        found = side_by_side(lambda one: self._lock(location.bucket, location.key(one[0]), one[1]), versions)
        return {one: lock for one, lock in zip(versions, found, strict=True) if lock is not None}

    def _lock(self, bucket: str, key: str, version: str) -> VersionLock | None:
        try:
            answer = self._client.get_object_retention(Bucket=bucket, Key=key, VersionId=version)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (400, *_GONE):
                return None
            raise
        found = answer.get("Retention", {})
        return VersionLock(found["Mode"], found["RetainUntilDate"]) if found.get("RetainUntilDate") else None

    def extend_lock(self, location: Location, name: str, version: str, lock: VersionLock) -> None:
        """S3 refuses to shorten a lock; raises ``ClientError``."""
        self._client.put_object_retention(
            Bucket=location.bucket,
            Key=location.key(name),
            VersionId=version,
            Retention={"Mode": lock.mode, "RetainUntilDate": lock.until},
        )
