"""Whether a drill is to be run by itself. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from panicroom.api import moment_of
from panicroom.settings import JobSettings
from panicroom.wire import DrillOutcome, DrillStatus, MachineStatus


def due_drills(
    jobs: Iterable[JobSettings], status: MachineStatus, *, only_overdue: bool
) -> tuple[JobSettings, ...]:
    """The jobs whose drill the service waits for. ``only_overdue``: on a low battery, or on a metered connection.

    The folders of a family take turns, as if they were one job: a drill of each of them each month would cost nine
    times as much, and prove little more.
    """
    now = moment_of(status.server_time)
    drills = {job.job: job.drill for job in status.jobs if job.drill is not None}
    families = {job.family for job in status.jobs if job.family is not None}
    here = [job for job in jobs if job.job in drills]
    due = [job.job for job in here if job.family not in families and drills[job.job].due]
    for family in families:
        of_family = {
            job.job: drills[job.job] for job in status.jobs if job.family == family and job.job in drills
        }
        turn = _turn([job.job for job in here if job.family == family], of_family, now)
        if turn is not None:
            due.append(turn)
            passed_at = max(
                (drill.passed_at for drill in of_family.values() if drill.passed_at), default=None
            )
            drills[turn] = replace(drills[turn], passed_at=passed_at)
    return tuple(
        job for job in here if job.job in due and (_is_overdue(drills[job.job], now) or not only_overdue)
    )


def _turn(here: Collection[str], drills: Mapping[str, DrillStatus], now: datetime) -> str | None:
    """The folder whose drill is to be begun or carried on with, of those that are ``here``; ``drills`` are those of the
    whole family."""
    goes_on = (DrillOutcome.ASKED, DrillOutcome.FAILED)
    begun = [folder for folder in here if drills[folder].outcome in goes_on]
    newest = max((drill for drill in drills.values() if drill.passed_at), key=_passed_at, default=None)
    if not begun and newest is not None and _age(newest, now) < (newest.every_seconds or 0):
        return None
    due = (folder for folder in begun or here if drills[folder].due)
    return min(due, key=lambda folder: _passed_at(drills[folder]), default=None)


def _passed_at(drill: DrillStatus) -> str:
    """As the service writes times, which sort so; nothing before all of them."""
    return drill.passed_at or ""


def _is_overdue(drill: DrillStatus, now: datetime) -> bool:
    """Whether it has been due for as long as it is from one drill to the next: nothing may be postponed for ever."""
    if drill.every_seconds is None:
        return False
    if drill.passed_at is not None:
        return _age(drill, now) > 2 * drill.every_seconds
    if drill.first_due_at is None:
        return False
    return (now - moment_of(drill.first_due_at)).total_seconds() > drill.every_seconds


def _age(drill: DrillStatus, now: datetime) -> float:
    """Seconds since it passed."""
    assert drill.passed_at is not None
    return (now - moment_of(drill.passed_at)).total_seconds()
