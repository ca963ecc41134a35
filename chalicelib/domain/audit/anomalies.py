"""What is wrong with a job's sets, as far as the catalogue can see it from outside."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.audit.sealed_sets import check_sealed
from chalicelib.domain.audit.set_order import (
    about_set,
    bring_back_command,
    out_of_order,
    out_of_order_finding,
)
from chalicelib.domain.backups.freshness import STALLED_AFTER
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.ranges import format_ranges

OUTSIZED_TIMES = 5
OUTSIZED_MIN_BYTES = 2**30
OUTSIZED_MIN_SETS = 4
"""An increment that is five times its job's median, and a gigabyte at least, is what encrypted files look like from
outside. With fewer than four increments there is no usual size."""

SHRUNK_TO = 0.5
"""A run whose source has less than half of what the one before had: an unplugged disk, or a deletion."""


def find_anomalies(job: Job, sets: Sequence[BackupSet], now: datetime) -> list[Finding]:
    """All anomalies of a job's visible sets; ``sets`` in any order."""
    late = out_of_order(sets)
    ends = {backup_set.set_id.end for backup_set in sets if backup_set.sealed}
    starts = {backup_set.set_id.start for backup_set in sets if backup_set.set_id.start is not None}
    usual = _usual_increment_bytes(sets)
    found: list[Finding] = []
    for backup_set in sets:
        found += (
            check_sealed(job, backup_set, ends, starts)
            if backup_set.sealed
            else _of_open(job, backup_set, now)
        )
        found += (
            [out_of_order_finding(job, backup_set, late[backup_set.set_id])]
            if backup_set.set_id in late
            else []
        )
        size = backup_set.stored_bytes
        if usual and not backup_set.set_id.is_full and size > max(OUTSIZED_TIMES * usual, OUTSIZED_MIN_BYTES):
            message = f"is {size / usual:.0f} times as large as this job's increments usually are"
            evidence = f"{size} bytes; the median is {usual:.0f}"
            look = command("python", "-m", "ops", "machine", "show", job.machine)
            found.append(about_set("outsized", job, backup_set, message, evidence, look))
    return found + _shrunken_source(job)


def _of_open(job: Job, backup_set: BackupSet, now: datetime) -> list[Finding]:
    if backup_set.manifest_vanished:
        return [_without_manifest(job, backup_set)]
    if backup_set.changed_at is None or now - backup_set.changed_at <= STALLED_AFTER:
        return []
    message = f"was begun and has had no progress since {backup_set.changed_at:%Y-%m-%d}"
    evidence = f"volumes {format_ranges(backup_set.volumes) or 'none'}, {backup_set.stored_bytes} bytes"
    return [about_set("stalled", job, backup_set, message, evidence, f"panicroom backup {job.name}")]


def _without_manifest(job: Job, backup_set: BackupSet) -> Finding:
    message = "was finished, and its manifest was deleted: it cannot be restored, the laptop takes it for unfinished"
    evidence = f"volumes {format_ranges(backup_set.volumes) or 'none'}, {backup_set.stored_bytes} bytes are still there"
    return about_set(
        "manifest_vanished", job, backup_set, message, evidence, bring_back_command(job, backup_set.set_id)
    )


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
