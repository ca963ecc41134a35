"""Reads a bucket's settings from S3. What may not be read is returned as such: the audit must report it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.domain.audit.bucket_settings import BucketSettings, UnfinishedUpload
from chalicelib.domain.audit.notifications import receivers_of

MOST_UPLOADS = 1000
"""Unfinished uploads whose parts are counted; a request each."""

EVERYBODY = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)


class SettingsReader:
    def __init__(self, client: Any) -> None:
        self._client = client

    def read_versioning(self, bucket: str) -> BucketSettings:
        """What decides whether a delete marker can be taken back: versioning, and the lifecycle rules. Raises
        ``ClientError``."""
        rules = tuple(self._lifecycle(bucket)["Rules"])
        return BucketSettings(bucket, keeps_versions=self._keeps_versions(bucket), lifecycle=rules)

    def read(self, bucket: str, *, uploads: bool = True) -> BucketSettings:
        """One request a setting; each may fail by itself. ``uploads``: whether unfinished ones are read."""
        unreadable: dict[str, str] = {}

        def ask(what: str, call: Callable[[], Any]) -> Any:
            try:
                return call()
            except ClientError as error:
                unreadable[what] = str(error)
                return None

        lifecycle = ask("lifecycle rules", lambda: self._lifecycle(bucket))
        receivers = ask(
            "notifications", lambda: self._client.get_bucket_notification_configuration(Bucket=bucket)
        )
        blocked = ask("public access block", lambda: self._blocks_public_access(bucket))
        return BucketSettings(
            bucket,
            region=ask("region", lambda: self._region(bucket)),
            keeps_versions=ask("versioning", lambda: self._keeps_versions(bucket)),
            blocks_public_access=blocked,
            is_public=None if blocked else ask("access", lambda: self._is_public(bucket)),
            encrypts=ask("encryption", lambda: self._encrypts(bucket)),
            receivers=receivers_of(receivers) if receivers is not None else None,
            lifecycle=tuple(lifecycle["Rules"]) if lifecycle is not None else None,
            smallest_moved=(lifecycle or {}).get(
                "TransitionDefaultMinimumObjectSize", "all_storage_classes_128K"
            ),
            archive_tiers=ask("archive tiers", lambda: self._archive_tiers(bucket)),
            uploads=ask("unfinished uploads", lambda: tuple(self._uploads(bucket))) if uploads else None,
            unreadable=unreadable,
        )

    def _lifecycle(self, bucket: str) -> dict[str, Any]:
        with _AbsentIf("NoSuchLifecycleConfiguration"):
            answer: dict[str, Any] = self._client.get_bucket_lifecycle_configuration(Bucket=bucket)
            return answer
        return {"Rules": []}

    def _region(self, bucket: str) -> str:
        # us-east-1 comes as nothing, eu-west-1 sometimes by its old name.
        region = self._client.get_bucket_location(Bucket=bucket).get("LocationConstraint")
        return {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}.get(region) or str(region)

    def _keeps_versions(self, bucket: str) -> bool:
        return bool(self._client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled")

    def _blocks_public_access(self, bucket: str) -> bool:
        with _AbsentIf("NoSuchPublicAccessBlockConfiguration"):
            blocks = self._client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
            names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
            return all(blocks.get(name) for name in names)
        return False

    def _is_public(self, bucket: str) -> bool:
        grants = self._client.get_bucket_acl(Bucket=bucket).get("Grants", [])
        if any(grant.get("Grantee", {}).get("URI") in EVERYBODY for grant in grants):
            return True
        with _AbsentIf("NoSuchBucketPolicy"):
            return bool(self._client.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"].get("IsPublic"))
        return False

    def _encrypts(self, bucket: str) -> bool:
        with _AbsentIf("ServerSideEncryptionConfigurationNotFoundError"):
            answer = self._client.get_bucket_encryption(Bucket=bucket)
            return bool(answer["ServerSideEncryptionConfiguration"]["Rules"])
        return False

    def _archive_tiers(self, bucket: str) -> dict[str, int]:
        found: dict[str, int] = {}
        after: dict[str, str] | None = {}
        while after is not None:
            answer = self._client.list_bucket_intelligent_tiering_configurations(Bucket=bucket, **after)
            for one in answer.get("IntelligentTieringConfigurationList", []):
                if one["Status"] == "Enabled":
                    found[one["Id"]] = min(tier["Days"] for tier in one["Tierings"])
            token = answer.get("NextContinuationToken")
            after = {"ContinuationToken": token} if token else None
        return found

    def _uploads(self, bucket: str) -> Iterator[UnfinishedUpload]:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
        found = (upload for page in pages for upload in page.get("Uploads", []))
        for _, upload in zip(range(MOST_UPLOADS), found, strict=False):
            key, id_ = upload["Key"], upload["UploadId"]
            parts = self._client.get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=id_)
            size = sum(part["Size"] for page in parts for part in page.get("Parts", []))
            yield UnfinishedUpload(key, id_, upload["Initiated"], size)


class _AbsentIf:
    """Ends the block at an error with this code; what follows the block says what the absence means.

    A class, because a type checker believes of a generator that it passes every error on.
    """

    def __init__(self, code: str) -> None:
        self._code = code

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, *_: object) -> bool:
        return isinstance(error, ClientError) and error.response["Error"]["Code"] == self._code
