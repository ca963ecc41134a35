"""The first call of a backup: whether service, clock and version fit, and what the service knows of the job."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from panicroom import __version__
from panicroom.api import Api, moment_of
from panicroom.backup.preconditions.clock import check_clock
from panicroom.exit_codes import ExitCode, Problem
from panicroom.terminal.reporter import Reporter
from panicroom.wire import JobStatus, MachineStatus

QUIET_MAIL = timedelta(days=8)
"""A mail is due every week; a day late is late."""


def greet(api: Api, job: str, reporter: Reporter) -> JobStatus:
    """Raises ``Problem`` for a wrong clock, for a client that is too old and for a job that the service lacks."""
    status = api.machine()
    check_clock(status.server_time)
    _report_quiet_mail(status, reporter)
    _check_version(status, reporter)
    for known in status.jobs:
        if known.job == job:
            return known
    raise Problem(
        f"the service knows no job {job!r} of this machine; ask the owner to add it", ExitCode.SETTINGS
    )


def _report_quiet_mail(status: MachineStatus, reporter: Reporter) -> None:
    if status.last_weekly_mail_at is None:
        return
    sent_at = moment_of(status.last_weekly_mail_at)
    age = datetime.now(timezone.utc) - sent_at
    if age > QUIET_MAIL:
        reporter.line(f"the last weekly mail went out {age.days} days ago; report it to the owner")


def _check_version(status: MachineStatus, reporter: Reporter) -> None:
    newest, ours = status.newest_client_version, version_numbers(__version__)
    if ours < version_numbers(status.oldest_client_version):
        raise Problem(
            f"panicroom {__version__} is too old for the service; ask its owner for the line that installs {newest}",
            ExitCode.REFUSED,
        )
    if ours < version_numbers(newest):
        reporter.line(f"panicroom {newest} is out; this is {__version__}")


def version_numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())
