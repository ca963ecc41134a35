"""The weekly comparison of every job's rows with its bucket: whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from chalicelib.domain.backups.machines import Comparison, Job
from chalicelib.domain.weekly import Weekday, WeeklyTime

COMPARED_FROM = WeeklyTime(Weekday.SUNDAY, hour=3, zone=ZoneInfo("UTC"))
"""From then on each job is compared once until the same hour of the next week."""

_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def comparisons_due(jobs: Iterable[Job], now: datetime) -> list[Job]:
    """The jobs that were not compared to their end since the week began, in the order in which to take them.

    Whichever was taken up longest ago comes first: a job on which a call dies is tried again behind all others.
    """
    since = COMPARED_FROM.latest_issue(now)
    due = [(job.comparison or Comparison(_NEVER), job) for job in jobs]
    waiting = [(one.begun_at, job) for one, job in due if one.done_at is None or one.done_at < since]
    return [job for _, job in sorted(waiting, key=lambda pair: pair[0])]
