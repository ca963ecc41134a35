"""Checks a bucket's settings: versions, access, encryption, region, events, and what is billed unseen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.audit.notifications import Receiver, check_events
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.backups.uploads import UNFINISHED_AFTER

NONCURRENT_SHARE = 0.1
NONCURRENT_WARNING_BYTES = 2**30
"""Old versions are a finding from a tenth of what is current on, and a warning from a gigabyte (two cents a month)."""

ALL_BLOCKED = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"


@dataclasses.dataclass(frozen=True)
class UnfinishedUpload:
    """A multipart upload that nobody has finished, with the bytes of its parts."""

    key: str
    id: str
    begun_at: datetime
    size_bytes: int


@dataclasses.dataclass(frozen=True)
class BucketSettings:
    """The bucket's own settings. ``None`` where one could not be read: ``unreadable`` then has the reason, by name."""

    bucket: str
    region: str | None = None
    keeps_versions: bool | None = None
    blocks_public_access: bool | None = None
    is_public: bool | None = None
    """By its policy or its access list, as far as nothing blocks it."""
    encrypts: bool | None = None
    receivers: tuple[Receiver, ...] | None = None
    lifecycle: tuple[Mapping[str, Any], ...] | None = None
    """Rules in S3's own form."""
    smallest_moved: str = "all_storage_classes_128K"
    """S3's ``TransitionDefaultMinimumObjectSize``."""
    archive_tiers: Mapping[str, int] | None = None
    """Days without access until Intelligent-Tiering archives an object, by each active configuration's name."""
    uploads: tuple[UnfinishedUpload, ...] | None = None
    unreadable: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a bucket of the service's has to have. ``prefixes`` are those of its jobs; an empty one is all of it."""

    region: str
    queue_arn: str
    prefixes: tuple[str, ...]

    @property
    def stage_prefix(self) -> str:
        """``panicroom-home``: how the names of what the stage has in AWS begin; its queue's among them."""
        return self.queue_arn.rpartition(":")[2].removesuffix("-events")


def check_settings(settings: BucketSettings, expected: Expected | None, now: datetime) -> list[Finding]:
    """``expected`` is ``None`` for a bucket that the service does not watch."""
    found = [
        *_unreadable(settings),
        *_versions(settings),
        *_access(settings),
        *_encryption(settings),
        *_uploads(settings, now),
    ]
    if expected is not None:
        found += _place(settings, expected)
        found += check_events(settings.bucket, settings.receivers, expected.queue_arn, expected.prefixes)
    return found


def check_noncurrent(bucket: str, current: Tally, noncurrent: Tally) -> list[Finding]:
    """``current`` and ``noncurrent``: all that the bucket holds, as far as anybody watches it."""
    if not noncurrent.size_bytes or noncurrent.size_bytes < current.size_bytes * NONCURRENT_SHARE:
        return []
    return [
        new_finding(
            "noncurrent_piling_up",
            subject=bucket,
            message=f"{noncurrent.count} older versions in {bucket} take {noncurrent.size_bytes} bytes, beside "
            f"{current.size_bytes} bytes that are current.",
            evidence=f"{noncurrent.count} versions, {noncurrent.size_bytes} bytes",
            commands=(command("aws", "s3api", "list-object-versions", "--bucket", bucket),),
            severity=None if noncurrent.size_bytes >= NONCURRENT_WARNING_BYTES else Severity.INFO,
        )
    ]


def _unreadable(settings: BucketSettings) -> list[Finding]:
    return [
        new_finding(
            "setting_unreadable",
            subject=f"{settings.bucket}/{what}",
            message=f"The {what} of {settings.bucket} could not be read, so it is not known to be right.",
            evidence=why,
        )
        for what, why in settings.unreadable.items()
    ]


def _versions(settings: BucketSettings) -> list[Finding]:
    if settings.keeps_versions is not False:
        return []
    words = ("aws", "s3api", "put-bucket-versioning", "--bucket", settings.bucket)
    return [
        new_finding(
            "versioning_off",
            subject=settings.bucket,
            message=f"{settings.bucket} keeps no versions: what is deleted or overwritten in it is gone for good.",
            evidence="GetBucketVersioning does not return Enabled",
            commands=(command(*words, "--versioning-configuration", "Status=Enabled"),),
        )
    ]


def _access(settings: BucketSettings) -> list[Finding]:
    words = ("aws", "s3api", "put-public-access-block", "--bucket", settings.bucket)
    block = command(*words, "--public-access-block-configuration", ALL_BLOCKED)
    if settings.is_public:
        return [
            new_finding(
                "public",
                subject=settings.bucket,
                message=f"Anybody can access {settings.bucket}: its policy or its access list allows it.",
                evidence="the policy's status is public, or the list grants to AllUsers or AuthenticatedUsers",
                commands=(block,),
            )
        ]
    if settings.blocks_public_access is not False:
        return []
    return [
        new_finding(
            "public_access_not_blocked",
            subject=settings.bucket,
            message=f"{settings.bucket} does not block public access: one careless policy would open it.",
            evidence="not all four of its public access blocks are on",
            commands=(block,),
        )
    ]


def _encryption(settings: BucketSettings) -> list[Finding]:
    if settings.encrypts is not False:
        return []
    words = ("aws", "s3api", "put-bucket-encryption", "--bucket", settings.bucket)
    rule = '{"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}'
    return [
        new_finding(
            "encryption_off",
            subject=settings.bucket,
            message=f"{settings.bucket} has no default encryption.",
            evidence="GetBucketEncryption knows no rule",
            commands=(command(*words, "--server-side-encryption-configuration", rule),),
        )
    ]


def _uploads(settings: BucketSettings, now: datetime) -> list[Finding]:
    stale = stale_uploads(settings, now)
    if not stale:
        return []
    size = sum(upload.size_bytes for upload in stale)
    oldest = min(upload.begun_at for upload in stale)
    words = ("aws", "s3api", "abort-multipart-upload", "--bucket", settings.bucket)
    aborts = [command(*words, "--key", upload.key, "--upload-id", upload.id) for upload in stale[:10]]
    return [
        new_finding(
            "uploads_piling_up",
            subject=settings.bucket,
            message=f"{len(stale)} uploads to {settings.bucket} were never finished; their parts take {size} bytes.",
            evidence=f"{len(stale)} uploads, {size} bytes, the oldest begun {oldest:%Y-%m-%d}",
            commands=("python -m ops audit --fix", *aborts),
        )
    ]


def stale_uploads(settings: BucketSettings, now: datetime) -> list[UnfinishedUpload]:
    return [upload for upload in settings.uploads or () if now - upload.begun_at > UNFINISHED_AFTER]


def _place(settings: BucketSettings, expected: Expected) -> list[Finding]:
    if settings.region is None or settings.region == expected.region:
        return []
    target = f"a bucket in {expected.region}"
    return [
        new_finding(
            "wrong_region",
            subject=settings.bucket,
            message=f"{settings.bucket} is in {settings.region} and the service in {expected.region}: none of its "
            "events arrive.",
            evidence=f"GetBucketLocation returns {settings.region}",
            commands=(
                command("python", "-m", "ops", "deploy", "--region", settings.region),
                f"aws s3 sync {command(f's3://{settings.bucket}')} s3://NEW-BUCKET   # the other way: {target}",
            ),
        )
    ]
