"""Rows of machines, jobs, codes and leases."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from chalicelib.adapters.stores.rows import (
    format_instant,
    instant_in,
    instant_of,
    integer_of,
    job_sort_key,
    new_row,
    parse_instant,
)
from chalicelib.adapters.table import Item
from chalicelib.domain.backups.leases import Lease
from chalicelib.domain.backups.machines import (
    DEFAULT_DRILL_SECONDS,
    DEFAULT_THAW_BUDGET_USD,
    EnrolmentCode,
    Job,
    LastCheck,
    LastDrill,
    LastRun,
    Machine,
    OldChange,
    ReconcileProgress,
)
from chalicelib.domain.backups.names import Location
from chalicelib.domain.backups.retention_policy import DEFAULT_RETENTION, RetentionPolicy
from chalicelib.domain.backups.storage import StoragePolicy
from chalicelib.domain.fleet.following import Kind, Row, followed_of_old
from chalicelib.domain.photos.family import Family
from chalicelib.wire import DrillOutcome

FAMILIES = "FAMILIES"


def machine_item(machine: Machine) -> Item:
    return new_row(
        "MACHINES",
        machine.name,
        created_at=format_instant(machine.created_at),
        token_sha256=machine.token_sha256,
        code_issued_at=format_instant(machine.code_issued_at),
        revoked_at=format_instant(machine.revoked_at),
        paused_at=format_instant(machine.paused_at),
        paused_until=format_instant(machine.paused_until),
        last_used_at=format_instant(machine.last_used_at),
        storage_cap_bytes=machine.storage_cap_bytes,
        download_cap_bytes=machine.download_cap_bytes,
        thaw_budget_usd=machine.thaw_budget_usd,
        owner_mail=machine.owner_mail,
        group=machine.group,
        follows=sorted(machine.follows),
        client_version=machine.client_version,
        dropping_at=format_instant(machine.dropping_at),
        held_until=format_instant(machine.held_until),
    )


def machine_of(item: Item) -> Machine:
    machine = Machine(
        name=item["sk"],
        created_at=instant_in(item, "created_at"),
        token_sha256=item.get("token_sha256"),
        code_issued_at=parse_instant(item.get("code_issued_at")),
        revoked_at=parse_instant(item.get("revoked_at")),
        paused_at=parse_instant(item.get("paused_at")),
        paused_until=parse_instant(item.get("paused_until")),
        last_used_at=parse_instant(item.get("last_used_at")),
        storage_cap_bytes=int(item["storage_cap_bytes"]),
        download_cap_bytes=int(item["download_cap_bytes"]),
        thaw_budget_usd=item.get("thaw_budget_usd", DEFAULT_THAW_BUDGET_USD),
        owner_mail=item.get("owner_mail"),
        group=item.get("group"),
        client_version=item.get("client_version"),
        dropping_at=parse_instant(item.get("dropping_at")),
        held_until=parse_instant(item.get("held_until")),
    )
    return _with_followed(machine, item)


def job_item(job: Job) -> Item:
    return new_row(
        "JOBS",
        job_sort_key(job.machine, job.name),
        bucket=job.location.bucket,
        prefix=job.location.prefix,
        period_seconds=job.period_seconds,
        grace_seconds=job.grace_seconds,
        archive_class=job.storage.archive_class,
        archive_after_days=job.storage.archive_after_days,
        storage_since=format_instant(job.storage_since),
        last_run=last_run_map(job.last_run) if job.last_run else None,
        added_at=format_instant(job.added_at),
        proofs_since=format_instant(job.proofs_since),
        retention=retention_map(job.retention) if job.retention != DEFAULT_RETENTION else None,
        family=job.family,
        follows=sorted(job.follows),
        drill_every_seconds=job.drill_every_seconds
        if job.drill_every_seconds != DEFAULT_DRILL_SECONDS
        else None,
        drills_since=format_instant(job.drills_since),
        paused_at=format_instant(job.paused_at),
        is_dropping=job.is_dropping or None,
    )


def job_of(item: Item) -> Job:
    machine, _, name = item["sk"].partition("/")
    job = Job(
        machine=machine,
        name=name,
        location=Location(item["bucket"], item["prefix"]),
        period_seconds=int(item["period_seconds"]),
        grace_seconds=int(item["grace_seconds"]),
        storage=StoragePolicy(item["archive_class"], int(item["archive_after_days"])),
        storage_since=parse_instant(item.get("storage_since")),
        last_run=_last_run_of(item["last_run"]) if "last_run" in item else None,
        reconcile=_reconcile_of(item["reconcile"]) if "reconcile" in item else None,
        added_at=parse_instant(item.get("added_at")),
        proofs_since=parse_instant(item.get("proofs_since")),
        false_proofs=frozenset(item.get("false_proofs", ())),
        drill_every_seconds=int(item.get("drill_every_seconds", DEFAULT_DRILL_SECONDS)),
        drills_since=parse_instant(item.get("drills_since")),
        last_drill=_last_drill_of(item["last_drill"]) if "last_drill" in item else None,
        retention=retention_of(item["retention"]) if "retention" in item else DEFAULT_RETENTION,
        family=item.get("family"),
        last_check=_last_check_of(item["last_check"]) if "last_check" in item else None,
        old_change=_old_change_of(item["old_change"]) if "old_change" in item else None,
        paused_at=parse_instant(item.get("paused_at")),
        is_dropping=bool(item.get("is_dropping")),
    )
    return _with_followed(job, item)


def _with_followed(row: Kind, item: Item) -> Kind:
    """Rows of before version 0.2 do not say what they follow."""
    named = item.get("follows")
    follows = followed_of_old(row) if named is None else frozenset(named)
    return dataclasses.replace(row, follows=follows)


def item_of(row: Row) -> Item:
    if isinstance(row, Machine):
        return machine_item(row)
    return job_item(row) if isinstance(row, Job) else family_item(row)


def changes_between(before: Item, after: Item) -> Item:
    """The fields to write; ``None`` for one that is left out."""
    return {name: after.get(name) for name in before | after if before.get(name) != after.get(name)}


_RUN_NUMBERS = (
    "exit_code",
    "estimated_bytes",
    "source_files",
    "source_bytes",
    "earlier_source_files",
    "earlier_source_bytes",
)


def last_run_map(last_run: LastRun) -> Item:
    fields = {
        "run": last_run.run,
        "kind": last_run.kind,
        "started_at": format_instant(last_run.started_at),
        "ended_at": format_instant(last_run.ended_at),
        "of_settled": last_run.of_settled or None,
        **{name: getattr(last_run, name) for name in _RUN_NUMBERS},
    }
    return {name: value for name, value in fields.items() if value is not None}


def _last_run_of(fields: Item) -> LastRun:
    return LastRun(
        run=fields["run"],
        kind=fields["kind"],
        started_at=instant_of(fields["started_at"]),
        ended_at=parse_instant(fields.get("ended_at")),
        of_settled=bool(fields.get("of_settled")),
        **{name: integer_of(fields.get(name)) for name in _RUN_NUMBERS},
    )


def last_drill_map(drill: LastDrill) -> Item:
    fields = {
        "outcome": drill.outcome.value,
        "reported_at": format_instant(drill.reported_at),
        "message": drill.message,
        "asked_at": format_instant(drill.asked_at),
        "passed_at": format_instant(drill.passed_at),
        "passed_files": drill.passed_files,
        "passed_bytes": drill.passed_bytes,
        "failed_at": format_instant(drill.failed_at),
        "failure": drill.failure,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _last_drill_of(fields: Item) -> LastDrill:
    return LastDrill(
        DrillOutcome(fields["outcome"]),
        instant_of(fields["reported_at"]),
        fields["message"],
        parse_instant(fields.get("asked_at")),
        parse_instant(fields.get("passed_at")),
        int(fields["passed_files"]),
        int(fields["passed_bytes"]),
        parse_instant(fields.get("failed_at")),
        fields["failure"],
    )


def retention_map(policy: RetentionPolicy) -> Item:
    return dataclasses.asdict(policy)


def retention_of(fields: Item) -> RetentionPolicy:
    return RetentionPolicy(**{name: int(number) for name, number in fields.items()})


def last_check_map(check: LastCheck) -> Item:
    fields = {
        **dataclasses.asdict(check),
        "at": format_instant(check.at),
        "hashed_since": format_instant(check.hashed_since),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _last_check_of(fields: Item) -> LastCheck:
    return LastCheck(
        instant_of(fields["at"]),
        int(fields["files"]),
        int(fields["size_bytes"]),
        int(fields["hashed_files"]),
        int(fields["hashed_bytes"]),
        parse_instant(fields.get("hashed_since")),
        int(fields["rotted"]),
    )


def old_change_map(change: OldChange) -> Item:
    return {**dataclasses.asdict(change), "at": format_instant(change.at)}


def _old_change_of(fields: Item) -> OldChange:
    numbers = (int(fields[name]) for name in ("files", "changed", "deleted"))
    return OldChange(instant_of(fields["at"]), *numbers)


def family_item(family: Family) -> Item:
    return new_row(
        FAMILIES,
        job_sort_key(family.machine, family.name),
        created_at=format_instant(family.created_at),
        period_seconds=family.period_seconds,
        grace_seconds=family.grace_seconds,
        archive_class=family.storage.archive_class,
        archive_after_days=family.storage.archive_after_days,
        volume_mb=family.volume_mb,
        retention=retention_map(family.retention),
        drill_every_seconds=family.drill_every_seconds,
        source_hint=family.source_hint,
        follows=sorted(family.follows),
    )


def family_of(item: Item) -> Family:
    machine, _, name = item["sk"].partition("/")
    family = Family(
        machine,
        name,
        instant_in(item, "created_at"),
        int(item["period_seconds"]),
        int(item["grace_seconds"]),
        StoragePolicy(item["archive_class"], int(item["archive_after_days"])),
        int(item["volume_mb"]),
        retention_of(item["retention"]),
        int(item.get("drill_every_seconds", DEFAULT_DRILL_SECONDS)),
        item.get("source_hint"),
    )
    return _with_followed(family, item)


def reconcile_map(comparison: ReconcileProgress) -> Item:
    return {
        "begun_at": format_instant(comparison.begun_at),
        "after": comparison.after,
        "done_at": format_instant(comparison.done_at),
    }


def _reconcile_of(fields: Item) -> ReconcileProgress:
    return ReconcileProgress(
        instant_of(fields["begun_at"]), fields["after"], parse_instant(fields["done_at"])
    )


def code_item(code: EnrolmentCode) -> Item:
    return new_row(
        "CODES",
        code.code_sha256,
        machine=code.machine,
        expires_at=format_instant(code.expires_at),
        # Kept a month beyond its life, so that a second use is noticed as one.
        expires_at_epoch=int(code.expires_at.timestamp()) + 30 * 86_400,
        secret_sha256=code.secret_sha256,
        sealed_recovery_code=code.sealed_recovery_code,
    )


def code_of(item: Item) -> EnrolmentCode:
    return EnrolmentCode(
        item["sk"],
        item["machine"],
        instant_in(item, "expires_at"),
        item.get("secret_sha256"),
        parse_instant(item.get("used_at")),
        item.get("used_from"),
        item.get("sealed_recovery_code"),
    )


def lease_of(item: Item) -> Lease:
    return Lease(item["run"], instant_in(item, "expires_at"))


ENROLMENTS = "ENROLMENTS"


def enrolment_item(machine: str, at: datetime) -> Item:
    return new_row(ENROLMENTS, f"{machine}#{format_instant(at)}")


def enrolments_of(items: Iterable[Item]) -> dict[str, tuple[datetime, ...]]:
    """By the machine's name."""
    found: dict[str, list[datetime]] = defaultdict(list)
    for item in items:
        machine, _, at = item["sk"].partition("#")
        found[machine].append(instant_of(at))
    return {machine: tuple(times) for machine, times in found.items()}
