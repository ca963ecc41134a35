"""The command ``photos check``, and the reading that scheduled backups do."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from panicroom.exit_codes import ExitCode, Problem
from panicroom.shown import shown

if TYPE_CHECKING:
    from panicroom.photos.check import CheckedJob
    from panicroom.photos.hashes import PassTimes
    from panicroom.settings import JobSettings, Settings
    from panicroom.terminal.reporter import Reporter

SCHEDULED_SECONDS = 600
"""For which a scheduled backup reads pictures, at most: 60 GB of a disk with 100 MB a second."""

_UNITS = {"s": 1, "m": 60, "h": 3600}


class _Seconds(click.ParamType[int]):
    """``30m``: seconds, minutes or hours."""

    name = "duration"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> int:
        match = re.fullmatch(r"(\d{1,5})([smh])", value)
        if match is None or not int(match[1]):
            self.fail(f"{value!r} is no duration such as 30m, 2h or 90s", param, context)
        return int(match[1]) * _UNITS[match[2]]


@click.command(short_help="Read pictures, and find those that the disk has damaged.")
@click.argument("job", required=False)
@click.option("--all", "of_all", is_flag=True, help="All of the pictures, not one folder.")
@click.option(
    "--for",
    "seconds",
    type=_Seconds(),
    metavar="30m",
    help="One folder after the other, until so much time is over (90s, 30m, 2h).",
)
@click.option(
    "--list", "only_list", is_flag=True, help="Only show what is known to be damaged; read nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line instead.")
def check(job: str | None, of_all: bool, seconds: int | None, only_list: bool, as_json: bool) -> None:
    """Read the pictures of one folder, and compare their bytes with those that they had at the last check.

    A disk can change a picture without a trace: its date stays, so no backup looks at it, and the backup keeps the good
    one. This finds it, and says how to bring it back. Nothing is written to the pictures, nothing is uploaded.

    JOB is a folder's job, or the family; without it the folder is taken that was not looked at the longest. The first
    check only learns what there is. Interrupted, or when the time is over, the next one goes on from there. Exit code
    35: pictures are damaged.

    Examples:

    \b
    panicroom photos check                # one folder
    panicroom photos check --for 30m      # as many as half an hour allows
    panicroom photos check --all
    """
    from panicroom.settings import load_settings
    from panicroom.terminal.progress import make_reporter

    settings = load_settings()
    settings.refuse_reader()
    jobs = _photo_jobs(settings, job)
    reporter = make_reporter(as_json=as_json)
    if only_list:
        checked, exit_code = _listed(settings, jobs), ExitCode.DONE
        _show(checked, reporter, as_json=as_json)
    else:
        checked, exit_code = run_checks(
            settings, jobs, reporter, of_all=of_all, seconds=seconds, as_json=as_json
        )
    _show_coverage(settings, jobs, reporter)
    worst = max((found.exit_code for found in checked), default=ExitCode.DONE)
    raise click.exceptions.Exit(worst or exit_code)


def run_checks(
    settings: Settings,
    jobs: Sequence[JobSettings],
    reporter: Reporter,
    *,
    of_all: bool,
    seconds: int | None,
    as_json: bool,
) -> tuple[list[CheckedJob], ExitCode]:
    """Checks one of the jobs, all of them, or as many as ``seconds`` allow, and shows what is found: that, and the exit
    code of the last one that could not be checked. It is reported to the service where that can be."""
    from panicroom.photos.check import begin_round, check_job, next_jobs
    from panicroom.photos.check_report import report_found

    now = time.time()
    order = next_jobs(jobs, _passes(settings, jobs), int(now), of_all=of_all)
    if of_all:
        begin_round(settings, order, int(now))
    checked: list[CheckedJob] = []
    exit_code = ExitCode.DONE
    for job in order if of_all or seconds is not None else order[:1]:
        until = None if seconds is None else now + seconds
        if until is not None and time.time() >= until:
            break
        try:
            found = check_job(settings, job, reporter, until=until)
        except Problem as problem:  # the others are looked at all the same
            exit_code = problem.exit_code
            click.echo(f"panicroom: {job.job}: {shown(str(problem), 2000)}", err=True)
            continue
        checked.append(found)
        _show([found], reporter, as_json=as_json)
    try:
        report_found(settings, checked)
    except Problem as problem:
        reporter.line(f"the service does not know of this check yet, the next backup tells it: {problem}")
    return checked, exit_code


def run_due_checks(
    settings: Settings, jobs: Sequence[JobSettings], reporter: Reporter, *, as_json: bool
) -> None:
    """Reads for ten minutes at most, after a scheduled backup, what was not read for 90 days. What is found is shown,
    on the desktop too, and reported; it raises nothing, as the backups are as good as they are."""
    from panicroom.photos.check import due_jobs_of
    from panicroom.terminal.desktop_notification import show_notice

    passes = _passes(settings, jobs)
    due = due_jobs_of([job for job in jobs if job.family is not None], passes, int(time.time()))
    if not due:
        return
    try:
        checked, _exit_code = run_checks(
            settings, due, reporter, of_all=False, seconds=SCHEDULED_SECONDS, as_json=as_json
        )
    except (Problem, OSError) as problem:
        click.echo(f"panicroom: pictures were not checked: {shown(str(problem), 2000)}", err=True)
        return
    damaged = [found.job.job for found in checked if found.exit_code == ExitCode.ROTTED]
    if damaged:
        show_notice(
            "Pictures are damaged on the disk", f"{', '.join(damaged)}: panicroom photos check --list"
        )


def _passes(settings: Settings, jobs: Sequence[JobSettings]) -> dict[str, PassTimes]:
    from panicroom.photos.hashes import recall_hashes

    return {job.job: recall_hashes(settings.job_state(job.job)).newest_pass for job in jobs}


def _photo_jobs(settings: Settings, name: str | None) -> list[JobSettings]:
    of_photos = [job for job in settings.jobs if job.family is not None]
    if not of_photos:
        raise Problem(
            "this machine has no pictures that panicroom has made jobs of; the owner adds them with: python -m ops "
            f"machine add {settings.machine} --photos",
            ExitCode.SETTINGS,
        )
    chosen = [job for job in of_photos if name in (None, job.family, job.job)]
    if not chosen and name is not None:
        chosen_job = settings.job_named(name).job
        raise Problem(f"{chosen_job} is no folder of pictures", ExitCode.USAGE)
    return chosen


def _listed(settings: Settings, jobs: Sequence[JobSettings]) -> list[CheckedJob]:
    from panicroom.photos.check import CheckedJob, rotted_files
    from panicroom.photos.coverage import cover_job
    from panicroom.photos.hashes import recall_hashes

    found = []
    for job in jobs:
        store = recall_hashes(settings.job_state(job.job))
        rotted = rotted_files(store, store.files)
        found.append(CheckedJob(job, cover_job(settings, job), rotted))
    return found


def _show(checked: Sequence[CheckedJob], reporter: Reporter, *, as_json: bool) -> None:
    import json
    from datetime import datetime

    from panicroom.photos import check_report

    for found in checked:
        if as_json:
            click.echo(json.dumps({"event": "checked", **check_report.as_json(found)}))
            continue
        for line in check_report.found_lines(found, datetime.now().astimezone()):
            (click.echo if line.startswith(" ") else reporter.line)(line)


def _show_coverage(settings: Settings, jobs: Sequence[JobSettings], reporter: Reporter) -> None:
    from datetime import datetime

    from panicroom.photos.coverage import cover_job, coverage_text

    text = coverage_text([cover_job(settings, job) for job in jobs], datetime.now().astimezone())
    reporter.line(f"pictures: {text}")
