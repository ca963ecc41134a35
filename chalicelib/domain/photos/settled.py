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
    """What a run of a settled job found changed or deleted, by duplicity's own count; new files are none of it."""
    changed, deleted = (int(statistics.get(name, 0)) for name in ("ChangedFiles", "DeletedFiles"))
    if not run.of_settled or run.exit_code != 0 or changed + deleted <= 0:
        return None
    files = max(int(statistics.get("SourceFiles", 0)), changed)
    return OldChange(now, files + deleted, changed, deleted)
