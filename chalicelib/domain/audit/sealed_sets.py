"""What is wrong with one sealed set."""

from __future__ import annotations

from datetime import datetime

from chalicelib.domain.audit.findings import Finding, command
from chalicelib.domain.audit.set_order import about_set, clock_was_off, quarantine_command, stored_at
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import volume_file
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.ranges import format_gaps, format_ranges


def check_sealed(
    job: Job, backup_set: BackupSet, sealed_ends: set[datetime], starts: set[datetime]
) -> list[Finding]:
    """``sealed_ends`` and ``starts`` are those of all sets of the job."""
    return [
        *_volumes(job, backup_set),
        *_metadata(job, backup_set, sealed_ends),
        *_proof(job, backup_set),
        *_clock(job, backup_set, starts),
    ]


def _volumes(job: Job, backup_set: BackupSet) -> list[Finding]:
    promised, set_id = backup_set.volumes_promised or "an unknown number of", backup_set.set_id
    if not backup_set.volumes:
        message, evidence = "has a manifest and no volumes", f"{promised} volumes promised, none stored"
        commands = quarantine_command(job, backup_set.set_id), _full(job)
        return [about_set("no_volumes", job, backup_set, message, evidence, *commands)]
    if not backup_set.gaps:
        return []
    message = f"is finished, but lacks volume {format_gaps(backup_set.gaps)}"
    evidence = f"{promised} volumes promised; stored: {format_ranges(backup_set.volumes)}"
    look = _list_versions(job, volume_file(set_id, backup_set.gaps[0][0]).name)
    return [about_set("gap", job, backup_set, message, evidence, look, _full(job))]


def _metadata(job: Job, backup_set: BackupSet, sealed_ends: set[datetime]) -> list[Finding]:
    found, start = [], backup_set.set_id.start
    if not backup_set.has_signatures:
        message, evidence = "has no signatures", "no sigtar file of that set"
        found.append(about_set("signatures_missing", job, backup_set, message, evidence, _full(job)))
    if start is not None and start not in sealed_ends:
        message, evidence = "continues a set that is not there", f"no set ends at {start:%Y-%m-%d %H:%M:%S}"
        found.append(about_set("base_missing", job, backup_set, message, evidence, _full(job)))
    return found


def _proof(job: Job, backup_set: BackupSet) -> list[Finding]:
    quarantine = quarantine_command(job, backup_set.set_id)
    if str(backup_set.set_id) in job.false_proofs and backup_set.has_proof:
        message, evidence = "was not made by this machine", f"{stored_at(backup_set)}; its proof is false"
        commands = *_lock_out(job), quarantine
        return [about_set("false_proof", job, backup_set, message, evidence, *commands)]
    if not _lacks_proof(job, backup_set):
        return []
    evidence = f"{stored_at(backup_set)}; sets are signed since {job.proofs_since:%Y-%m-%d %H:%M:%S} UTC"
    return [about_set("unproved_set", job, backup_set, "carries no proof of origin", evidence, quarantine)]


def _clock(job: Job, backup_set: BackupSet, starts: set[datetime]) -> list[Finding]:
    if not clock_was_off(backup_set):
        return []
    end, advice = backup_set.set_id.end, quarantine_command(job, backup_set.set_id)
    message = f"is dated {end:%Y-%m-%d}, but was stored on {backup_set.sealed_at:%Y-%m-%d}"
    if end in starts:
        # To hide it would hide what others continue.
        message += "; later sets continue it, so do not put it into quarantine"
        advice = command("python", "-m", "ops", "machine", "show", job.machine)
    return [about_set("clock_off", job, backup_set, message, stored_at(backup_set), advice)]


def _full(job: Job) -> str:
    return f"panicroom backup full {job.name}"


def _lock_out(job: Job) -> tuple[str, ...]:
    words = ("python", "-m", "ops", "machine")
    return command(*words, "revoke", job.machine), command(*words, "add", job.machine)


def _lacks_proof(job: Job, backup_set: BackupSet) -> bool:
    """Only after the job's first proof: what was stored before could have none."""
    sealed_at = backup_set.sealed_at
    if backup_set.has_proof or sealed_at is None or job.proofs_since is None:
        return False
    return sealed_at > job.proofs_since


def _list_versions(job: Job, name: str) -> str:
    words = ("aws", "s3api", "list-object-versions", "--bucket", job.location.bucket)
    return command(*words, "--prefix", job.location.key(name))
