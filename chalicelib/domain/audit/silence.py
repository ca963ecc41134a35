"""Jobs of which nothing comes, or what somebody else writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.backups.freshness import due_since
from chalicelib.domain.backups.machines import Job, Machine, added_at, is_paused
from chalicelib.domain.backups.sets import BackupSet


def find_silence(machine: Machine, job: Job, sets: Sequence[BackupSet], now: datetime) -> list[Finding]:
    """A job of which nothing has ever come, though its period and grace are over: since it was added, or since the end
    of a pause after that."""
    since = due_since(machine, job)
    due_at = since + job.late_after
    if sets or now <= due_at or is_paused(machine, job, now):
        return []
    message = f"Nothing of {job.machine}/{job.name} has arrived since {since:%Y-%m-%d}."
    commands = (
        f"panicroom backup full {job.name}",
        command("python", "-m", "ops", "machine", "add", job.machine),
    )
    return [
        new_finding(
            "no_backup_yet",
            machine=job.machine,
            job=job.name,
            subject=job.name,
            message=message,
            evidence=f"expected by {due_at:%Y-%m-%d %H:%M} UTC",
            commands=commands if machine.token_sha256 is None else commands[:1],
        )
    ]


def find_foreign_writer(machine: Machine, job: Job, sets: Sequence[BackupSet]) -> list[Finding]:
    """Sets that were stored since the job was added and that no client of the service has sealed; a finding for all."""
    since = added_at(machine, job)
    foreign = [
        backup_set
        for backup_set in sets
        if backup_set.unproven and backup_set.sealed_at is not None and backup_set.sealed_at > since
    ]
    if not foreign:
        return []
    newest = max(foreign, key=lambda one: one.set_id.end)
    return [
        new_finding(
            "written_with_keys",
            machine=job.machine,
            job=job.name,
            subject=job.name,
            message=f"Backups of {job.machine}/{job.name} are still written with AWS keys, past the service.",
            evidence=f"{len(foreign)} since {since:%Y-%m-%d}, the newest {newest.set_id}",
            commands=("panicroom doctor", "aws iam list-access-keys"),
        )
    ]
