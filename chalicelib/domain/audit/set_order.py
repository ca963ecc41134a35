"""Sets of a job that the seal gate would refuse today, as they are out of order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.backups.leases import CLOCK_TOLERANCE
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet


def out_of_order(sets: Sequence[BackupSet]) -> dict[SetId, BackupSet]:
    """The sets that the seal gate would refuse today, each with the set that was sealed before it.

    Only sets that were sealed with their number of volumes: S3's times of an adopted backup are those of its copy. And
    none by a clock that was ahead: it has a finding, and is no measure for the others.
    """
    late: dict[SetId, BackupSet] = {}
    proven = [
        backup_set
        for backup_set in sets
        if backup_set.sealed_at and not backup_set.unproven and not clock_was_off(backup_set)
    ]
    first_from: dict[datetime, BackupSet] = {}
    newest: BackupSet | None = None
    first_sealed = _first_sealed(proven)
    for backup_set in sorted(proven, key=lambda one: (first_sealed[one.set_id], one.set_id.end)):
        set_id = backup_set.set_id
        earlier = first_from.setdefault(set_id.start, backup_set) if set_id.start is not None else newest
        if set_id.start is not None:
            is_late = earlier is not backup_set
        else:
            is_late = newest is not None and set_id.end <= newest.set_id.end
        if is_late and earlier is not None:
            late[set_id] = earlier
        elif newest is None or set_id.end > newest.set_id.end:
            newest = backup_set
    return late


def _first_sealed(sets: Sequence[BackupSet]) -> dict[SetId, datetime]:
    """When each was sealed at the latest: nothing continues a set before that. S3's time of a manifest that the
    owner has copied, as advised where it was archived, is that of the copy."""
    continued: dict[datetime, datetime] = {}
    first: dict[SetId, datetime] = {}
    for backup_set in sorted(sets, key=lambda one: one.set_id.end, reverse=True):
        set_id, sealed_at = backup_set.set_id, backup_set.sealed_at or backup_set.set_id.end
        sealed_at = first[set_id] = min(sealed_at, continued.get(set_id.end, sealed_at))
        if set_id.start is not None:
            continued[set_id.start] = min(sealed_at, continued.get(set_id.start, sealed_at))
    return first


def out_of_order_finding(job: Job, backup_set: BackupSet, earlier: BackupSet) -> Finding:
    set_id, hide = backup_set.set_id, quarantine_command(job, backup_set.set_id)
    evidence = f"{stored_at(backup_set)}, after {earlier.set_id}"
    if set_id.is_full:
        message = f"is dated before {earlier.set_id}, which was stored earlier"
        return about_set("full_backdated", job, backup_set, message, evidence, hide)
    return about_set("fork", job, backup_set, f"continues the same set as {earlier.set_id}", evidence, hide)


def clock_was_off(backup_set: BackupSet) -> bool:
    """A set's name has the laptop's time when it began, so it cannot be later than S3's time of the manifest.

    It may be earlier by any time: over a slow line a set takes days, and a copy is stored long after it was made.
    """
    sealed_at = backup_set.sealed_at
    if sealed_at is None:
        return False
    return backup_set.set_id.end - sealed_at > CLOCK_TOLERANCE


def stored_at(backup_set: BackupSet) -> str:
    return f"stored at {backup_set.sealed_at:%Y-%m-%d %H:%M:%S} UTC"


def quarantine_command(job: Job, set_id: SetId) -> str:
    return command("python", "-m", "ops", "set", "quarantine", job.machine, job.name, str(set_id))


def bring_back_command(job: Job, set_id: SetId) -> str:
    return command("python", "-m", "ops", "set", "bring-back", job.machine, job.name, str(set_id))


def about_set(
    code: str, job: Job, backup_set: BackupSet, message: str, evidence: str, *commands: str
) -> Finding:
    set_name = str(backup_set.set_id)
    sentence = f"The set {set_name} of {job.machine}/{job.name} {message}."
    return new_finding(
        code,
        machine=job.machine,
        job=job.name,
        subject=set_name,
        message=sentence,
        evidence=evidence,
        commands=commands,
    )
