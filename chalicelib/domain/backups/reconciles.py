"""The weekly reconcile of every job's rows with its bucket: whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from chalicelib.domain.backups.machines import Job, ReconcileProgress
from chalicelib.domain.weekly import Weekday, WeeklyTime

RECONCILED_FROM = WeeklyTime(Weekday.SUNDAY, hour=3, zone=ZoneInfo("UTC"))
"""From then on each job is reconciled once until the same hour of the next week."""

_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def reconciles_due(jobs: Iterable[Job], now: datetime) -> list[Job]:
    """The jobs not reconciled to their end since the week began, in the order in which to take them.

    Whichever was taken up longest ago comes first: a job on which a call dies is tried again behind all others.
    """
    since = RECONCILED_FROM.latest_issue(now)
    due = [(job.reconcile or ReconcileProgress(_NEVER), job) for job in jobs]
    waiting = [
        (progress.begun_at, job)
        for progress, job in due
        if progress.done_at is None or progress.done_at < since
    ]
    return [job for _, job in sorted(waiting, key=lambda pair: pair[0])]
