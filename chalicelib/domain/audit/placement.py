"""Whether a stored object is where it belongs: under the right prefix, in the right class, with the right tag.

Everything here needs one object only, so it is found at its event. ``Custody`` is how much may be expected: of
a bucket that the service made all of it, of an adopted one only what a restore needs.
"""

from __future__ import annotations

import dataclasses
from urllib.parse import quote

from chalicelib.domain.audit.custody import Custody, WatchedJob
from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.audit.strays import described, unmanaged
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import (
    BackupFile,
    FileKind,
    parse_file_name,
)
from chalicelib.domain.backups.objects import ObjectRow, StoredObject
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.storage import POLICY_OF_TAG, STANDARD, STORAGE_TAG_KEY, needs_thaw

LARGEST_COPY_BYTES = 5 * 2**30
"""CopyObject takes no more; the CLI's ``s3 cp`` then copies in parts."""


def check_object(watched: WatchedJob, row: ObjectRow, backup_set: BackupSet) -> list[Finding]:
    """What is wrong with a file of ``backup_set``; nothing, of a key that holds nothing now."""
    file, stored = parse_file_name(row.name), row.stored
    if file is None or stored is None:
        return []
    if not file.is_under_right_prefix:
        # duplicity names its files without prefixes unless told otherwise: that is a chain of its own, not a mistake.
        if not file.prefix:
            return [] if watched.custody is Custody.FOREIGN else [unmanaged(watched.job, row.name, stored)]
        return [_wrong_prefix(watched, row.name, file, stored, backup_set)]
    found = [_wrong_class(watched, row.name, file, stored), _wrong_tag(watched, row.name, file, stored)]
    return [finding for finding in found if finding is not None]


def _wrong_prefix(
    watched: WatchedJob, name: str, file: BackupFile, stored: StoredObject, backup_set: BackupSet
) -> Finding:
    job, bucket = watched.job, watched.job.location.bucket
    right = dataclasses.replace(file, prefix=file.expected_prefix).name
    what = "A volume" if file.kind is FileKind.VOLUME else f"A {file.kind.value} file"
    wrong_key, right_key = job.location.key(name), job.location.key(right)
    tagging = job.storage.tagging if file.kind is FileKind.VOLUME and watched.custody is Custody.OWN else None
    twice = _is_there(backup_set, file)
    look = command("aws", "s3api", "head-object", "--bucket", bucket, "--key", right_key)
    return new_finding(
        "misplaced_copy" if twice else "wrong_prefix",
        machine=job.machine,
        job=job.name,
        subject=name,
        message=f"{what} of the set {file.set_id} of {watched.label} is called {file.prefix or 'without a prefix'} "
        f"instead of {file.expected_prefix}: "
        + ("the right one is there as well." if twice else "duplicity does not find it."),
        evidence=f"s3://{bucket}/{wrong_key}, {described(stored)}",
        # A copy over the right one could put a broken file in its place. And what duplicity may have written is never
        # advised to be deleted.
        commands=(look,)
        if twice
        else (*_thaw(bucket, wrong_key, stored), _copy(bucket, wrong_key, right_key, stored, tagging)),
    )


def _is_there(backup_set: BackupSet, file: BackupFile) -> bool:
    """Whether the set has that file under its right name."""
    if file.volume is not None:
        return file.volume in backup_set.volumes
    return {
        FileKind.MANIFEST: backup_set.sealed,
        FileKind.SIGNATURES: backup_set.has_signatures,
        FileKind.JSONSTAT: backup_set.has_jsonstat,
    }[file.kind]


