"""When the weekly mail is due. The schedule fires hourly in UTC; the owner's zone is decided here."""

from __future__ import annotations

import dataclasses
from datetime import datetime, time, timedelta, timezone
from enum import IntEnum
from zoneinfo import ZoneInfo


class Weekday(IntEnum):
    """As ``datetime.weekday`` counts."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


@dataclasses.dataclass(frozen=True)
class WeeklyTime:
    """The owner's hour: each ``weekday`` from ``hour`` o'clock in ``zone``."""

    weekday: Weekday
    hour: int
    zone: ZoneInfo

    def latest_issue(self, now: datetime) -> datetime:
        """The newest time, not after ``now``, at which a weekly mail was due; UTC.

        It names the issue: whoever sends first takes that name, so that however often the schedule fires there
        is one mail, and a week in which nothing could be sent is made up for at the next hour.
        """
        local = now.astimezone(self.zone)
        day = local.date() - timedelta(days=(local.weekday() - self.weekday) % 7)
        due = datetime.combine(day, time(self.hour), self.zone)
        if due > local:
            due = datetime.combine(day - timedelta(days=7), time(self.hour), self.zone)
        return due.astimezone(timezone.utc)

    def next_issue(self, now: datetime) -> datetime:
        """The first time after ``now`` at which a weekly mail is due; UTC."""
        latest = self.latest_issue(now).astimezone(self.zone)
        following = datetime.combine(latest.date() + timedelta(days=7), time(self.hour), self.zone)
        return following.astimezone(timezone.utc)
