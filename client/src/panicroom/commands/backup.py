"""The command ``backup``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from panicroom.exit_codes import ExitCode, Problem
from panicroom.shown import shown

if TYPE_CHECKING:
    from panicroom.photos.photo_backup import PhotoBackups
    from panicroom.settings import JobSettings, Settings
    from panicroom.terminal.reporter import Reporter

_KINDS = {"full": "full", "incremental": "incremental", "inc": "incremental"}


@click.command(short_help="Back up all jobs, or one.")
@click.argument("what", nargs=-1, metavar="[full|incremental] [JOB]")
@click.option("--job", metavar="JOB", help="Only this job; the same as the argument.")
@click.option(
    "--scheduled",
    is_flag=True,
    help="As timers run it: a failure also shows on the desktop, and a drill follows when it is due.",
)
@click.option("--if-due", is_flag=True, help="Only jobs whose newest backup is older than their period.")
@click.option(
    "--accept-smaller", is_flag=True, help="Back up though half of the files are gone since the last backup."
)
@click.option("--yes", is_flag=True, help="Upload a folder of pictures again that has another name now.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each event instead.")
@click.option("--dry-run", is_flag=True, help="Only report what a backup would do; nothing is stored.")
def backup(
    what: tuple[str, ...],
    job: str | None,
    scheduled: bool,
    if_due: bool,
    accept_smaller: bool,
    yes: bool,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Back up all jobs, or JOB; in full where there is no full backup yet, else what changed.

    The settings full_when and full_every ask for a new full backup from time to time. A source that is missing,
    empty, or has lost half of its files since the last backup is not backed up, as that is rarely what somebody
    wanted; nor is one that goes away while it is read.

    A backup that was interrupted is carried on with, and what changed in the meantime follows in an
    increment at once. Killing it, losing the network or shutting the lid is harmless.

    Examples:

    \b
    panicroom backup                      # all jobs
    panicroom backup photos --dry-run     # only report what would happen
    panicroom backup full photos          # everything again
    """
    from panicroom.settings import load_settings
    from panicroom.terminal.progress import make_reporter

    kind, name = _kind_and_job(what, job)
    settings = load_settings()
    settings.refuse_reader()
    reporter = make_reporter(as_json=as_json)
    settings, exit_code = _follow_families(settings, name, reporter, dry_run=dry_run)
    reason = _reason_to_wait(settings) if scheduled else None
    drills = _Drills(settings, name, reporter, scheduled and not dry_run, reason is not None, as_json)
    photos = _photos(settings, reporter, yes=yes)
    try:
        jobs = _chosen(settings, name, if_due=if_due, reason=reason)
    except _Waits:
        drills.run()
        raise
    for chosen in jobs:
        try:
            _back_up(settings, chosen, kind, reporter, photos, accept_smaller=accept_smaller, dry_run=dry_run)
        except Problem as problem:  # the other jobs have a right to their backup
            exit_code = problem.exit_code
            _report_failure(chosen.job, problem, reporter, alone=len(jobs) == 1, scheduled=scheduled)
    try:
        photos.report()
    except Problem as problem:
        exit_code = problem.exit_code
        _report_failure(name or "photos", problem, reporter, alone=False, scheduled=scheduled)
    if exit_code != ExitCode.TRY_LATER:
        drills.run()
    if scheduled and not dry_run and reason is None and settings.families:
        from panicroom.commands.photos.check import run_due_checks

        run_due_checks(settings, _named(settings, name), reporter, as_json=as_json)
    raise click.exceptions.Exit(exit_code)


def _kind_and_job(what: tuple[str, ...], job: str | None) -> tuple[str | None, str | None]:
    words = list(what)
    kind = _KINDS[words.pop(0)] if words and words[0] in _KINDS else None
    names = {*words, *([job] if job else [])}
    if len(names) > 1 or len(words) > 1:
        raise Problem("give at most one JOB: panicroom backup [full|incremental] [JOB]", ExitCode.USAGE)
    return kind, next(iter(names), None)


def _chosen(
    settings: Settings, name: str | None, *, if_due: bool, reason: str | None
) -> tuple[JobSettings, ...]:
    jobs = _named(settings, name)
    if if_due:
        jobs = _due(settings, jobs)
    return _not_waiting(settings, jobs, reason)


