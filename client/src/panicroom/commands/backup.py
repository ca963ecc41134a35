"""The command ``backup``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from panicroom.exit_codes import ExitCode, Problem
from panicroom.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from panicroom.photos.pile.photo_backup import PhotoBackups
    from panicroom.settings import FamilySettings, JobSettings, Settings
    from panicroom.terminal.reporter import Reporter
    from panicroom.terminal.run_totals import RunTotals

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
@click.option(
    "--yes", is_flag=True, help="Pictures: store what has another name again, and what is damaged in full."
)
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

    A folder of pictures is backed up where something in it has changed: each file is looked at first. A folder that is
    new there becomes a job of its own.

    A backup that was interrupted is carried on with, and what changed in the meantime follows in an
    increment at once. Killing it, losing the network or shutting the lid is harmless.

    Examples:

    \b
    panicroom backup                      # all jobs
    panicroom backup --dry-run            # only report what would happen
    panicroom backup full system          # everything again
    panicroom backup photos               # pictures: each folder that has changed
    """
    from panicroom.settings import load_settings
    from panicroom.terminal.progress import make_reporter

    kind, name = _kind_and_job(what, job)
    settings = load_settings()
    settings.refuse_reader()
    reporter = make_reporter(as_json=as_json)
    failures = _Failures(reporter, scheduled)
    photos = _photos(settings, reporter, failures, yes=yes)
    settings = photos.follow(_families(settings, name), dry_run=dry_run)
    reason = _reason_to_wait(settings) if scheduled else None
    drills = _Drills(settings, name, reporter, scheduled and not dry_run, reason is not None, as_json)
    try:
        jobs = _chosen(settings, name, if_due=if_due, reason=reason)
    except _Waits:
        drills.run()
        raise
    for chosen in filter(photos.can_look_at, jobs):
        try:
            _back_up(settings, chosen, kind, reporter, photos, accept_smaller=accept_smaller, dry_run=dry_run)
        except Problem as problem:  # the other jobs have a right to their backup
            failures.take(chosen.job, problem, alone=len(jobs) == 1)
    any_settled = photos.report(dry_run=dry_run)
    if any_settled and not dry_run and failures.exit_code == ExitCode.DONE:
        _ping_well(settings, reporter)
    if failures.exit_code != ExitCode.TRY_LATER:
        drills.run()
    if scheduled and not dry_run and reason is None and settings.families:
        _check_pictures(settings, filter(photos.can_look_at, _named(settings, name)), reporter, as_json)
    raise click.exceptions.Exit(failures.exit_code)


class _Failures:
    """Of one command: each has a line, and the last one its exit code."""

    def __init__(self, reporter: Reporter, scheduled: bool) -> None:
        self._reporter, self._scheduled = reporter, scheduled
        self.exit_code = ExitCode.DONE

    def take(self, job: str, problem: Problem, *, alone: bool = False) -> None:
        """``job`` may be a family. ``alone``: nothing else was to be backed up."""
        self.exit_code = problem.exit_code
        text = shown(str(problem), 2000)
        click.echo(f"panicroom: {text}" if alone else f"panicroom: {job}: {text}", err=True)
        self._reporter.failed(job, problem)
        if self._scheduled:
            from panicroom.terminal.desktop_notification import notify_failure

            notify_failure(job, problem)


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
    if name is None:
        return settings.jobs
    if any(family.family == name for family in settings.families):
        return tuple(job for job in settings.jobs if name in (job.family, job.job))
    return (settings.job_named(name),)


def _families(settings: Settings, name: str | None) -> tuple[FamilySettings, ...]:
    """Those whose folders are to be looked at for ``name``, which is a family, one of its jobs, or another job."""
    return tuple(
        family
        for family in settings.families
        if name is None or name == family.family or name.startswith(f"{family.family}-")
    )


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


def _ping_well(settings: Settings, reporter: Reporter) -> None:
    """Pictures that had not changed are as good as a backup."""
    from panicroom.backup.hooks import ping_well

    ping_well(settings.hooks, reporter.line)


def _check_pictures(
    settings: Settings, jobs: Iterable[JobSettings], reporter: Reporter, as_json: bool
) -> None:
    """Those whose check is due."""
    from panicroom.commands.photos.check import run_due_checks

    run_due_checks(settings, tuple(jobs), reporter, as_json=as_json)


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

    def make(renamed_files: int = 0, before_new_chain: Callable[[], None] = lambda: None) -> RunTotals:
        with around(settings.hooks, job.job, reporter.line):
            return back_up(
                settings,
                job,
                kind,
                reporter,
                accept_smaller=accept_smaller,
                renamed_files=renamed_files,
                before_new_chain=before_new_chain,
            )

    def show(before_new_chain: Callable[[], None] = lambda: None) -> None:
        rehearse(settings, job, kind, reporter, before_new_chain)

    if job.family is None:
        show() if dry_run else make()
    elif dry_run:
        photos.rehearse(job, show, always=kind is not None)
    else:
        photos.back_up(job, make, always=kind is not None)


def _photos(settings: Settings, reporter: Reporter, failures: _Failures, *, yes: bool) -> PhotoBackups:
    import sys

    from panicroom.photos.pile.photo_backup import PhotoBackups

    def agree(text: str) -> bool:
        return yes or (sys.stdin.isatty() and click.confirm(f"{text}. Go on?", err=True))

    return PhotoBackups(settings, reporter, agree, failures.take)
