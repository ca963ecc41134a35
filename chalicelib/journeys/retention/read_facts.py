"""Reads what retention goes by: each partition of the table once for all jobs, then each job's facts from that.

Whoever has the stores can ask: the function that lets chains go, the owner's commands, the weekly mail.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

from chalicelib.adapters.stores.catalogue_store import JobSets
from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.retention.retention_store import JobName, RetentionStore
from chalicelib.adapters.stores.run_store import RunStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.audit.bucket_settings import BucketSettings
from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.finding_codes import CODES
from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.audit.lifecycle.coverage import shortest_old_versions_days
from chalicelib.domain.audit.lifecycle.rules import rule_of
from chalicelib.domain.audit.notices import CATALOGUE_DIFFERED, Notice
from chalicelib.domain.backups.freshness import evaluate_freshness
from chalicelib.domain.backups.leases import Lease
from chalicelib.domain.backups.machines import CODE_LIFE, Job, Machine
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.domain.retention.blocks import Surroundings, blocks_of
from chalicelib.domain.retention.facts import OwnerChoices, RetentionFacts
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.domain.retention.limits import COMPARED_WITHIN, NOTICES_COUNT_FOR
from chalicelib.wire import ThawState


@dataclasses.dataclass(frozen=True)
class FactSources:
    """The stores that facts are read from."""

    retention: RetentionStore
    machines: MachineStore
    runs: RunStore
    notices: NoticeStore
    findings: FindingStore
    thaws: ThawStore


@dataclasses.dataclass(frozen=True)
class RetentionSnapshot:
    """What was read, of all jobs. ``notices`` are those of the last 30 days."""

    choices: Mapping[JobName, OwnerChoices]
    let_gos: Sequence[LetGo]
    announced: Mapping[JobName, Mapping[SetId, int]]
    fetched: Mapping[JobName, Mapping[SetId, datetime]]
    enrolments: Mapping[str, tuple[datetime, ...]]
    findings: Sequence[Finding]
    notices: Sequence[Notice]
    leases: Mapping[JobName, Lease]
    thaws: Sequence[Thaw]

    def let_gos_of(self, job: Job) -> list[LetGo]:
        """By when they began, those that the owner dropped and those that are being brought back among them."""
        return [let_go for let_go in self.let_gos if (let_go.machine, let_go.job) == (job.machine, job.name)]


def read_surroundings(sources: FactSources, now: datetime) -> RetentionSnapshot:
    return RetentionSnapshot(
        sources.retention.all_choices(),
        sources.retention.let_gos(),
        sources.retention.announced(),
        sources.retention.fetched(),
        sources.machines.enrolments(),
        sources.findings.findings(),
        sources.notices.since(now - NOTICES_COUNT_FOR),
        sources.runs.leases(),
        sources.thaws.thaws(),
    )


def facts_of(
    snapshot: RetentionSnapshot,
    machine: Machine,
    job: Job,
    job_sets: JobSets,
    now: datetime,
    *,
    settings: BucketSettings | None = None,
) -> RetentionFacts:
    """What retention goes by for one job. ``settings`` are its bucket's; without them nothing is said of them."""
    name = job.machine, job.name
    hidden = job_sets.hidden
    began = [one.begun_at for one in snapshot.let_gos_of(job) if not one.dropped]
    around = _surroundings(snapshot, machine, job, job_sets, now, settings)
    return RetentionFacts(
        [one for one in job_sets.every if one.current and one.set_id not in hidden.let_go],
        quarantined=hidden.quarantined,
        choices=snapshot.choices.get(name, OwnerChoices()),
        enrolled_at=_enrolled_at(snapshot, machine),
        announced=snapshot.announced.get(name, {}),
        fetched_at=snapshot.fetched.get(name, {}),
        let_go_at=max(began, default=None),
        blocks=blocks_of(around, now),
    )


def _enrolled_at(snapshot: RetentionSnapshot, machine: Machine) -> tuple[datetime, ...]:
    """Of an enrolment that an earlier version took, only the code is known: it was used within its life."""
    known, issued_at = snapshot.enrolments.get(machine.name, ()), machine.code_issued_at
    if issued_at is None or any(issued_at <= at <= issued_at + CODE_LIFE for at in known):
        return known
    return (*known, issued_at, issued_at + CODE_LIFE)


def _surroundings(
    snapshot: RetentionSnapshot,
    machine: Machine,
    job: Job,
    job_sets: JobSets,
    now: datetime,
    settings: BucketSettings | None,
) -> Surroundings:
    name = job.machine, job.name
    lease = snapshot.leases.get(name)
    notices = [
        notice
        for notice in snapshot.notices
        if notice.machine == job.machine and notice.job in ("", job.name)
    ]
    return Surroundings(
        state=evaluate_freshness(machine, job, job_sets.visible, now).state,
        lease_until=lease.expires_at if lease is not None and lease.expires_at > now else None,
        thaw_is_open=any((thaw.machine, thaw.job) == name and _is_open(thaw, now) for thaw in snapshot.thaws),
        compared_at=job.reconcile.done_at if job.reconcile else None,
        differed=any(
            notice.code == CATALOGUE_DIFFERED and now - notice.at <= COMPARED_WITHIN for notice in notices
        ),
        critical=tuple(
            finding.message
            for finding in snapshot.findings
            if finding.severity is Severity.CRITICAL and _concerns(finding, job)
        ),
        safety=tuple(
            notice.message for notice in notices if notice.code in CODES and CODES[notice.code].is_safety
        ),
        keeps_versions=settings.keeps_versions if settings is not None else None,
        old_versions_days=_old_versions_days(settings, job) if settings is not None else None,
        unread=_unread(settings) if settings is not None else (),
    )


def _is_open(thaw: Thaw, now: datetime) -> bool:
    """Whether volumes are on their way, wait for the owner's approval, or can be read because of it."""
    if thaw.state is ThawState.READY:
        return thaw.readable_until is None or thaw.readable_until > now
    return thaw.is_under_way or thaw.state is ThawState.WAITING


def _concerns(finding: Finding, job: Job) -> bool:
    """One of the job, of its whole machine, or of its bucket."""
    if finding.machine:
        return finding.machine == job.machine and finding.job in ("", job.name)
    return finding.whose == job.location.bucket


def _old_versions_days(settings: BucketSettings, job: Job) -> int | None:
    return shortest_old_versions_days(map(rule_of, settings.lifecycle or ()), job.location.prefix)


def _unread(settings: BucketSettings) -> tuple[str, ...]:
    """What nobody could read of what has to be known: it may be the worst."""
    needed = {"versioning": settings.keeps_versions, "lifecycle rules": settings.lifecycle}
    return tuple(what for what, read in needed.items() if read is None)
