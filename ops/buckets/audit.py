"""Auditing: what the service watches by the service itself, any other bucket by the owner's own credentials."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.bucket_settings import SettingsReader
from chalicelib.adapters.price_files import price_table
from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.domain.audit.anomalies import find_anomalies
from chalicelib.domain.audit.bucket_audit import BucketAudit
from chalicelib.domain.audit.bucket_settings import BucketSettings
from chalicelib.domain.audit.custody import Custody, WatchedJob
from chalicelib.domain.audit.findings import Finding, at_stage, worst_first
from chalicelib.domain.audit.lifecycle.rules import rule_of
from chalicelib.domain.backups.foreign_names import form_of
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location, SetId, is_manifest, parse_file_name
from chalicelib.domain.backups.objects import ObjectRow
from chalicelib.domain.backups.sets import BackupSet, SetSum
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.mail.money_of_findings import with_missed_savings
from chalicelib.owner_wire import AuditAnswer
from ops.aws import Aws
from ops.buckets.fixes import FIX, now
from ops.errors import OpsError
from ops.service.admin_client import AdminClient

MOST_TAGS_READ = 1_000
"""Tags cost a request an object; this many show whether a rule with a tag matches anything."""


# ---------------------------------------------------------------- what the service watches


def audit_stage(admin: AdminClient, stage: str) -> AuditAnswer:
    """Has the service audit every bucket that it watches, now."""
    answer = admin.ask(AuditAnswer, "audit")
    found = [
        dataclasses.replace(finding, commands=at_stage(finding.commands, stage))
        for finding in answer.findings
    ]
    return dataclasses.replace(answer, findings=tuple(found))


# ---------------------------------------------------------------- any bucket


def audit_bucket(aws: Aws, bucket: str, prefix: str) -> list[Finding]:
    """Audits a bucket that no service uses: its settings, and duplicity's files below ``prefix``.

    Each folder with files of duplicity's counts as a job of its own. Raises ``OpsError``.
    """
    s3 = aws.client("s3")
    try:
        s3.head_bucket(Bucket=bucket)
        settings = SettingsReader(s3).read(bucket)
        rows = dict(_list_rows(Buckets(s3), bucket, prefix))
        tags = _read_tags(s3, settings, rows)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        why = "it does not exist" if status == 404 else f"you have no right to read it ({error})"
        raise OpsError(f"The bucket {bucket} cannot be audited: {why}.") from error
    except BotoCoreError as error:
        raise OpsError(f"The bucket {bucket} cannot be audited: {error}") from error
    prices = price_table(settings.region) if settings.region else None
    return evaluate_listing(settings, rows, tags, now(), prices)


def evaluate_listing(
    settings: BucketSettings,
    rows: Mapping[str, ObjectRow],
    tags: Mapping[str, Mapping[str, str]],
    now: datetime,
    prices: PriceTable | None = None,
) -> list[Finding]:
    """``rows`` are all keys with what they hold; ``tags`` those of the keys whose tags were read. ``prices`` are the
    region's, where they are known."""
    jobs = {folder: _made_up_job(settings.bucket, folder) for folder in _folders_of_duplicity(rows)}
    sets = {job: _sets_of(folder, rows) for folder, job in jobs.items()}
    audit = BucketAudit(settings, sets, None, now, is_own_bucket=False)
    for key, row in rows.items():
        folder, name = _split(key)
        if folder in jobs:
            audit.add(jobs[folder], dataclasses.replace(row, name=name), tags.get(key))
        elif form_of(key) is not None:
            audit.add_stray(row, None)
        else:
            audit.add_unwatched(row)
    anomalies = [one for job, of_job in sets.items() for one in find_anomalies(job.job, of_job, now)]
    of_bucket = with_missed_savings(audit.findings(), audit.missed, prices)
    found = worst_first([*of_bucket, *anomalies])
    return [
        dataclasses.replace(one, commands=_without_service(one.commands, settings.bucket)) for one in found
    ]


def _without_service(commands: Iterable[str], bucket: str) -> tuple[str, ...]:
    """What can be typed where no machine and no job of the service's is."""
    here = [f"{FIX} --bucket {bucket}" if line == FIX else line for line in commands]
    return tuple(line for line in here if line.startswith(("aws ", FIX)))


def _list_rows(buckets: Buckets, bucket: str, prefix: str) -> Iterable[tuple[str, ObjectRow]]:
    for key, state in buckets.list_states(bucket, prefix):
        known = buckets.with_promise(bucket, key, state) if is_manifest(_split(key)[1]) else state
        yield key, ObjectRow(key, known.stored, noncurrent=known.noncurrent)


def _read_tags(s3: Any, settings: BucketSettings, rows: Mapping[str, ObjectRow]) -> dict[str, dict[str, str]]:
    if not any(rule_of(document).tags for document in settings.lifecycle or ()):
        return {}
    keys = [key for key, row in rows.items() if row.stored][:MOST_TAGS_READ]
    answers = {key: s3.get_object_tagging(Bucket=settings.bucket, Key=key)["TagSet"] for key in keys}
    return {key: {tag["Key"]: tag["Value"] for tag in tags} for key, tags in answers.items()}


def _split(key: str) -> tuple[str, str]:
    folder, slash, name = key.rpartition("/")
    return folder + slash, name


def _folders_of_duplicity(rows: Mapping[str, ObjectRow]) -> list[str]:
    folders = (_split(key) for key in rows)
    return list(dict.fromkeys(folder for folder, name in folders if parse_file_name(name)))


def _made_up_job(bucket: str, folder: str) -> WatchedJob:
    """Findings then name the bucket and the folder where they would name a machine and its job."""
    return WatchedJob(Job(bucket, folder.rstrip("/") or "/", Location(bucket, folder)), Custody.FOREIGN)


def _sets_of(folder: str, rows: Mapping[str, ObjectRow]) -> list[BackupSet]:
    sums: dict[SetId, SetSum] = {}
    for key, row in rows.items():
        place, name = _split(key)
        file = parse_file_name(name)
        if place == folder and file is not None:
            total = sums.setdefault(file.set_id, SetSum(BackupSet(file.set_id)))
            total.change(None, dataclasses.replace(row, name=name))
    return [one for one in (total.result() for total in sums.values()) if one.current]