def _wrong_class(watched: WatchedJob, name: str, file: BackupFile, stored: StoredObject) -> Finding | None:
    job, bucket, key = watched.job, watched.job.location.bucket, watched.job.location.key(name)
    if file.kind is FileKind.VOLUME:
        if watched.custody is not Custody.OWN or stored.storage_class in _classes_for(
            job, stored.storage_tag
        ):
            return None
        code, should_be = "wrong_class", " or ".join(dict.fromkeys((STANDARD, job.storage.archive_class)))
        tagging = job.storage.tagging
    elif stored.storage_class == STANDARD:
        return None
    else:
        code = "metadata_archived" if needs_thaw(stored.storage_class) else "wrong_class"
        should_be, tagging = STANDARD, None
    what = f"Volume {file.volume}" if file.volume else f"The {file.kind.value} file"
    therefore = ": it cannot be read before a thaw." if needs_thaw(stored.storage_class) else "."
    return new_finding(
        code,
        machine=job.machine,
        job=job.name,
        subject=name,
        message=f"{what} of the set {file.set_id} of {watched.label} is in {stored.storage_class} instead of "
        f"{should_be}{therefore}",
        evidence=f"s3://{bucket}/{key}, {described(stored)}",
        commands=(*_thaw(bucket, key, stored), _copy(bucket, key, key, stored, tagging)),
    )


def _classes_for(job: Job, storage_tag: str | None) -> frozenset[str]:
    """Where a volume may be: its tag names the policy under which it was uploaded, which may have changed since."""
    tagged = POLICY_OF_TAG.get(storage_tag or "")
    return frozenset({STANDARD, job.storage.archive_class, *([tagged.archive_class] if tagged else [])})


def _wrong_tag(watched: WatchedJob, name: str, file: BackupFile, stored: StoredObject) -> Finding | None:
    job, tag = watched.job, stored.storage_tag
    if tag is None or watched.custody is not Custody.OWN:
        return None
    is_volume = file.kind is FileKind.VOLUME
    if (tag in POLICY_OF_TAG) if is_volume else not tag:
        return None
    bucket, key = job.location.bucket, job.location.key(name)
    words = ["--bucket", bucket, "--key", key]
    repair = (
        command("aws", "s3api", "put-object-tagging", *words, "--tagging", _tag_set(job))
        if is_volume
        else command("aws", "s3api", "delete-object-tagging", *words)
    )
    has = f"the tag {STORAGE_TAG_KEY}={tag}" if tag else f"no tag {STORAGE_TAG_KEY}"
    means = (
        "no rule will archive it" if is_volume else "it is metadata, and a rule for volumes will archive it"
    )
    return new_finding(
        "wrong_tag",
        machine=job.machine,
        job=job.name,
        subject=name,
        message=f"{name} of {watched.label} has {has}: {means}.",
        evidence=f"s3://{bucket}/{key}, {described(stored)}",
        commands=(repair,),
    )


def _tag_set(job: Job) -> str:
    return f"TagSet=[{{Key={STORAGE_TAG_KEY},Value={job.storage.tag_value}}}]"


def _thaw(bucket: str, key: str, stored: StoredObject) -> tuple[str, ...]:
    """To ask for the thaw, and to see whether it is done: ``ongoing-request="false"``."""
    if not needs_thaw(stored.storage_class):
        return ()
    words = ("--bucket", bucket, "--key", key)
    request = '{"Days": 7, "GlacierJobParameters": {"Tier": "Standard"}}'
    return (
        command("aws", "s3api", "restore-object", *words, "--restore-request", request),
        command("aws", "s3api", "head-object", *words, "--query", "Restore"),
    )


def _copy(bucket: str, source: str, target: str, stored: StoredObject, tagging: str | None) -> str:
    """Copies in S3, to Standard, with the tag of a volume or with none; the version that was there stays."""
    if stored.size > LARGEST_COPY_BYTES:
        words = ("aws", "s3", "cp", f"s3://{bucket}/{source}", f"s3://{bucket}/{target}")
        return command(*words, "--storage-class", STANDARD)
    tags = ("--tagging-directive", "REPLACE", *(("--tagging", tagging) if tagging else ()))
    call = ("aws", "s3api", "copy-object", "--bucket", bucket, "--key", target)
    return command(*call, "--copy-source", quote(f"{bucket}/{source}"), "--storage-class", STANDARD, *tags)
