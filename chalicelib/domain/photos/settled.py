"""When a photo job counts as settled, so that a change in it is worth a look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from chalicelib.domain.backups.machines import Job, LastRun, OldChange

SETTLED_AFTER = timedelta(days=30)
"""A year into which pictures still come changes more often than that."""


def was_settled(job: Job, now: datetime) -> bool:
    """Whether a photo job was looked at since its last run, and that run is long ago."""
    run, check = job.last_run, job.last_check
    if job.family is None or run is None or run.ended_at is None or run.exit_code != 0 or check is None:
        return False
    return check.at > run.ended_at and now - run.ended_at >= SETTLED_AFTER


def old_change(run: LastRun, statistics: Mapping[str, float], now: datetime) -> OldChange | None:
    """What a run of a settled job found changed or deleted; new files and other names are none of it."""
    changed = _first(statistics, "ChangedFiles")
    gone = _first(statistics, "DeletedPlainFiles", "DeletedFiles")
    deleted = max(0, gone - _first(statistics, "RenamedFiles"))
    if not run.of_settled or run.exit_code != 0 or changed + deleted <= 0:
        return None
    files = max(_first(statistics, "PlainFiles", "SourceFiles"), changed)
    return OldChange(now, files + deleted, changed, deleted)


def _first(statistics: Mapping[str, float], *names: str) -> int:
    """What duplicity counts as files are folders too; the client of the release before has no other counts."""
    return next((int(statistics[name]) for name in names if name in statistics), 0)
