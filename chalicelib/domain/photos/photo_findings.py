"""What is wrong with a photo job: old pictures that changed, vanished, or rotted."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.backups.machines import Job

SHOWN_FOR = timedelta(days=30)
"""What happened once is over at once; so long the owner hears of it."""

CRITICAL_SHARE = 0.05
"""Of the files: a program that goes wrong, or malware, changes many; somebody who corrects a caption a few."""


def find_photo_trouble(job: Job, now: datetime) -> list[Finding]:
    return [*_old_changes(job, now), *_rot(job)]


def _old_changes(job: Job, now: datetime) -> list[Finding]:
    change = job.old_change
    if job.family is None or change is None or now - change.at > SHOWN_FOR:
        return []
    of = f"of {change.files} files of {job.machine}/{job.name}"
    happened = {
        "old_photo_changed": (
            change.changed,
            f"{change.changed} {of} were changed, where nothing had changed for a month.",
        ),
        "photos_vanished": (
            change.deleted,
            f"{change.deleted} {of} are gone from the disk. The backups before still have them.",
        ),
    }
    when = f"the backup of {change.at:%Y-%m-%d %H:%M} UTC"
    return [
        _old_change(job, code, message, when, is_large=_is_large(files, change.files))
        for code, (files, message) in happened.items()
        if files
    ]


def _old_change(job: Job, code: str, message: str, when: str, *, is_large: bool) -> Finding:
    """The owner acknowledges a large one by approving the job's backups; a small one passes by itself."""
    look = f"panicroom versions --job {job.name}"
    approve = command("python", "-m", "ops", "retention", "approve", job.machine, job.name)
    lines = (look, approve) if is_large else (look,)
    return _about(job, code, message, when, lines, Severity.CRITICAL if is_large else Severity.WARNING)


def _rot(job: Job) -> list[Finding]:
    check = job.last_check
    if job.family is None or check is None or not check.rotted:
        return []
    return [
        _about(
            job,
            "photo_rotted",
            f"{check.rotted} files of {job.machine}/{job.name} have other bytes than they had, though nobody wrote to "
            "them: the disk is failing. The backup has them as they were.",
            f"panicroom photos check, {check.at:%Y-%m-%d}",
            ("panicroom photos check --list",),
        )
    ]


def _is_large(files: int, of_files: int) -> bool:
    return files > CRITICAL_SHARE * of_files


def _about(
    job: Job,
    code: str,
    message: str,
    evidence: str,
    lines: tuple[str, ...],
    severity: Severity | None = None,
) -> Finding:
    return new_finding(
        code,
        machine=job.machine,
        job=job.name,
        subject=code,
        message=message,
        evidence=evidence,
        commands=lines,
        severity=severity,
    )
