"""What the service knows of one machine: its jobs, their states, and when the owner last got a mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
from chalicelib.adapters.stores.report_store import ReportStore
from chalicelib.config import (
    NEWEST_CLIENT_VERSION,
    OLDEST_CLIENT_THAT_SIGNS,
    OLDEST_CLIENT_VERSION,
    Place,
)
from chalicelib.domain.backups.freshness import Freshness, SealedSummary, evaluate_summary
from chalicelib.domain.backups.machines import Job, LastRun, Machine
from chalicelib.domain.photos.family import MOST_JOBS, Family
from chalicelib.domain.recovery.recovery import Recovery
from chalicelib.domain.restore.drills import first_due_at, is_drill_due
from chalicelib.journeys.authenticate import Bearer
from chalicelib.wire import (
    DrillStatus,
    FamilyStatus,
    JobStatus,
    MachineStatus,
    RecoveryCodeStatus,
    RunSummary,
)

if TYPE_CHECKING:
    from chalicelib.domain.costs.price_table import PriceTable


def describe_machine(
    machines: MachineStore,
    recoveries: RecoveryStore,
    catalogue: CatalogueStore,
    reports: ReportStore,
    bearer: Bearer,
    place: Place,
    now: datetime,
    prices: Callable[[], PriceTable | None] = lambda: None,
) -> MachineStatus:
    """What it reads does not grow with the number of sets. ``prices`` are asked for only where there is a family."""
    machine, reader = bearer.machine, bearer.reader
    sent_at, jobs = reports.last_sent_at(), machines.jobs(machine.name)
    summaries = catalogue.summaries.summaries(machine.name)
    families = machines.families(machine.name)
    table = prices() if families else None
    sets_are_signed = any(job.proofs_since for job in jobs)
    return MachineStatus(
        machine=machine.name,
        server_time=format_wire_time(now),
        jobs=tuple(
            describe_job(freshness_of(catalogue, machine, job, summaries.get(job.name), now), job, now)
            for job in jobs
        ),
        newest_client_version=NEWEST_CLIENT_VERSION,
        oldest_client_version=OLDEST_CLIENT_THAT_SIGNS if sets_are_signed else OLDEST_CLIENT_VERSION,
        last_weekly_mail_at=format_wire_time(sent_at) if sent_at else None,
        region=place.region,
        stage=place.stage,
        account=place.account,
        recovery_code=describe_recovery_code(recoveries.recovery(machine.name), machine),
        reader_until=format_wire_time(reader.until) if reader else None,
        families=tuple(describe_family(family, table) for family in families),
    )


def describe_family(family: Family, prices: PriceTable | None = None) -> FamilyStatus:
    return FamilyStatus(
        family.name,
        family.period_seconds,
        family.volume_mb,
        MOST_JOBS,
        family.source_hint,
        _usd_a_gb_year(family, prices) if prices is not None else None,
    )


def _usd_a_gb_year(family: Family, prices: PriceTable) -> float | None:
    """Of its class, without the tiers that a bill of terabytes reaches."""
    name = f"storage/{family.storage.archive_class}"
    return float(12 * prices.first(name)) if prices.knows(name) else None


def describe_recovery_code(recovery: Recovery | None, machine: Machine) -> RecoveryCodeStatus | None:
    """``None`` where the machine has none that counts."""
    if recovery is None or not recovery.is_of(machine):
        return None
    return RecoveryCodeStatus(format_wire_time(recovery.made_at), recovery.last_group)


def freshness_of(
    catalogue: CatalogueStore, machine: Machine, job: Job, summary: SealedSummary | None, now: datetime
) -> Freshness:
    if summary is None:  # once for each job
        summary = catalogue.summarize_anew(job, now)
    return evaluate_summary(machine, job, summary, catalogue.summaries.open_sets(job, now), now)


def describe_job(freshness: Freshness, job: Job, now: datetime) -> JobStatus:
    newest = freshness.newest_complete_at
    return JobStatus(
        job=job.name,
        state=freshness.state.value,
        period_seconds=job.period_seconds,
        grace_seconds=job.grace_seconds,
        archive_class=job.storage.archive_class,
        archive_after_days=job.storage.archive_after_days,
        newest_complete_at=format_wire_time(newest) if newest else None,
        chain_length=freshness.chain_length,
        stored_bytes=freshness.stored_bytes,
        last_run=_run_summary(job.last_run) if job.last_run else None,
        bucket=job.location.bucket,
        prefix=job.location.prefix,
        proofs_since=format_wire_time(job.proofs_since) if job.proofs_since else None,
        drill=describe_drill(job, freshness.oldest_complete_at, now),
        family=job.family,
        checked_at=format_wire_time(job.last_check.at) if job.last_check else None,
    )


def describe_drill(job: Job, first_complete_at: datetime | None, now: datetime) -> DrillStatus:
    drill, first_due = job.last_drill, first_due_at(job, first_complete_at)
    return DrillStatus(
        due=is_drill_due(job, first_complete_at, now),
        every_seconds=job.drill_every_seconds or None,
        passed_at=format_wire_time(drill.passed_at) if drill and drill.passed_at else None,
        outcome=drill.outcome if drill else None,
        reported_at=format_wire_time(drill.reported_at) if drill else None,
        message=(drill.message or None) if drill else None,
        first_due_at=format_wire_time(first_due) if first_due else None,
    )


def format_wire_time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _run_summary(run: LastRun) -> RunSummary:
    return RunSummary(
        # When it began, without its random part: whoever knows a whole run may take its lease over.
        run=run.run.partition("-")[0],
        kind=run.kind,
        started_at=format_wire_time(run.started_at),
        ended_at=format_wire_time(run.ended_at) if run.ended_at else None,
        exit_code=run.exit_code,
    )
