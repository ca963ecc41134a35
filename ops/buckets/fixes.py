"""What ``audit --fix`` does: what is safe by itself.

Rules beside the owner's own, events to the service's queue, the end of uploads that nobody finished. Nothing that can
be read is removed or moved by any of it.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

from chalicelib.adapters.bucket_settings import SettingsReader
from chalicelib.domain.audit.bucket_settings import stale_uploads
from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.storage import StoragePolicy
from ops.aws import Aws
from ops.buckets.documents import with_receiver
from ops.resources.lifecycle import put_adopted_rules, put_let_go_rules, put_lifecycle_rules
from ops.service.admin_client import AdminClient
from ops.service.deployed_stage import DeployedStage

FIX = "python -m ops audit --fix"


@dataclasses.dataclass(frozen=True)
class Fix:
    """``what`` is a sentence for the owner; ``carry_out`` does it."""

    what: str
    carry_out: Callable[[], object]


def fixes_for_stage(deployed: DeployedStage, admin: AdminClient, findings: Iterable[Finding]) -> list[Fix]:
    """What can be done about them. Raises ``OpsError`` where a bucket cannot be read."""
    jobs_of: dict[str, list[Job]] = defaultdict(list)
    for place in admin.jobs():
        policy = StoragePolicy(place.archive_class, place.archive_after_days)
        jobs_of[place.bucket].append(Job(place.machine, place.job, place.location, storage=policy))
    found = list(findings)
    fixes: list[Fix] = []
    for bucket in dict.fromkeys([deployed.stage.bucket, *jobs_of]):
        codes = {one.code for one in found if one.subject.partition("/")[0] == bucket}
        fixes += _fixes_of(deployed, bucket, jobs_of[bucket], codes)
    return fixes


def _fixes_of(deployed: DeployedStage, bucket: str, jobs: Sequence[Job], codes: set[str]) -> list[Fix]:
    stage, s3 = deployed.stage, deployed.aws.client("s3")
    is_own = bucket == stage.bucket
    fixes: list[Fix] = []
    if "no_archive_rule" in codes:

        def put_rules() -> object:
            return put_lifecycle_rules(s3, bucket) if is_own else put_adopted_rules(s3, bucket, stage, jobs)

        fixes.append(
            Fix(
                f"Write the lifecycle rules of the storage policies in {bucket}, beside those that are there.",
                put_rules,
            )
        )
    elif "letgo_rule_differs" in codes:
        prefixes = [job.location.prefix for job in jobs]
        fixes.append(
            Fix(
                f"Write the lifecycle rules of what is let go in {bucket}, beside those that are there.",
                lambda: (
                    put_lifecycle_rules(s3, bucket)
                    if is_own
                    else put_let_go_rules(s3, bucket, stage, prefixes)
                ),
            )
        )
    if "notifications_missing" in codes:
        prefixes = [""] if is_own else [job.location.prefix for job in jobs]
        fixes.append(
            Fix(
                f"Have {bucket} send its events to {stage.queue}; other receivers stay.",
                lambda: _send_events(deployed, bucket, prefixes),
            )
        )
    if "uploads_piling_up" in codes:
        fixes += fixes_of_uploads(deployed.aws, bucket)
    return fixes


def _send_events(deployed: DeployedStage, bucket: str, prefixes: Sequence[str]) -> None:
    stage, s3 = deployed.stage, deployed.aws.client("s3")
    configuration: Any = s3.get_bucket_notification_configuration(Bucket=bucket)
    for prefix in prefixes:
        configuration = with_receiver(configuration, stage, stage.arn("sqs", stage.queue), prefix)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def fixes_of_uploads(aws: Aws, bucket: str) -> list[Fix]:
    """The end of uploads that nobody has finished in a week."""
    s3 = aws.client("s3")
    stale = stale_uploads(SettingsReader(s3).read(bucket), now())
    if not stale:
        return []

    def abort() -> None:
        for upload in stale:
            s3.abort_multipart_upload(Bucket=bucket, Key=upload.key, UploadId=upload.id)

    size = sum(upload.size_bytes for upload in stale)
    return [Fix(f"Abort {len(stale)} unfinished uploads to {bucket}, {size} bytes.", abort)]


def now() -> datetime:
    return datetime.now(timezone.utc)
