"""S3: what a key holds, what a prefix lists, presigned URLs, and delete markers."""

from __future__ import annotations

import base64
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from chalicelib.adapters.s3_listing import list_names
from chalicelib.domain.backups.names import Location
from chalicelib.domain.backups.objects import RestoreState, StoredObject
from chalicelib.domain.backups.storage import STORAGE_TAG_KEY
from chalicelib.domain.backups.tallies import Tallies, Tally, add_tallies, total_bytes
from chalicelib.domain.backups.uploads import SignedHeaders, size_of_part
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ErrorCode, ListedFile, MultipartRequest, UploadFile

VOLUMES_METADATA = "volumes"
"""``x-amz-meta-volumes`` on a manifest: how many volumes its set has."""

PROOF_METADATA = "proof"
"""``x-amz-meta-proof`` on a manifest: the client's proof that it made the set."""

PARALLEL_REQUESTS = 8

_NOT_WHOLE = (
    "NoSuchUpload",
    "InvalidPart",
    "InvalidPartOrder",
    "EntityTooSmall",
    "InvalidRequest",
    "BadDigest",
)
"""What S3 answers to a completion that does not fit what was uploaded."""

Work = TypeVar("Work")
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class KeyState:
    """What S3 holds under a key: ``stored`` unless it is deleted, and the older versions.

    ``changed_at`` is S3's time of the newest version or delete marker.
    """

    stored: StoredObject | None
    noncurrent: Tallies
    changed_at: datetime | None = None


