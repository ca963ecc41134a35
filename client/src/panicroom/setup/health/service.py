"""What the service says of this machine: its clock, its version, its backups and the mail."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator

from panicroom import __version__
from panicroom.api import moment_of
from panicroom.backup.preconditions.clock import check_clock
from panicroom.backup.preconditions.greeting import QUIET_MAIL, version_numbers
from panicroom.exit_codes import Problem
from panicroom.settings import Settings
from panicroom.setup.health.check_result import FAIL, OK, WARN, CheckResult
from panicroom.stored.times import time_text
from panicroom.terminal.status import duration_text
from panicroom.wire import MachineStatus


def clock(status: MachineStatus) -> CheckResult:
    """More than ten minutes off, and the service refuses every set."""
    try:
        check_clock(status.server_time)
    except Problem as problem:
        return CheckResult("clock", FAIL, str(problem))
    return CheckResult("clock", OK, "within ten minutes of the service's")


def versions(status: MachineStatus) -> CheckResult:
    ours = version_numbers(__version__)
    if ours < version_numbers(status.oldest_client_version):
        return CheckResult(
            "version",
            FAIL,
            f"{__version__} is too old, the service wants {status.oldest_client_version}: ask its owner for the"
            f" line that installs {status.newest_client_version}",
        )
    newest = version_numbers(status.newest_client_version)
    if ours < newest:
        text = (
            f"{__version__}; {status.newest_client_version} is out: ask the service's owner for the line that"
            " installs it"
        )
        return CheckResult("version", WARN, text)
    if ours > newest:
        text = f"{__version__} is newer than the service knows; ask its owner to bring it up to date"
        return CheckResult("version", WARN, text)
    return CheckResult("version", OK, f"{__version__} is the newest")


def last_runs(settings: Settings, status: MachineStatus) -> Iterator[CheckResult]:
    """How the service evaluates each job that has settings here, and none that has not."""
    known = {job.job: job for job in status.jobs}
    for mine in settings.jobs:
        job = known.get(mine.job)
        name = f"job {mine.job}"
        if job is None:
            yield CheckResult(name, FAIL, "the service does not know it; ask the owner to add it")
        elif job.state in ("overdue", "failing", "never"):
            ended = job.last_run.exit_code if job.last_run else None
            why = f", the last run ended with code {ended}" if ended else ""
            advice = "" if settings.reader else f"; run: panicroom backup {job.job}"
            yield CheckResult(name, WARN, f"{job.state}{why}{advice}")
        else:
            yield CheckResult(name, OK, job.state)
    for missing in sorted(known.keys() - {job.job for job in settings.jobs}):
        advice = f"add [jobs.{missing}] to the settings"
        if known[missing].family is not None:
            advice = f"if it is elsewhere: panicroom photos folder --job {missing} DIR"
        yield CheckResult(f"job {missing}", WARN, f"it has no folder on this machine; {advice}")


def reading(settings: Settings, status: MachineStatus) -> Iterator[CheckResult]:
    """Of a computer that makes no backups."""
    if settings.reader:
        until = f" until {time_text(moment_of(status.reader_until))}" if status.reader_until else ""
        text = f"this computer only reads, by a recovery code{until}; to back up from here: panicroom enrol URL CODE"
        yield CheckResult("recovery", OK, text)


def weekly_mail(status: MachineStatus) -> CheckResult:
    """The mail is what notices silence; a mail that stopped has to be noticed by somebody else."""
    if status.last_weekly_mail_at is None:
        return CheckResult(
            "weekly mail",
            WARN,
            "none has gone out yet; if the service is over a week old, report it to the owner",
        )
    age = moment_of(status.server_time) - moment_of(status.last_weekly_mail_at)
    ago = f"the last went out {duration_text(age.total_seconds())} ago"
    if age > QUIET_MAIL:
        return CheckResult("weekly mail", WARN, f"{ago}, and should every week; report it to the owner")
    return CheckResult("weekly mail", OK, ago)
