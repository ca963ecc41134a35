"""The daily audit: each bucket's settings and rules against what the catalogue knows is in it; findings are kept."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from chalicelib.adapters.bucket_settings import SettingsReader
from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.retention.retention_store import RetentionStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.audit.anomalies import find_anomalies
from chalicelib.domain.audit.bucket_audit import NOTICES_COUNT_FOR, BucketAudit, findings_of_notices
from chalicelib.domain.audit.bucket_settings import Expected
from chalicelib.domain.audit.codes.code import Concern
from chalicelib.domain.audit.custody import WatchedJob
from chalicelib.domain.audit.findings import Finding, codes_about, worst_first
from chalicelib.domain.audit.notices import with_past
from chalicelib.domain.audit.placement import check_object
from chalicelib.domain.audit.silence import find_foreign_writer, find_silence
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.names import SetId, parse_file_name, split_key
from chalicelib.domain.backups.objects import ObjectRow
from chalicelib.domain.backups.sets import BackupSet, oldest_whole_at
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.mail.money_of_findings import with_missed_savings
from chalicelib.domain.photos.photo_findings import find_photo_trouble
from chalicelib.domain.restore.drill_findings import find_drill_trouble, find_failed_drill, speaking
from chalicelib.journeys.catalogue.catalogue_changes import owner_of, watched
from chalicelib.journeys.watch_thaws import watch_thaws

S3_MAY_BE_LATE = timedelta(days=7)
"""A chain that was let go, and of which old versions are left so long after they were final, piles up."""

MOST_TAGS_READ = 500
"""Changing a tag sends no event, so wrong tags are read again, up to this many."""


@dataclasses.dataclass(frozen=True)
class AuditContext:
    """``bucket`` is the service's own, ``queue_arn`` that of its events."""

    machines: MachineStore
    notices: NoticeStore
    catalogue: CatalogueStore
    findings: FindingStore
    thaws: ThawStore
    retention: RetentionStore
    buckets: Buckets
    settings: SettingsReader
    bucket: str
    region: str
    queue_arn: str
    now: datetime
    prices: PriceTable | None = None


def audit_buckets(context: AuditContext) -> list[Finding]:
    """Audits every bucket that the service watches, keeps what it found, and answers with all that is wrong, worst
    first: what happened within the last days too."""
    machines = {machine.name: machine for machine in context.machines.machines()}
    sets_in: dict[str, dict[WatchedJob, list[BackupSet]]] = defaultdict(dict)
    sets_in[context.bucket] = {}
    of_sets: dict[Job, list[Finding]] = {}
    jobs = [job for job in context.machines.jobs() if not job.is_dropping]
    drilled = speaking(jobs)
    for job_sets in context.catalogue.sets_of_each(jobs):
        job, machine = job_sets.job, machines.get(job_sets.job.machine)
        of_sets[job] = find_anomalies(job, job_sets.visible, context.now)
        of_sets[job] += find_photo_trouble(job, context.now)
        if machine is not None:
            of_sets[job] += find_silence(machine, job, job_sets.visible, context.now)
            of_sets[job] += find_foreign_writer(machine, job, job_sets.visible)
            of_sets[job] += _drill_trouble(
                context, machine, job, job_sets.visible, in_time=job not in drilled
            )
        sets_in[job.location.bucket][watched(context.bucket, job)] = job_sets.visible
    expiring = _expiring(context)
    found = [
        finding
        for bucket, sets in sets_in.items()
        for finding in _audit_bucket(context, bucket, sets, expiring)
    ]
    _keep(context, of_sets, found)
    found += watch_thaws(context.thaws, context.machines, context.findings, context.now)
    staying = {name for name, machine in machines.items() if machine.dropping_at is None}
    notices = with_past(context.notices.since(context.now - NOTICES_COUNT_FOR), staying)
    recent = findings_of_notices(notices, context.now)
    return worst_first(
        [*found, *(finding for anomalies in of_sets.values() for finding in anomalies), *recent]
    )


