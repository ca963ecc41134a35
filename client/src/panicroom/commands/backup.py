"""The commands ``backup`` and ``status``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from panicroom.exit_codes import ExitCode, Problem

if TYPE_CHECKING:
    pass


_KINDS = {"full": "full", "incremental": "incremental", "inc": "incremental"}


@click.command(short_help="Back up all jobs, or one.")
@click.argument("what", nargs=-1, metavar="[full|incremental] [JOB]")
@click.option("--scheduled", is_flag=True, help="As timers run it: a failure also shows on the desktop.")
@click.option("--if-due", is_flag=True, help="Only jobs whose newest backup is older than their period.")
@click.option(
    "--accept-smaller", is_flag=True, help="Back up though half of the files are gone since the last backup."
)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each event instead.")
@click.option("--dry-run", is_flag=True, help="Only say what a backup would do; nothing is stored.")
def backup(
    what: tuple[str, ...],
    scheduled: bool,
    if_due: bool,
    accept_smaller: bool,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Back up all jobs, or JOB; in full where there is no full backup yet, else what changed.

    The setting full_every asks for a new full backup from time to time. A source that is missing, empty, or has
    lost half of its files since the last backup is not backed up, as that is rarely what somebody wanted.

    A backup that was interrupted is carried on with, and what changed in the meantime follows in an
    increment at once. Killing it, losing the network or shutting the lid is harmless.

    Examples:

    \b
    panicroom backup                      # all jobs
    panicroom backup photos --dry-run     # only say what would happen
    panicroom backup full photos          # everything again
    """
    from panicroom.backup.dry_run import rehearse
    from panicroom.backup.run import back_up
    from panicroom.settings import load_settings
    from panicroom.terminal.progress import make_reporter

    words = list(what)
    kind = _KINDS[words.pop(0)] if words and words[0] in _KINDS else None
    if len(words) > 1:
        raise Problem("give at most one JOB: panicroom backup [full|incremental] [JOB]", ExitCode.USAGE)
    settings = load_settings()
    reporter = make_reporter(as_json=as_json)
    jobs = (settings.job_named(words[0]),) if words else settings.jobs
    if if_due:
        from panicroom.setup.schedule import due_jobs
        from panicroom.terminal.status import fetch_status

        jobs = due_jobs(jobs, fetch_status(settings))
    exit_code = ExitCode.DONE
    for job in jobs:
        try:
            if dry_run:
                rehearse(settings, job, kind, reporter)
            else:
                back_up(settings, job, kind, reporter, accept_smaller=accept_smaller)
        except Problem as problem:  # the other jobs have a right to their backup
            click.echo(
                f"panicroom: {problem}" if len(jobs) == 1 else f"panicroom: {job.job}: {problem}", err=True
            )
            exit_code = problem.exit_code
            reporter.failed(job.job, problem)
            if scheduled:
                from panicroom.terminal.desktop_notification import tell_failure

                tell_failure(job.job, problem)
    raise click.exceptions.Exit(exit_code)


@click.command(short_help="Show how fresh the backups are.")
def status() -> None:
    """Show how fresh the backups of this machine are, as the service judges them."""
    from panicroom.settings import load_settings
    from panicroom.terminal.status import fetch_status, status_lines

    for line in status_lines(fetch_status(load_settings()), _columns()):
        click.echo(line)


def _columns() -> int:
    """The width of the terminal; without one nothing is too wide."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 1000
