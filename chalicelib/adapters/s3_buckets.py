"""S3: what a key holds, what a prefix lists, presigned URLs, and delete markers."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.domain.names import Location
from chalicelib.domain.sets import StoredObject
from chalicelib.domain.uploads import SignedHeaders
from chalicelib.wire import ListedFile, UploadFile

VOLUMES_METADATA = "volumes"
"""``x-amz-meta-volumes`` on a manifest: how many volumes its set has."""

PARALLEL_HEADS = 8


class Buckets:
    """``client`` must sign by SigV4 with virtual addressing where AWS is meant (see ``wiring``)."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def head(self, bucket: str, key: str) -> StoredObject | None:
        """The key's present state; ``None`` if it is not there or its newest version is a delete marker."""
        try:
            answer = self._client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            # 405 is S3's answer to the HEAD of a delete marker by its version.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (404, 405):
                return None
            raise
        promised = answer.get("Metadata", {}).get(VOLUMES_METADATA, "")
        return StoredObject(
            size=answer["ContentLength"],
            etag=answer["ETag"].strip('"'),
            storage_class=answer.get("StorageClass", "STANDARD"),
            stored_at=answer["LastModified"],
            version_id=answer.get("VersionId"),
            sha256=_hex_digest(answer.get("ChecksumSHA256")),
            volumes_promised=int(promised) if promised.isascii() and promised.isdigit() else None,
        )

    def heads(self, bucket: str, keys: Sequence[str]) -> dict[str, StoredObject | None]:
        """``head`` of many keys side by side."""
        if len(keys) <= 1:
            return {key: self.head(bucket, key) for key in keys}
        with ThreadPoolExecutor(min(PARALLEL_HEADS, len(keys))) as pool:
            return dict(zip(keys, pool.map(lambda key: self.head(bucket, key), keys), strict=True))

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

    def bytes_of_all_versions(self, bucket: str, prefix: str) -> int:
        """What is billed under a prefix: noncurrent versions too, which a plain listing does not show."""
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        return sum(version["Size"] for page in pages for version in page.get("Versions", []))

    def presign_put(
        self, location: Location, upload: UploadFile, headers: SignedHeaders, life: timedelta
    ) -> tuple[str, dict[str, str]]:
        """A URL for one PUT of exactly these bytes to a key that does not exist, and the headers to send.

        The headers are part of the signature: S3 refuses the PUT if one is missing or different.
        """
        checksum = base64.b64encode(bytes.fromhex(upload.sha256)).decode()
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
        if headers.volumes_promised is not None:
            promised = str(headers.volumes_promised)
            parameters["Metadata"] = {VOLUMES_METADATA: promised}
            sent[f"x-amz-meta-{VOLUMES_METADATA}"] = promised
        url = self._client.generate_presigned_url(
            "put_object", Params=parameters, ExpiresIn=int(life.total_seconds())
        )
        return url, sent

    def presign_get(self, location: Location, name: str, life: timedelta) -> str:
        url: str = self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": location.bucket, "Key": location.key(name)},
            ExpiresIn=int(life.total_seconds()),
        )
        return url

    def mark_deleted(self, bucket: str, key: str) -> None:
        """Writes a delete marker: the version stays, as the bucket is versioned."""
        self._client.delete_object(Bucket=bucket, Key=key)


def _hex_digest(checksum: str | None) -> str | None:
    # A multipart object's checksum is one of checksums, "…-3": no digest of the bytes.
    if checksum is None or "-" in checksum:
        return None
    return base64.b64decode(checksum).hex()
