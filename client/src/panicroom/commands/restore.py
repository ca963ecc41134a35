"""The commands that look into a backup and bring it back: restore, files, verify, duplicity."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from panicroom.exit_codes import ExitCode, Problem

if TYPE_CHECKING:
    from panicroom.restore.run import RestoreRequest
    from panicroom.settings import JobSettings, Settings


@click.command(short_help="Restore everything, or some paths.")
@click.argument("paths", nargs=-1, metavar="[PATH ...]")
@click.option(
    "--to", type=click.Path(path_type=Path), required=True, metavar="DIR", help="A new or empty folder."
)
@click.option(
    "--time", metavar="T", help="As it was then: 2026-11-22, 2026-11-22T20:50:00Z, 3D (three days ago)."
)
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
@click.option("--dry-run", is_flag=True, help="Only show what would be fetched.")
@click.option(
    "--nearest", is_flag=True, help="Restore damaged files as of the newest time as of which each can be had."
)
@click.option(
    "--plain", is_flag=True, help="By duplicity alone, without plan and proof: a way out if they fail."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line instead.")
def restore(
    paths: tuple[str, ...],
    to: Path,
    time: str | None,
    job: str | None,
    dry_run: bool,
    nearest: bool,
    plain: bool,
    as_json: bool,
) -> None:
    """Restore everything, or each PATH, into the folder DIR; never over existing files.

    A PATH is relative to the job's source folder, or a full path below it, and keeps its place below DIR. It
    may run while a backup does. Only root gives files back to their owners.

    Every file is compared with its signature in the backup before DIR gets its name; exit code 0 means that all of
    them are equal. Interrupted, the same command carries on.

    Examples:

    \b
    panicroom restore --to ~/restored
    panicroom restore letters/1998 --time 3D --to ~/restored
    """
    from panicroom.restore.run import RestoreRequest
    from panicroom.settings import load_settings

    settings = load_settings()
    chosen = _chosen_job(settings, job)
    request = RestoreRequest(paths, time, to.absolute(), nearest)
    if dry_run:
        _show_plan(settings, chosen, request, as_json)
    elif plain:
        _restore_plain(settings, chosen, request, as_json)
    else:
        _restore(settings, chosen, request, as_json)


def _restore(settings: Settings, job: JobSettings, request: RestoreRequest, as_json: bool) -> None:
    import json

    from panicroom.restore.log import append_lines
    from panicroom.restore.run import restore as restore_paths
    from panicroom.terminal.progress import make_reporter

    reporter = make_reporter(as_json=as_json)
    report = restore_paths(settings, job, request, reporter)
    append_lines(settings.places.log_file, report.log_lines())
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        for line in report.lines():
            reporter.line(line)
    problem = report.problem(settings.places.log_file)
    if problem is not None:
        raise problem


def _restore_plain(settings: Settings, job: JobSettings, request: RestoreRequest, as_json: bool) -> None:
    from panicroom.restore.plain import restore_plainly
    from panicroom.terminal.progress import make_reporter

    restore_plainly(settings, job, request.paths, request.time, request.to, make_reporter(as_json=as_json))


def _show_plan(settings: Settings, job: JobSettings, request: RestoreRequest, as_json: bool) -> None:
    import json

    from panicroom.restore.dry_run import plan_as_json, plan_lines
    from panicroom.restore.run import plan_restore

    backup, plan = plan_restore(settings, job, request)
    if as_json:
        click.echo(json.dumps(plan_as_json(backup, plan)))
        return
    for line in plan_lines(backup, plan):
        click.echo(line)


@click.command(short_help="List what is in the backup.")
@click.argument("path", required=False)
@click.option(
    "--time", metavar="T", help="As it was then: 2026-11-22, 2026-11-22T20:50:00Z, 3D (three days ago)."
)
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of {path, kind, changed_at} instead.")
def files(path: str | None, time: str | None, job: str | None, as_json: bool) -> None:
    """List what is in the backup, or what is below PATH: when it was changed (UTC), and its path.

    A PATH is relative to the job's source folder, or a full path below it. Folders end with a slash. Control
    characters in names are shown as ?; --json has the very names. Example: panicroom files --time 3D | less
    """
    import dataclasses
    import json

    from panicroom.restore.files import list_files
    from panicroom.settings import load_settings
    from panicroom.terminal.progress import shown_path

    settings = load_settings()
    found = list_files(settings, _chosen_job(settings, job), time, path)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(item) for item in found], indent=1))
        return
    for item in found:
        click.echo(f"{item.changed_at}  {shown_path(item.path)}{'/' if item.kind == 'folder' else ''}")


@click.command(short_help="Compare the backup with the source, byte by byte.")
@click.option("--time", metavar="T", help="Compare the backup of that time instead of the newest.")
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
def verify(time: str | None, job: str | None) -> None:
    """Download the backup and compare every byte with the source folder; nothing is changed.

    It takes as long as a whole restore, and counts as downloads. What changed since the backup is
    listed too: that is no fault of the backup. Exit code 15 if anything differs.
    """
    from panicroom.restore.files import verify as find_differences
    from panicroom.settings import load_settings

    settings = load_settings()
    chosen = _chosen_job(settings, job)
    differences = find_differences(settings, chosen, time, click.echo)
    if differences:
        raise Problem(
            f"{chosen.job}: {differences} differences between backup and source", ExitCode.DIFFERENT
        )
    click.echo(f"{chosen.job}: the backup and {chosen.source} are equal")


@click.command(
    context_settings={"ignore_unknown_options": True}, short_help="Run duplicity itself, for anything else."
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- ARGS")
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
def duplicity(arguments: tuple[str, ...], job: str | None) -> None:
    """Run duplicity itself, for anything else that it can: panicroom duplicity -- collection-status

    The backend, the file name prefixes and the folders are filled in, and the job's place: where the word
    TARGET stands among ARGS, else at the end (panicroom duplicity -- verify TARGET /home/anna). It can look,
    and cannot change anything in the backup. The exit code is duplicity's.
    """
    from panicroom.restore.files import pass_through
    from panicroom.settings import load_settings

    settings = load_settings()
    exit_code = pass_through(
        settings, _chosen_job(settings, job), arguments, click.echo, lambda line: click.echo(line, err=True)
    )
    raise click.exceptions.Exit(exit_code)


def _chosen_job(settings: Settings, job: str | None) -> JobSettings:
    """The job that is named, or the only one."""
    if job is None and len(settings.jobs) > 1:
        names = ", ".join(one.job for one in settings.jobs)
        raise Problem(f"this machine has several jobs ({names}); say which: --job JOB", ExitCode.USAGE)
    return settings.job_named(job) if job else settings.jobs[0]
