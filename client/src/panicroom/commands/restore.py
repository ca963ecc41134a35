"""The command ``restore``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from panicroom.commands.stored_job import chosen
from panicroom.commands.thaw_options import takes_thaw_options, thaw_options

if TYPE_CHECKING:
    from panicroom.restore.run import RestoreRequest
    from panicroom.restore.several.family_paths import JobFamily
    from panicroom.settings import JobSettings, Settings
    from panicroom.thaw.consent import ThawOptions


@click.command(short_help="Restore everything, or some paths.")
@click.argument("paths", nargs=-1, metavar="[PATH ...]")
@click.option("--to", type=click.Path(path_type=Path), metavar="DIR", help="A new or empty folder.")
@click.option(
    "--time", metavar="T", help="As it was then: 2026-11-22, 2026-11-22T20:50:00Z, 3D (three days ago)."
)
@click.option("--job", metavar="JOB", help="Which job or family; needed if this machine has several.")
@click.option("--dry-run", is_flag=True, help="Only show what would be fetched, and what a thaw would cost.")
@click.option(
    "--nearest", is_flag=True, help="Restore damaged files as of the newest time as of which each can be had."
)
@click.option(
    "--plain", is_flag=True, help="By duplicity alone, without plan and proof: a way out if they fail."
)
@takes_thaw_options
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line instead; nothing is asked."
)
def restore(
    paths: tuple[str, ...],
    to: Path | None,
    time: str | None,
    job: str | None,
    dry_run: bool,
    nearest: bool,
    plain: bool,
    tier: str | None,
    max_cost: float | None,
    yes: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Restore everything, or each PATH, into the folder DIR; never over existing files.

    A PATH is relative to the job's source folder, or a full path below it, and keeps its place below DIR. It
    may run while a backup does. Only root gives files back to their owners.

    Every file is compared with its signature in the backup before DIR gets its name; exit code 0 means that all of
    them are equal. Interrupted, the same command carries on.

    With --job photos, the name of a family, a PATH begins with the name of a folder of the pile, and each folder is
    restored to DIR/FOLDER: at one price, and asked about once. Without a PATH that is all of it.

    Volumes in an archive class have to be thawed first: you see what that costs and how long it takes, and are asked.
    Then it ends with exit code 75 and the time to come back; with --wait it stays and goes on by itself.

    Examples:

    \b
    panicroom restore --to ~/restored
    panicroom restore letters/1998 --time 3D --to ~/restored
    panicroom restore --dry-run
    panicroom restore 2018 "2019/2019-06-01 wedding" --job photos --to ~/pictures
    panicroom restore --to ~/restored --tier bulk --max-cost 5 --yes --wait
    """
    from panicroom.restore.run import RestoreRequest
    from panicroom.settings import JobSettings, load_settings

    settings = load_settings()
    found = chosen(settings, job)
    if dry_run:
        _show_plan(settings, found, paths, time, as_json)
        return
    if to is None:
        raise click.UsageError("Missing option '--to'.")
    request = RestoreRequest(paths, time, to.absolute(), nearest)
    options = thaw_options(tier, max_cost, yes, wait, may_ask=not as_json)
    if not isinstance(found, JobSettings):
        _restore_family(settings, found, request, options, as_json, plain)
    elif plain:
        _restore_plain(settings, found, request, options, as_json)
    else:
        _restore(settings, found, request, options, as_json)


def _restore(
    settings: Settings, job: JobSettings, request: RestoreRequest, options: ThawOptions, as_json: bool
) -> None:
    import json

    from panicroom.restore.log import append_lines
    from panicroom.restore.run import restore as restore_paths
    from panicroom.terminal.progress import make_reporter

    reporter = make_reporter(as_json=as_json)
    report = restore_paths(settings, job, request, options, reporter)
    append_lines(settings.places.log_file, report.log_lines())
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        for line in report.lines():
            reporter.line(line)
    problem = report.problem(settings.places.log_file)
    if problem is not None:
        raise problem


def _restore_family(
    settings: Settings,
    family: JobFamily,
    request: RestoreRequest,
    options: ThawOptions,
    as_json: bool,
    plain: bool,
) -> None:
    from panicroom.commands.family.restoring import family_request, restore_family

    if plain:
        raise click.UsageError(f"--plain restores one job: --job {family.jobs[0].job}")
    several = family_request(family, request.paths, request.time, request.to, nearest=request.nearest)
    restore_family(settings, family, several, options, as_json=as_json)


def _restore_plain(
    settings: Settings, job: JobSettings, request: RestoreRequest, options: ThawOptions, as_json: bool
) -> None:
    from panicroom.restore.plain import restore_plainly
    from panicroom.terminal.progress import make_reporter

    restore_plainly(settings, job, request, options, make_reporter(as_json=as_json))


def _show_plan(
    settings: Settings,
    job: JobSettings | JobFamily,
    paths: tuple[str, ...],
    time: str | None,
    as_json: bool,
) -> None:
    import json

    from panicroom.commands.family.restoring import first_command, show_family_plan
    from panicroom.restore.dry_run import plan_as_json, plan_lines, plan_restore
    from panicroom.restore.several.text import job_advice_lines
    from panicroom.settings import JobSettings
    from panicroom.terminal.progress import make_reporter

    if not isinstance(job, JobSettings):
        show_family_plan(settings, job, paths, time, as_json=as_json)
        return
    priced = plan_restore(settings, job, paths, time, make_reporter(sys.stderr))
    if as_json:
        click.echo(json.dumps(plan_as_json(priced)))
        return
    now, first = datetime.now(timezone.utc), first_command(job.job, time, None)
    for line in (*plan_lines(priced), *job_advice_lines(job, priced, now, first)):
        click.echo(line)
