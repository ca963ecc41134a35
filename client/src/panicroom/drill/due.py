"""Whether a drill is to be run by itself. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from panicroom.api import moment_of
from panicroom.settings import JobSettings
from panicroom.wire import DrillStatus, MachineStatus

_OVERDUE_PERIODS = 2


def due_drills(
    jobs: Iterable[JobSettings], status: MachineStatus, *, only_overdue: bool
) -> tuple[JobSettings, ...]:
    """The jobs whose drill the service waits for. ``only_overdue``: on battery, or on a metered connection."""
    now = moment_of(status.server_time)
    known = {job.job: job.drill for job in status.jobs if job.drill is not None}
    return tuple(
        job
        for job in jobs
        if (drill := known.get(job.job)) is not None
        and drill.due
        and (_is_overdue(drill, now) or not only_overdue)
    )


def _is_overdue(drill: DrillStatus, now: datetime) -> bool:
    if drill.passed_at is None or drill.every_seconds is None:
        return False
    age = (now - moment_of(drill.passed_at)).total_seconds()
    return age > _OVERDUE_PERIODS * drill.every_seconds
