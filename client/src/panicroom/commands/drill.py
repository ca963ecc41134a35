"""The command ``drill``, and the drills that scheduled backups run."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from panicroom.commands.stored_job import chosen_job
from panicroom.exit_codes import ExitCode, Problem
from panicroom.shown import shown

if TYPE_CHECKING:
    from panicroom.settings import JobSettings, Settings
    from panicroom.terminal.reporter import Reporter


@click.command(short_help="Prove that the backup can be restored.")
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line instead.")
def drill(job: str | None, as_json: bool) -> None:
    """Restore three files into a folder that goes away again, and compare them with the backup's signatures.

    It first looks whether all volumes are stored. Then it takes a file of the newest backup, one of the oldest
    chain and one of any, out of volumes that were never drilled, and tells the service how it went. Nothing is left
    here.

    Scheduled backups do this by themselves, as often as the owner wants (once a month). Volumes in an archive class
    are thawed within an allowance of 2 cents a month: then it ends with exit code 75 and the time to come back, and
    the next scheduled backup after that, or the same command, goes on. Exit code 27: something cannot be restored.
    """
    from panicroom.settings import load_settings
    from panicroom.terminal.progress import make_reporter

    settings = load_settings()
    chosen = chosen_job(settings, job)
    problem = run_drill(settings, chosen, make_reporter(as_json=as_json), as_json=as_json)
    if problem is not None:
        raise problem


def run_drill(settings: Settings, job: JobSettings, reporter: Reporter, *, as_json: bool) -> Problem | None:
    """Runs it, and shows what it has proved; what is wrong, or why it could not be tried."""
    import json

    from panicroom.drill.run import drill as drill_job

    result = drill_job(settings, job, reporter)
    if as_json:
        click.echo(json.dumps(result.as_json()))
    elif result.problem is None:
        for line in result.lines():
            reporter.line(line)
    return result.problem


def run_due_drills(
    settings: Settings,
    jobs: tuple[JobSettings, ...],
    reporter: Reporter,
    *,
    only_overdue: bool,
    as_json: bool,
) -> None:
    """The drills that the service waits for. Whatever becomes of them is printed and reported, and raises nothing: the
    backups of this run are as good as they are."""
    from panicroom.drill.due import due_drills
    from panicroom.terminal.status import fetch_status

    try:
        due = due_drills(jobs, fetch_status(settings), only_overdue=only_overdue)
    except Problem:
        return  # the next run asks again
    for job in due:
        try:
            problem = run_drill(settings, job, reporter, as_json=as_json)
        except Problem as failure:
            problem = failure
        except OSError as failure:  # the disk is full, or a file of ours is somebody else's
            problem = Problem(
                f"{failure.filename or 'a file'}: {failure.strerror or failure}", ExitCode.INTERNAL
            )
        if problem is not None:
            click.echo(f"panicroom: {job.job}: drill: {shown(str(problem), 2000)}", err=True)
