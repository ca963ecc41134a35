"""What is wrong with a job's sets, as far as the catalogue can see it from outside."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

from chalicelib.domain.machines import Job
from chalicelib.domain.sets import BackupSet, format_ranges

STALLED_AFTER = timedelta(days=2)
"""An open set without progress for so long is no backup in progress."""

CLOCK_OFF_BY = timedelta(days=2)
"""Between a set's name (the laptop's clock when it began) and S3's time of its manifest. A full backup over a slow line
takes days, so only a name later than S3's time, or an increment this much earlier, counts."""

OUTSIZED_TIMES = 5
OUTSIZED_MIN_BYTES = 2**30
OUTSIZED_MIN_SETS = 4
"""An increment that is five times its job's median, and a gigabyte at least, is what encrypted files look like from
outside. With fewer than four increments there is no usual size."""

SHRUNK_TO = 0.5
"""A run whose source has less than half of what the one before had: an unplugged disk, or a deletion."""


class Severity(str, Enum):
    CRITICAL = "critical"
    WARNING = "warning"


@dataclasses.dataclass(frozen=True)
class Finding:
    """``code`` is stable; ``subject`` tells findings of one code and job apart; ``advice`` says what to do."""

    code: str
    severity: Severity
    machine: str
    job: str
    subject: str
    message: str
    advice: str


def find_anomalies(job: Job, sets: Sequence[BackupSet], now: datetime) -> list[Finding]:
    """All anomalies of a job's visible sets; ``sets`` in any order."""
    ends = {one.set_id.end for one in sets if one.sealed}
    usual = _usual_increment_bytes(sets)
    found: list[Finding] = []
    for backup_set in sets:
        found += _anomalies_of_set(job, backup_set, ends, now)
        size = backup_set.stored_bytes
        if usual and not backup_set.set_id.is_full and size > max(OUTSIZED_TIMES * usual, OUTSIZED_MIN_BYTES):
            found.append(
                _finding(
                    job,
                    "outsized",
                    Severity.WARNING,
                    backup_set,
                    f"is {size / usual:.0f} times as large as this job's increments usually are",
                    "If nothing explains it, look whether the machine's files are still readable: ransomware "
                    "changes all of them. Earlier sets are untouched.",
                )
            )
    return found + _shrunken_source(job)


def _anomalies_of_set(
    job: Job, backup_set: BackupSet, sealed_ends: set[datetime], now: datetime
) -> list[Finding]:
    found: list[Finding] = []

    def note(code: str, severity: Severity, message: str, advice: str) -> None:
        found.append(_finding(job, code, severity, backup_set, message, advice))

    if not backup_set.sealed:
        if backup_set.changed_at and now - backup_set.changed_at > STALLED_AFTER:
            note(
                "stalled",
                Severity.WARNING,
                f"was begun and has had no progress since {backup_set.changed_at:%Y-%m-%d}",
                "Start 'panicroom backup' on the machine: it goes on where it was.",
            )
        return found
    if not backup_set.volumes:
        note(
            "no_volumes",
            Severity.CRITICAL,
            "has a manifest and no volumes",
            "Nothing of it can be restored. Put it into quarantine and back up again.",
        )
    elif backup_set.gaps:
        note(
            "gap",
            Severity.CRITICAL,
            f"is finished, but lacks volume {format_ranges(backup_set.gaps)}",
            "Files in it cannot be restored. Look for a noncurrent version of the volume; "
            "otherwise make a full backup.",
        )
    if not backup_set.has_signatures:
        note(
            "signatures_missing",
            Severity.CRITICAL,
            "has no signatures",
            "It can be restored, but no increment can follow it. Make a full backup.",
        )
    if backup_set.set_id.start is not None and backup_set.set_id.start not in sealed_ends:
        note(
            "base_missing",
            Severity.CRITICAL,
            "continues a set that is not there",
            "It cannot be restored without it. Make a full backup.",
        )
    if _clock_was_off(backup_set):
        note(
            "clock_off",
            Severity.WARNING,
            f"is dated {backup_set.set_id.end:%Y-%m-%d}, but was stored on {backup_set.sealed_at:%Y-%m-%d}",
            "Set the machine's clock. If increments fail, put this set into quarantine.",
        )
    return found


def _clock_was_off(backup_set: BackupSet) -> bool:
    sealed_at = backup_set.sealed_at
    if sealed_at is None:
        return False
    ahead = backup_set.set_id.end - sealed_at
    return ahead > timedelta(minutes=10) or (not backup_set.set_id.is_full and -ahead > CLOCK_OFF_BY)


def _usual_increment_bytes(sets: Sequence[BackupSet]) -> float:
    """The median size of the job's increments in bytes; 0 if there are too few to tell."""
    sizes = [one.stored_bytes for one in sets if one.sealed and not one.set_id.is_full]
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
                Finding(
                    "source_shrank",
                    Severity.WARNING,
                    job.machine,
                    job.name,
                    run.run,
                    f"The last run of {job.machine}/{job.name} found {now} {what} where the one before found {before}.",
                    "Look whether a disk is unplugged or a folder hidden. Earlier sets still hold everything.",
                )
            ]
    return []


def _finding(
    job: Job, code: str, severity: Severity, backup_set: BackupSet, message: str, advice: str
) -> Finding:
    set_name = str(backup_set.set_id)
    sentence = f"The set {set_name} of {job.machine}/{job.name} {message}."
    return Finding(code, severity, job.machine, job.name, set_name, sentence, advice)
