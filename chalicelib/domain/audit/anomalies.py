"""What is wrong with a job's sets, as far as the catalogue can see it from outside."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta

from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.backups.freshness import STALLED_AFTER, due_since
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.names import SetId, volume_file
from chalicelib.domain.backups.sets import BackupSet, format_gaps, format_ranges

CLOCK_OFF_BY = timedelta(minutes=10)
"""A set's name has the laptop's time when it began, so it cannot be later than S3's time of the manifest.

It may be earlier by any time: over a slow line a set takes days, and a copy is stored long after it was made."""

OUTSIZED_TIMES = 5
OUTSIZED_MIN_BYTES = 2**30
OUTSIZED_MIN_SETS = 4
"""An increment that is five times its job's median, and a gigabyte at least, is what encrypted files look like from
outside. With fewer than four increments there is no usual size."""

SHRUNK_TO = 0.5
"""A run whose source has less than half of what the one before had: an unplugged disk, or a deletion."""


def find_anomalies(job: Job, sets: Sequence[BackupSet], now: datetime) -> list[Finding]:
    """All anomalies of a job's visible sets; ``sets`` in any order."""
    late = _out_of_order(sets)
    ends = {backup_set.set_id.end for backup_set in sets if backup_set.sealed}
    starts = {backup_set.set_id.start for backup_set in sets if backup_set.set_id.start is not None}
    usual = _usual_increment_bytes(sets)
    found: list[Finding] = []
    for backup_set in sets:
        found += (
            _of_sealed(job, backup_set, ends, starts) if backup_set.sealed else _of_open(job, backup_set, now)
        )
        found += (
            [_out_of_order_finding(job, backup_set, late[backup_set.set_id])]
            if backup_set.set_id in late
            else []
        )
        size = backup_set.stored_bytes
        if usual and not backup_set.set_id.is_full and size > max(OUTSIZED_TIMES * usual, OUTSIZED_MIN_BYTES):
            message = f"is {size / usual:.0f} times as large as this job's increments usually are"
            evidence = f"{size} bytes; the median is {usual:.0f}"
            look = command("python", "-m", "ops", "machine", "show", job.machine)
            found.append(_about("outsized", job, backup_set, message, evidence, look))
    return found + _shrunken_source(job)


def find_silence(machine: Machine, job: Job, sets: Sequence[BackupSet], now: datetime) -> list[Finding]:
    """A job of which nothing has come since its machine was added, though its period and grace are over."""
    since = due_since(machine, job)
    due_at = since + timedelta(seconds=job.period_seconds + job.grace_seconds)
    if sets or now <= due_at or machine.is_paused(now):
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
    since = job.added_at or machine.created_at
    foreign = [one for one in sets if one.unproven and one.sealed_at is not None and one.sealed_at > since]
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


def _of_open(job: Job, backup_set: BackupSet, now: datetime) -> list[Finding]:
    if backup_set.changed_at is None or now - backup_set.changed_at <= STALLED_AFTER:
        return []
    message = f"was begun and has had no progress since {backup_set.changed_at:%Y-%m-%d}"
    evidence = f"volumes {format_ranges(backup_set.volumes) or 'none'}, {backup_set.stored_bytes} bytes"
    return [_about("stalled", job, backup_set, message, evidence, f"panicroom backup {job.name}")]


def _of_sealed(
    job: Job, backup_set: BackupSet, sealed_ends: set[datetime], starts: set[datetime]
) -> list[Finding]:
    found: list[Finding] = []

    def add(code: str, message: str, evidence: str, *commands: str) -> None:
        found.append(_about(code, job, backup_set, message, evidence, *commands))

    set_id = backup_set.set_id
    quarantine = command("python", "-m", "ops", "set", "quarantine", job.machine, job.name, str(set_id))
    full = f"panicroom backup full {job.name}"
    if not backup_set.volumes:
        evidence = f"{backup_set.volumes_promised or 'an unknown number of'} volumes promised, none stored"
        add("no_volumes", "has a manifest and no volumes", evidence, quarantine, full)
    elif backup_set.gaps:
        gaps = format_gaps(backup_set.gaps)
        promised = backup_set.volumes_promised or "an unknown number"
        evidence = f"volumes stored: {format_ranges(backup_set.volumes)}; promised: {promised}"
        look = _list_versions(job, volume_file(set_id, backup_set.gaps[0][0]).name)
        add("gap", f"is finished, but lacks volume {gaps}", evidence, look, full)
    if not backup_set.has_signatures:
        add("signatures_missing", "has no signatures", "no sigtar file of that set", full)
    if set_id.start is not None and set_id.start not in sealed_ends:
        evidence = f"no set ends at {set_id.start:%Y-%m-%d %H:%M:%S}"
        add("base_missing", "continues a set that is not there", evidence, full)
    if str(set_id) in job.false_proofs and backup_set.has_proof:
        evidence = f"stored at {backup_set.sealed_at:%Y-%m-%d %H:%M:%S} UTC; its proof is false"
        add("false_proof", "was not made by this machine", evidence, *_lock_out(job), quarantine)
    if _lacks_proof(job, backup_set):
        evidence = (
            f"stored at {backup_set.sealed_at:%Y-%m-%d %H:%M:%S} UTC; "
            f"sets are signed since {job.proofs_since:%Y-%m-%d %H:%M:%S} UTC"
        )
        add("unproved_set", "carries no proof of origin", evidence, quarantine)
    if _clock_was_off(backup_set):
        message = f"is dated {set_id.end:%Y-%m-%d}, but was stored on {backup_set.sealed_at:%Y-%m-%d}"
        evidence = f"stored at {backup_set.sealed_at:%Y-%m-%d %H:%M:%S} UTC"
        if set_id.end in starts:
            # To hide it would hide what others continue.
            look = command("python", "-m", "ops", "machine", "show", job.machine)
            add(
                "clock_off",
                f"{message}; later sets continue it, so do not put it into quarantine",
                evidence,
                look,
            )
        else:
            add("clock_off", message, evidence, quarantine)
    return found


