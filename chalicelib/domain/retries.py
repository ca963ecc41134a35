"""When what was refused is tried again: soon at first, then seldom, as each try costs what it has to read."""

from __future__ import annotations

from datetime import datetime, timedelta

RESTS_OF_ALERTS = tuple(timedelta(minutes=minutes) for minutes in (0, 1, 2, 4, 8, 16, 30))
"""After the first, the second ... try in a row that failed. The last one goes on: it is as long as from one evaluation
of all jobs to the next, so that a mail that is refused for a month has them read no oftener than else."""

AN_HOUR = timedelta(hours=1)
LONGEST_OF_WEEKLY_MAIL = timedelta(hours=8)
"""Less than the alarm's period: it would be over, and begin again, with each try."""

CLOCKS_DIFFER = timedelta(minutes=5)
"""Of two calls at once the one that read its time first may come second, and then knows what is from after its time.
Two computers' clocks differ by less as well."""

BEFORE_THE_HOUR = timedelta(minutes=10)
"""The weekly mail's schedule fires by the hour, and not to the second."""


def rest_of_alerts(tries: int) -> timedelta:
    """``tries`` in a row have failed, at least one."""
    return RESTS_OF_ALERTS[min(tries, len(RESTS_OF_ALERTS)) - 1]


def rest_of_weekly_mail(since_due: timedelta) -> timedelta:
    """As long again as it was tried in vain."""
    return min(max(since_due, AN_HOUR), LONGEST_OF_WEEKLY_MAIL) - BEFORE_THE_HOUR


def is_resting(until: datetime | None, now: datetime, longest: timedelta) -> bool:
    """What lasts longer than any rest was written by a clock that was ahead."""
    return until is not None and now < until <= now + longest + CLOCKS_DIFFER
