"""Keys in a bucket that belong to no set: strays, unknown jobs, backups of other forms."""

from __future__ import annotations

from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.backups.foreign_names import NameForm, form_of
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import (
    SERVICE_PREFIX,
    Location,
    parse_file_name,
    split_key,
)
from chalicelib.domain.backups.objects import ObjectRow, StoredObject


def check_stray(bucket: str, row: ObjectRow, job: Job | None, *, is_own_bucket: bool) -> list[Finding]:
    """Findings about a key that belongs to no set; ``row.name`` is the whole key, ``job`` whose prefix it
    has."""
    key, stored = row.name, row.stored
    if stored is None or (is_own_bucket and key.startswith(SERVICE_PREFIX)):
        return []
    if job is not None and parse_file_name(key.removeprefix(job.location.prefix)) is not None:
        return []  # the job was added after the file: the weekly reconcile adds it
    owner = job or Job("", "", Location(bucket, ""))
    seen = f"s3://{bucket}/{key}, {described(stored)}"
    parts = split_key(key) if is_own_bucket and job is None else None
    if parts is not None and parse_file_name(parts[2]) is not None:
        return [_of_unknown_job(bucket, parts[0], parts[1], seen)]
    if form_of(key) is not None:
        return [unmanaged(owner, key.removeprefix(owner.location.prefix), stored)]
    return [
        new_finding(
            "stray",
            machine=owner.machine,
            job=owner.name,
            subject=_subject(owner, key),
            message=f"s3://{bucket}/{key} is no duplicity file of a known job.",
            evidence=seen,
            commands=(delete_command(bucket, key),),
        )
    ]


def _of_unknown_job(bucket: str, machine: str, job: str, seen: str) -> Finding:
    folder = f"{machine}/{job}/"
    return new_finding(
        "unknown_job",
        subject=f"{bucket}/{folder}",
        message=f"s3://{bucket}/{folder} holds backup files, and there is no job {machine}/{job}: nobody watches them.",
        evidence=seen,
        commands=(command("python", "-m", "ops", "machine", "add", machine, "--job", job),),
    )


def unmanaged(job: Job, name: str, stored: StoredObject) -> Finding:
    """A file that duplicity may have written and that this service does not manage. Nothing is advised that could
    break a chain: no copy of one file under another name, and no deletion."""
    bucket, key = job.location.bucket, job.location.key(name)
    form = form_of(key) or NameForm.UNKNOWN
    folder = key.rpartition("/")[0]
    what = f"is a backup file {form.value}: the service does not manage such a chain"
    if form is NameForm.PREFIXED:
        what = f"is a backup file, but no job has the prefix {folder}/"
    return new_finding(
        "backup_unmanaged",
        machine=job.machine,
        job=job.name,
        subject=_subject(job, key),
        message=f"s3://{bucket}/{key} {what}.",
        evidence=f"s3://{bucket}/{key}, {described(stored)}",
        commands=(command("aws", "s3", "ls", f"s3://{bucket}/{folder + '/' if folder else ''}"),),
    )


def _subject(job: Job, key: str) -> str:
    """Of a key that belongs to no job with its bucket, of which there may be several."""
    return key if job.machine else f"{job.location.bucket}/{key}"


def described(stored: StoredObject) -> str:
    return f"{stored.size} bytes in {stored.storage_class}, stored {stored.stored_at:%Y-%m-%d %H:%M} UTC"


def delete_command(bucket: str, key: str) -> str:
    return command("aws", "s3api", "delete-object", "--bucket", bucket, "--key", key)
