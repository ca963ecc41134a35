"""Drills: real restores of a few files, that prove what is stored. When one is due, and what a report makes of it."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from chalicelib.domain.backups.machines import Job, LastDrill
from chalicelib.wire import DrillOutcome, DrillReport

FIRST_AFTER = timedelta(days=7)
"""A new job has other worries in its first week; its volumes are not archived before that either."""

LOOK_AGAIN_AFTER = timedelta(hours=6)
"""From one look at a drill that waits for archived volumes to the next: Bulk takes 5 to 48 hours."""

TRY_AGAIN_AFTER = timedelta(hours=20)
"""After a failure, or where it could not be tried: at the next day's backup, be it some hours earlier in the day."""

MAX_MESSAGE_LENGTH = 300


def is_drill_due(job: Job, first_complete_at: datetime | None, now: datetime) -> bool:
    """Whether the client is to begin a drill, or to go on with the one that waits."""
    if not job.drill_every_seconds or first_complete_at is None:
        return False
    drill = job.last_drill
    if drill is None:
        return now - first_complete_at >= FIRST_AFTER
    since_report = now - drill.reported_at
    if drill.outcome is DrillOutcome.ASKED:
        return since_report >= LOOK_AGAIN_AFTER
    if drill.outcome is DrillOutcome.FAILED:
        return since_report >= TRY_AGAIN_AFTER
    if drill.outcome is DrillOutcome.SKIPPED and since_report < TRY_AGAIN_AFTER:
        return False
    if drill.passed_at is None:
        return now - first_complete_at >= FIRST_AFTER
    return now - drill.passed_at >= timedelta(seconds=job.drill_every_seconds)


def first_due_at(job: Job, first_complete_at: datetime | None) -> datetime | None:
    """Since when a first drill is wanted, by the job's age and what the owner wants; ``None`` once one has passed."""
    has_passed = job.last_drill is not None and job.last_drill.passed_at is not None
    if has_passed or not job.drill_every_seconds or first_complete_at is None:
        return None
    due_at = first_complete_at + FIRST_AFTER
    return max(due_at, job.drills_since or due_at)


def after_report(known: LastDrill | None, report: DrillReport, now: datetime) -> LastDrill:
    """A failure stands until a drill has passed, whatever is reported in between."""
    message = (report.message or "")[:MAX_MESSAGE_LENGTH]
    before = known or LastDrill(report.outcome, now)
    drill = dataclasses.replace(
        before, outcome=report.outcome, reported_at=now, message=message, asked_at=None
    )
    if report.outcome is DrillOutcome.ASKED:
        return dataclasses.replace(drill, asked_at=before.asked_at or now)
    if report.outcome is DrillOutcome.FAILED:
        return dataclasses.replace(drill, failed_at=now, failure=message)
    if report.outcome is DrillOutcome.PASSED:
        passed = dataclasses.replace(drill, passed_at=now, failed_at=None, failure="")
        return dataclasses.replace(passed, passed_files=report.files, passed_bytes=report.bytes)
    return drill
