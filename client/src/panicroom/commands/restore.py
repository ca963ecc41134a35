"""The commands that look into a backup and bring it back: restore, files, verify, duplicity."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from panicroom.exit_codes import ExitCode, Problem

if TYPE_CHECKING:
    from panicroom.reading.stored_backups import StoredBackups
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
    from panicroom.terminal.progress import make_reporter

    backup, plan = plan_restore(settings, job, request, make_reporter(sys.stderr))
    if as_json:
        click.echo(json.dumps(plan_as_json(backup, plan)))
        return
    for line in plan_lines(backup, plan):
        click.echo(line)


@click.command(short_help="List what is in the backup.")
@click.argument("path", required=False)
@click.option("--find", "word", metavar="WORD", help="Only names with WORD in them, or that fit it: '*.jpg'.")
@click.option(
    "--time", metavar="T", help="As it was then: 2026-11-22, 2026-11-22T20:50:00Z, 3D (three days ago)."
)
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of {path, kind, changed_at, size_bytes}.")
def files(path: str | None, word: str | None, time: str | None, job: str | None, as_json: bool) -> None:
    """List what is in the backup, or what is below PATH: when it was changed (local time), its size, its path.

    A PATH is relative to the job's source folder, or a full path below it. Folders end with a slash. Sizes are rounded
    up to half a KB, for large files to their block, as no more is known without a download. Control characters in
    names are shown as ?; --json has the very names, and UTC. Example: panicroom files --time 3D | less
    """
    import dataclasses
    import json

    from panicroom.reading.files import list_files, listing_lines
    from panicroom.restore.paths import relative_index
    from panicroom.settings import load_settings

    settings = load_settings()
    chosen = _chosen_job(settings, job)
    below = () if path is None else relative_index(path, chosen.source)
    with _reading(settings, chosen) as backups:
        listing = list_files(backups, below, time, word)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(item) for item in listing.paths], indent=1))
        return
    for line in listing_lines(listing):
        click.echo(line)
    click.echo(listing.summary(), err=True)


@click.command(short_help="List the backups in which a path changed.")
@click.argument("path", required=False)
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects; times are UTC.")
def versions(path: str | None, job: str | None, as_json: bool) -> None:
    """List the backups in which anything changed, or PATH, or what is below it: when, and how large it was then.

    The first column is local time, the second is what --time takes. Example: panicroom versions letters/1998
    """
    import json

    from panicroom.reading.versions import list_versions, version_lines, versions_as_json
    from panicroom.restore.paths import relative_index
    from panicroom.settings import load_settings

    settings = load_settings()
    chosen = _chosen_job(settings, job)
    below = () if path is None else relative_index(path, chosen.source)
    with _reading(settings, chosen) as backups:
        found = list_versions(backups, below)
        unopened = [item.set.name for item in backups.unopened]
    if as_json:
        click.echo(json.dumps(versions_as_json(found), indent=1))
    else:
        for line in version_lines(found, of_path=bool(below)):
            click.echo(line)
    if unopened:
        raise Problem(
            f"{len(unopened)} sets cannot be opened and are left out, the first is {unopened[0]}",
            ExitCode.RESTORE_INCOMPLETE,
        )


@click.command(short_help="Compare the backup with the source.")
@click.option(
    "--quick", is_flag=True, help="Compare the source with the backup's signatures; download no volume."
)
@click.option("--time", metavar="T", help="Compare the backup of that time instead of the newest.")
@click.option("--job", metavar="JOB", help="Which job; needed if this machine has several.")
def verify(quick: bool, time: str | None, job: str | None) -> None:
    """Download the backup and compare every byte with the source folder; nothing is changed.

    It takes as long as a whole restore, and counts as downloads. What changed since the backup is
    listed too: that is no fault of the backup. Exit code 15 if anything differs. --quick reads the source only, and
    cannot find out whether the stored volumes are whole.
    """
    from panicroom.settings import load_settings

    settings = load_settings()
    chosen = _chosen_job(settings, job)
    differences = _compare_quickly(settings, chosen, time) if quick else _compare(settings, chosen, time)
    if differences:
        raise Problem(
            f"{chosen.job}: {differences} differences between backup and source", ExitCode.DIFFERENT
        )
    compared = "the backup's signatures" if quick else "the backup"
    click.echo(f"{chosen.job}: {compared} and {chosen.source} are equal")


def _compare(settings: Settings, job: JobSettings, time: str | None) -> int:
    from panicroom.reading.verify import verify as find_differences
    from panicroom.terminal.progress import make_reporter

    reporter = make_reporter(sys.stderr)
    with _reading(settings, job) as backups:
        return find_differences(settings, job, backups, time, reporter, click.echo)


def _compare_quickly(settings: Settings, job: JobSettings, time: str | None) -> int:
    from panicroom.reading.quick_verify import compare_quickly
    from panicroom.terminal.progress import make_reporter

    with _reading(settings, job) as backups:
        return compare_quickly(settings, job, backups, time, make_reporter(sys.stderr), click.echo)


@contextmanager
def _reading(settings: Settings, job: JobSettings) -> Iterator[StoredBackups]:
    """The job's backups; how far the reading is goes to standard error."""
    from panicroom.reading.stored_backups import open_backups
    from panicroom.terminal.fetching import shown_fetch
    from panicroom.terminal.progress import make_reporter

    with contextlib.ExitStack() as stack:
        with shown_fetch(make_reporter(sys.stderr), "what the backups hold") as on_event:
            backups = stack.enter_context(open_backups(settings, job, on_event))
        yield backups


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
    from panicroom.reading.duplicity_commands import pass_through
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