def _named(settings: Settings, name: str | None) -> tuple[JobSettings, ...]:
    of_family = tuple(job for job in settings.jobs if job.family == name) if name else ()
    return of_family or ((settings.job_named(name),) if name else settings.jobs)


def _due(settings: Settings, jobs: tuple[JobSettings, ...]) -> tuple[JobSettings, ...]:
    from panicroom.setup.schedule import due_jobs
    from panicroom.terminal.status import fetch_status

    return due_jobs(jobs, fetch_status(settings))


def _reason_to_wait(settings: Settings) -> str | None:
    from panicroom.setup.power import reason_to_wait

    return reason_to_wait(settings)


class _Waits(Problem):
    """On battery, or on a metered connection."""


@dataclass(frozen=True)
class _Drills:
    """Those that the service waits for, after the backups; on battery or a metered connection only the overdue."""

    settings: Settings
    job: str | None
    reporter: Reporter
    wanted: bool
    only_overdue: bool
    as_json: bool

    def run(self) -> None:
        if self.wanted:
            from panicroom.commands.drill import run_due_drills

            jobs = _named(self.settings, self.job)
            run_due_drills(
                self.settings, jobs, self.reporter, only_overdue=self.only_overdue, as_json=self.as_json
            )


def _not_waiting(
    settings: Settings, jobs: tuple[JobSettings, ...], reason: str | None
) -> tuple[JobSettings, ...]:
    """All of them on mains power and an ordinary connection; else those that are overdue. Exit code 75 if none is,
    so that a timer tries again in a while. ``reason``: why they should wait."""
    from panicroom.terminal.status import fetch_status

    if reason is None or not jobs:
        return jobs
    overdue = {known.job for known in fetch_status(settings).jobs if known.state == "overdue"}
    chosen = tuple(job for job in jobs if job.job in overdue)
    if not chosen:
        raise _Waits(f"{reason}; the backup waits until it is overdue", ExitCode.TRY_LATER)
    return chosen


def _back_up(
    settings: Settings,
    job: JobSettings,
    kind: str | None,
    reporter: Reporter,
    photos: PhotoBackups,
    *,
    accept_smaller: bool,
    dry_run: bool,
) -> None:
    from panicroom.backup.dry_run import rehearse
    from panicroom.backup.hooks import around
    from panicroom.backup.run import back_up

    if dry_run:
        rehearse(settings, job, kind, reporter)
        return

    def make() -> None:
        with around(settings.hooks, job.job, reporter.line):
            back_up(settings, job, kind, reporter, accept_smaller=accept_smaller)

    if job.family is None:
        make()
    else:
        photos.back_up(job, make, always=kind is not None)


def _photos(settings: Settings, reporter: Reporter, *, yes: bool) -> PhotoBackups:
    import sys

    from panicroom.photos.photo_backup import PhotoBackups

    def agree(text: str) -> bool:
        return yes or (sys.stdin.isatty() and click.confirm(f"{text}. Upload it again?"))

    return PhotoBackups(settings, reporter, agree)


def _follow_families(
    settings: Settings, name: str | None, reporter: Reporter, *, dry_run: bool
) -> tuple[Settings, ExitCode]:
    """The settings with the jobs of new folders; a family whose folder is missing fails, and leaves the others their
    backup."""
    from panicroom.photos.family import follow_folders

    exit_code = ExitCode.DONE
    for family in () if dry_run else settings.families:
        if name is not None and name != family.family and not name.startswith(f"{family.family}-"):
            continue
        try:
            settings = follow_folders(settings, family, reporter)
        except Problem as problem:
            exit_code = problem.exit_code
            _report_failure(family.family, problem, reporter, alone=False, scheduled=False)
    return settings, exit_code


def _report_failure(job: str, problem: Problem, reporter: Reporter, *, alone: bool, scheduled: bool) -> None:
    text = shown(str(problem), 2000)
    click.echo(f"panicroom: {text}" if alone else f"panicroom: {job}: {text}", err=True)
    reporter.failed(job, problem)
    if scheduled:
        from panicroom.terminal.desktop_notification import notify_failure

        notify_failure(job, problem)