def _expiring(context: AuditContext) -> dict[str, set[SetId]]:
    """By the jobs' labels, the sets that were let go and whose files the bucket's rule removes by itself."""
    found: dict[str, set[SetId]] = defaultdict(set)
    for one in context.retention.let_gos():
        if context.now < one.final_at + S3_MAY_BE_LATE:
            found[f"{one.machine}/{one.job}"].update(one.sets)
    return found


def _drill_trouble(
    context: AuditContext, machine: Machine, job: Job, sets: list[BackupSet], *, in_time: bool
) -> list[Finding]:
    """``in_time``: another folder of its family says whether drills are."""
    if job.drills_since is None:
        context.machines.begin_drills(job, context.now)
    if in_time:
        return find_failed_drill(job)
    return find_drill_trouble(machine, job, oldest_whole_at(sets), context.now)


def _keep(context: AuditContext, of_sets: dict[Job, list[Finding]], found: list[Finding]) -> None:
    by_job: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in found:
        by_job[finding.machine, finding.job].append(finding)
    codes = codes_about(Concern.OBJECTS, Concern.BUCKET)
    context.findings.replace(None, by_job[("", "")], context.now, codes=codes)
    for job, anomalies in of_sets.items():
        wanted = [*anomalies, *by_job[job.machine, job.name]]
        context.findings.replace(
            job, wanted, context.now, codes=codes | codes_about(Concern.SETS, Concern.DRILLS, Concern.PHOTOS)
        )
    context.findings.forget_others({(job.machine, job.name) for job in of_sets})


def _audit_bucket(
    context: AuditContext,
    bucket: str,
    sets: dict[WatchedJob, list[BackupSet]],
    expiring: Mapping[str, Collection[SetId]],
) -> list[Finding]:
    is_own = bucket == context.bucket
    prefixes = ("",) if is_own else tuple(sorted(watched_job.job.location.prefix for watched_job in sets))
    audit = BucketAudit(
        context.settings.read(bucket),
        sets,
        Expected(context.region, context.queue_arn, prefixes),
        context.now,
        is_own_bucket=is_own,
        expiring=expiring,
    )
    tags_left = MOST_TAGS_READ
    for watched_job in sets:
        for row in context.catalogue.objects(watched_job.job):
            if tags_left and _has_wrong_tag(watched_job, row):
                tags_left -= 1
                row = _with_tag_of_today(context, watched_job, row)
            audit.add(watched_job, row)
    watched_of = {watched_job.job: watched_job for watched_job in sets}
    for row in context.catalogue.strays(bucket):
        owner = owner_of_stray(row.name, watched_of, is_own_bucket=is_own)
        audit.add_stray(row, watched_of[owner] if owner else None)
    return with_missed_savings(audit.findings(), audit.missed, context.prices)


def owner_of_stray(key: str, jobs: Iterable[Job], *, is_own_bucket: bool) -> Job | None:
    """The same owner as for events: in the service's own bucket the key itself names machine and job."""
    if not is_own_bucket:
        return owner_of(key, jobs)
    parts = split_key(key)
    return next((job for job in jobs if parts and (job.machine, job.name) == parts[:2]), None)


def _has_wrong_tag(one: WatchedJob, row: ObjectRow) -> bool:
    file = parse_file_name(row.name)
    if file is None:
        return False
    return any(found.code == "wrong_tag" for found in check_object(one, row, BackupSet(file.set_id)))


def _with_tag_of_today(context: AuditContext, one: WatchedJob, row: ObjectRow) -> ObjectRow:
    assert row.stored is not None
    key = one.job.location.key(row.name)
    tag = context.buckets.storage_tags(one.job.location.bucket, [key])[key]
    return dataclasses.replace(row, stored=dataclasses.replace(row.stored, storage_tag=tag))