class Buckets:
    """``client`` must sign by SigV4 with virtual addressing where AWS is meant (see ``wiring``)."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def exists(self, bucket: str) -> bool:
        """False where nobody has a bucket of that name. By the right to list versions alone."""
        try:
            self._client.list_object_versions(Bucket=bucket, MaxKeys=1)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                return False
            raise
        return True

    def head(self, bucket: str, key: str) -> StoredObject | None:
        """The key's present state; ``None`` if it is not there or its newest version is a delete marker."""
        try:
            answer = self._client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            # 405 is S3's answer to the HEAD of a delete marker by its version.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (404, 405):
                return None
            raise
        metadata = answer.get("Metadata", {})
        promised = metadata.get(VOLUMES_METADATA, "")
        return StoredObject(
            size=answer["ContentLength"],
            etag=answer["ETag"].strip('"'),
            storage_class=answer.get("StorageClass", "STANDARD"),
            stored_at=answer["LastModified"],
            version_id=answer.get("VersionId"),
            sha256=_hex_digest(answer.get("ChecksumSHA256")),
            volumes_promised=int(promised) if promised.isascii() and promised.isdigit() else None,
            proof=metadata.get(PROOF_METADATA),
            restore=_restore_state(answer.get("Restore", "")),
        )

    def heads(self, bucket: str, keys: Sequence[str]) -> dict[str, StoredObject | None]:
        """``head`` of many keys side by side."""
        return dict(zip(keys, side_by_side(lambda key: self.head(bucket, key), keys), strict=True))

    def listed(self, location: Location, names: Iterable[str]) -> dict[str, StoredObject | None]:
        """What a listing says of many names, ``None`` where nothing is stored; names too far apart are left out."""
        return list_names(self._client, location, names)

    def states(self, bucket: str, keys: Sequence[str]) -> dict[str, KeyState]:
        """What S3 holds of each key, older versions included; one LIST a key, side by side."""
        return dict(zip(keys, side_by_side(lambda key: self._state(bucket, key), keys), strict=True))

    def _state(self, bucket: str, key: str) -> KeyState:
        # Keys come in order: the key's own versions are the first of all that begin with it.
        found = itertools.takewhile(lambda pair: pair[0] == key, self.list_states(bucket, key))
        return next((state for _, state in found), KeyState(None, {}))

    def list_states(self, bucket: str, prefix: str, *, after: str = "") -> Iterator[tuple[str, KeyState]]:
        """``(key, state)`` of all keys with any version or delete marker, by key, from the one behind ``after``."""
        arguments: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
        if after:
            arguments["KeyMarker"] = after
        pages = self._client.get_paginator("list_object_versions").paginate(**arguments)
        versions = itertools.chain.from_iterable(map(versions_in_order, pages))
        for key, group in itertools.groupby(versions, key=lambda version: str(version["Key"])):
            # S3 goes on behind a key marker; stand-ins begin with its older versions.
            if key > after:
                yield key, _state_of(group)

    def list_folders(self, bucket: str, prefix: str) -> Iterator[str]:
        """Names of the folders right below ``prefix``, also where only old versions or delete markers are left."""
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix=prefix, Delimiter="/"
        )
        for found in itertools.chain.from_iterable(page.get("CommonPrefixes", ()) for page in pages):
            yield str(found["Prefix"]).removeprefix(prefix).removesuffix("/")

    def list_page(
        self, location: Location, *, after: str = "", name_prefix: str = ""
    ) -> tuple[list[ListedFile], bool]:
        """Up to 1,000 files by name, from the one behind ``after``; whether there are more."""
        arguments: dict[str, Any] = {"Bucket": location.bucket, "Prefix": location.key(name_prefix)}
        if after:
            arguments["StartAfter"] = location.key(after)
        answer = self._client.list_objects_v2(**arguments)
        files = [
            ListedFile(
                name=item["Key"].removeprefix(location.prefix),
                size=item["Size"],
                etag=item["ETag"].strip('"'),
                stored_at=item["LastModified"].strftime("%Y-%m-%dT%H:%M:%SZ"),
                storage_class=item.get("StorageClass", "STANDARD"),
            )
            for item in answer.get("Contents", [])
        ]
        return files, answer["IsTruncated"]

    def list_files(self, location: Location, name_prefix: str = "") -> Iterator[ListedFile]:
        after, more = "", True
        while more:
            files, more = self.list_page(location, after=after, name_prefix=name_prefix)
            yield from files
            after = files[-1].name if files else ""

    def with_promise(self, bucket: str, key: str, state: KeyState) -> KeyState:
        """A manifest's state with the number of volumes it promises and its proof, which only a HEAD returns."""
        found = self.head(bucket, key) if state.stored else None
        return dataclasses.replace(state, stored=found) if found else state

    def storage_tags(self, bucket: str, keys: Sequence[str]) -> dict[str, str | None]:
        """The tag that names the storage policy, side by side; empty without one, ``None`` if it cannot be read."""
        return dict(zip(keys, side_by_side(lambda key: self._storage_tag(bucket, key), keys), strict=True))

    def _storage_tag(self, bucket: str, key: str) -> str | None:
        try:
            tags = self._client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        except ClientError as error:
            # 405 is S3's answer where the newest version is a delete marker, 403 that of a bucket that was there before
            # and does not let the service ask: a tag is worth a finding, not the loss of an event.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404, 405):
                return None
            raise
        return next((str(tag["Value"]) for tag in tags if tag["Key"] == STORAGE_TAG_KEY), "")

    def bytes_of_all_versions(self, bucket: str, prefix: str) -> int:
        """What is billed under a prefix: noncurrent versions too, which a plain listing does not show."""
        return sum(
            total_bytes(state.noncurrent) + (state.stored.size if state.stored else 0)
            for _, state in self.list_states(bucket, prefix)
        )

    def presign_put(
        self, location: Location, upload: UploadFile, headers: SignedHeaders, life: timedelta
    ) -> tuple[str, dict[str, str]]:
        """A URL for one PUT of exactly these bytes to a key that does not exist, and the headers to send.

        The headers are part of the signature: S3 refuses the PUT if one is missing or different.
        """
        checksum = _base64_digest(upload.sha256)
        parameters: dict[str, Any] = {
            "Bucket": location.bucket,
            "Key": location.key(upload.name),
            "ContentLength": upload.size,
            "ChecksumSHA256": checksum,
            "IfNoneMatch": "*",
            "StorageClass": headers.storage_class,
        }
        sent = {
            "content-length": str(upload.size),
            "x-amz-checksum-sha256": checksum,
            "if-none-match": "*",
            "x-amz-storage-class": headers.storage_class,
        }
        if headers.tagging is not None:
            parameters["Tagging"] = sent["x-amz-tagging"] = headers.tagging
        metadata = _metadata_of(headers)
        if metadata:
            parameters["Metadata"] = metadata
            sent |= {f"x-amz-meta-{name}": value for name, value in metadata.items()}
        url = self._client.generate_presigned_url(
            "put_object", Params=parameters, ExpiresIn=int(life.total_seconds())
        )
        return url, sent

    def begin_multipart(self, location: Location, name: str, headers: SignedHeaders) -> str:
        """The id of a new upload in parts. One that nobody completes is cleared away by the bucket's rule."""
        answer = self._client.create_multipart_upload(
            Bucket=location.bucket,
            Key=location.key(name),
            ChecksumAlgorithm="SHA256",
            StorageClass=headers.storage_class,
        )
        return str(answer["UploadId"])

    def presign_part(
        self, location: Location, request: MultipartRequest, number: int, life: timedelta
    ) -> tuple[str, dict[str, str]]:
        """A URL for one PUT of exactly these bytes as a part of ``request.upload``, and the headers to send."""
        size, checksum = size_of_part(request, number), _base64_digest(request.part_sha256[number - 1])
        url = self._client.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": location.bucket,
                "Key": location.key(request.name),
                "UploadId": request.upload,
                "PartNumber": number,
                "ContentLength": size,
                "ChecksumSHA256": checksum,
            },
            ExpiresIn=int(life.total_seconds()),
        )
        return url, {"content-length": str(size), "x-amz-checksum-sha256": checksum}

    def complete_multipart(self, location: Location, request: MultipartRequest) -> str:
        """Makes a new object of the parts; its ETag. Raises ``Refusal`` where S3 does not have them, or the key."""
        parts = [
            {"PartNumber": number, "ETag": f'"{etag}"', "ChecksumSHA256": _base64_digest(sha256)}
            for number, (etag, sha256) in enumerate(
                zip(request.etags or (), request.part_sha256, strict=True), start=1
            )
        ]
        try:
            answer = self._client.complete_multipart_upload(
                Bucket=location.bucket,
                Key=location.key(request.name),
                UploadId=request.upload,
                MultipartUpload={"Parts": parts},
                IfNoneMatch="*",
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise Refusal(ErrorCode.TRY_AGAIN, "This file is stored already. Ask again.") from None
            if code in _NOT_WHOLE:
                raise Refusal(
                    ErrorCode.NOT_FOUND,
                    "S3 does not have this upload, or not all of its parts. Begin a new one.",
                ) from None
            raise
        return str(answer["ETag"]).strip('"')

    def presign_get(
        self, location: Location, name: str, life: timedelta, *, with_checksum: bool = False
    ) -> tuple[str, dict[str, str]]:
        """A URL for GETs, and the headers to send. ``with_checksum``: S3 answers with the file's checksum as well."""
        parameters = {"Bucket": location.bucket, "Key": location.key(name)}
        sent = {}
        if with_checksum:
            parameters["ChecksumMode"] = sent["x-amz-checksum-mode"] = "ENABLED"
        url: str = self._client.generate_presigned_url(
            "get_object", Params=parameters, ExpiresIn=int(life.total_seconds())
        )
        return url, sent

    def mark_deleted(self, bucket: str, key: str) -> None:
        """Writes a delete marker: the version stays, as the bucket is versioned."""
        self._client.delete_object(Bucket=bucket, Key=key)


def _metadata_of(headers: SignedHeaders) -> dict[str, str]:
    """What a manifest carries with it; nothing for other files."""
    metadata = {}
    if headers.volumes_promised is not None:
        metadata[VOLUMES_METADATA] = str(headers.volumes_promised)
    if headers.proof is not None:
        metadata[PROOF_METADATA] = headers.proof
    return metadata


def _restore_state(header: str) -> RestoreState | None:
    """Of ``x-amz-restore``: ``ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"``."""
    if not header:
        return None
    _, _, expiry = header.partition('expiry-date="')
    until = parsedate_to_datetime(expiry.rstrip('"')) if expiry else None
    return RestoreState('ongoing-request="true"' in header, until)


def _hex_digest(checksum: str | None) -> str | None:
    """S3's checksum in hex. A multipart object's is one of its parts' checksums and ends with their number."""
    if checksum is None:
        return None
    digest, hyphen, parts = checksum.partition("-")
    return base64.b64decode(digest).hex() + hyphen + parts


def _base64_digest(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def versions_in_order(page: dict[str, Any]) -> list[dict[str, Any]]:
    """A page's versions and delete markers by key; S3 lists the two apart."""
    together = page.get("Versions", []) + page.get("DeleteMarkers", [])
    return sorted(together, key=lambda version: str(version["Key"]).encode())


def _state_of(versions: Iterable[dict[str, Any]]) -> KeyState:
    stored: StoredObject | None = None
    noncurrent: Tallies = {}
    changed_at: datetime | None = None
    for version in versions:
        changed_at = max(changed_at or version["LastModified"], version["LastModified"])
        if "Size" not in version:
            continue  # a delete marker has no bytes
        storage_class = version.get("StorageClass", "STANDARD")
        if version["IsLatest"]:
            stored = StoredObject(
                size=version["Size"],
                etag=version["ETag"].strip('"'),
                storage_class=storage_class,
                stored_at=version["LastModified"],
                version_id=version["VersionId"],
            )
        else:
            noncurrent = add_tallies(noncurrent, {storage_class: Tally(1, version["Size"])})
    return KeyState(stored, noncurrent, changed_at)


def side_by_side(work: Callable[[Work], Result], keys: Sequence[Work]) -> list[Result]:
    if len(keys) <= 1:
        return [work(key) for key in keys]
    with ThreadPoolExecutor(min(PARALLEL_REQUESTS, len(keys))) as pool:
        return list(pool.map(work, keys))