def _lock_out(job: Job) -> tuple[str, ...]:
    words = ("python", "-m", "ops", "machine")
    return command(*words, "revoke", job.machine), command(*words, "add", job.machine)


def _lacks_proof(job: Job, backup_set: BackupSet) -> bool:
    """Only after the job's first proof: what was stored before could have none."""
    sealed_at = backup_set.sealed_at
    if backup_set.has_proof or sealed_at is None or job.proofs_since is None:
        return False
    return sealed_at > job.proofs_since


def _out_of_order(sets: Sequence[BackupSet]) -> dict[SetId, BackupSet]:
    """The sets that the seal gate would refuse today, each with the set that was sealed before it.

    Only sets that were sealed with their number of volumes: S3's times of an adopted backup are those of its copy. And
    none by a clock that was ahead: it has a finding, and is no measure for the others.
    """
    late: dict[SetId, BackupSet] = {}
    proven = [
        backup_set
        for backup_set in sets
        if backup_set.sealed_at and not backup_set.unproven and not _clock_was_off(backup_set)
    ]
    first_from: dict[datetime, BackupSet] = {}
    newest: BackupSet | None = None
    for backup_set in sorted(proven, key=_sealed_order):
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


def _sealed_order(backup_set: BackupSet) -> tuple[datetime, datetime]:
    return backup_set.sealed_at or backup_set.set_id.end, backup_set.set_id.end


def _out_of_order_finding(job: Job, backup_set: BackupSet, earlier: BackupSet) -> Finding:
    set_id = backup_set.set_id
    hide = command("python", "-m", "ops", "set", "quarantine", job.machine, job.name, str(set_id))
    evidence = f"stored at {backup_set.sealed_at:%Y-%m-%d %H:%M:%S} UTC, after {earlier.set_id}"
    if set_id.is_full:
        message = f"is dated before {earlier.set_id}, which was stored earlier"
        return _about("full_backdated", job, backup_set, message, evidence, hide)
    return _about("fork", job, backup_set, f"continues the same set as {earlier.set_id}", evidence, hide)


def _list_versions(job: Job, name: str) -> str:
    words = ("aws", "s3api", "list-object-versions", "--bucket", job.location.bucket)
    return command(*words, "--prefix", job.location.key(name))


def _clock_was_off(backup_set: BackupSet) -> bool:
    sealed_at = backup_set.sealed_at
    if sealed_at is None:
        return False
    return backup_set.set_id.end - sealed_at > CLOCK_OFF_BY


def _usual_increment_bytes(sets: Sequence[BackupSet]) -> float:
    """The median size of the job's increments in bytes; 0 if there are too few."""
    sizes = [
        backup_set.stored_bytes for backup_set in sets if backup_set.sealed and not backup_set.set_id.is_full
    ]
    return statistics.median(sizes) if len(sizes) >= OUTSIZED_MIN_SETS else 0


def _shrunken_source(job: Job) -> list[Finding]:
    run = job.last_run
    if run is None:
        return []
    pairs = (
        ("files", run.source_files, run.earlier_source_files),
        ("bytes", run.source_bytes, run.earlier_source_bytes),
    )
    for what, now, before in pairs:
        if now is not None and before and now < before * SHRUNK_TO:
            return [
                new_finding(
                    "source_shrank",
                    machine=job.machine,
                    job=job.name,
                    subject=run.run,
                    message=f"The last run of {job.machine}/{job.name} found {now} {what} where the one before found "
                    f"{before}.",
                    evidence=f"run begun at {run.started_at:%Y-%m-%d %H:%M} UTC",
                    commands=("panicroom status",),
                )
            ]
    return []


def _about(
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
