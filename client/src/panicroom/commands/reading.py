"""The commands that look into a backup: files, versions, verify, duplicity."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from panicroom.commands.stored_job import chosen, chosen_job, reading
from panicroom.commands.thaw_options import takes_thaw_options, thaw_options
from panicroom.exit_codes import ExitCode, Problem
from panicroom.shown import shown_path

if TYPE_CHECKING:
    from panicroom.settings import JobSettings, Settings
    from panicroom.thaw.consent import ThawOptions


@click.command(short_help="List what is in the backup.")
@click.argument("path", required=False)
@click.option("--find", "word", metavar="WORD", help="Only names with WORD in them, or that fit it: '*.jpg'.")
@click.option(
    "--time", metavar="T", help="As it was then: 2026-11-22, 2026-11-22T20:50:00Z, 3D (three days ago)."
)
@click.option("--job", metavar="JOB", help="Which job or family; needed if this machine has several.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a list of {path, kind, changed_at, size_bytes, archived}."
)
def files(path: str | None, word: str | None, time: str | None, job: str | None, as_json: bool) -> None:
    """List what is in the backup, or what is below PATH: when it was changed (local time), its size, its path.

    A PATH is relative to the job's source folder, or a full path below it. Folders end with a slash. Sizes are rounded
    up to half a KB, for large files to their block, as no more is known without a download. Control characters in
    names are shown as ?; --json has the very names, and UTC. A * marks files that need a thaw before they can be
    restored. With --job photos, the name of a family, all of its folders are listed.

    Examples:

    \b
    panicroom files --time 3D
    panicroom files --job photos --find wedding
    """
    import dataclasses
    import json

    from panicroom.commands.family.reading import show_family_files
    from panicroom.reading.files import list_files, listing_lines
    from panicroom.restore.paths import relative_index
    from panicroom.settings import JobSettings, load_settings

    settings = load_settings()
    found = chosen(settings, job)
    if not isinstance(found, JobSettings):
        show_family_files(settings, found, path, word, time, as_json=as_json)
        return
    below = () if path is None else relative_index(path, found.folder)
    with reading(settings, found) as backups:
        listing = list_files(backups, below, time, word)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(item) for item in listing.paths], indent=1))
        return
    for line in listing_lines(listing):
        click.echo(line)
    click.echo(listing.summary(), err=True)
    advice = listing.thaw_advice(_cost_command(path, time, job))
    if advice is not None:
        click.echo(advice, err=True)


def _cost_command(path: str | None, time: str | None, job: str | None) -> str:
    words = ["panicroom", "cost", *([path] if path is not None else [])]
    words += ["--time", time] if time is not None else []
    words += ["--job", job] if job is not None else []
    return shown_path(shlex.join(words))


@click.command(short_help="List the backups in which a path changed.")
@click.argument("path", required=False)
@click.option("--job", metavar="JOB", help="Which job or family; needed if this machine has several.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects; times are UTC.")
def versions(path: str | None, job: str | None, as_json: bool) -> None:
    """List the backups in which anything changed, or PATH, or what is below it: when, and how large it was then.

    The first column is local time, the second is what --time takes; how many files need a thaw is at the end. Example:
    panicroom versions letters/1998
    """
    import json

    from panicroom.commands.family.reading import check_all_opened, show_family_versions
    from panicroom.reading.versions import list_versions, version_lines, versions_as_json
    from panicroom.restore.paths import relative_index
    from panicroom.settings import JobSettings, load_settings

    settings = load_settings()
    of_job = chosen(settings, job)
    if not isinstance(of_job, JobSettings):
        show_family_versions(settings, of_job, path, as_json=as_json)
        return
    below = () if path is None else relative_index(path, of_job.folder)
    with reading(settings, of_job) as backups:
        found = list_versions(backups, below)
        unopened = [item.set.name for item in backups.unopened]
    if as_json:
        click.echo(json.dumps(versions_as_json(found), indent=1))
    else:
        for line in version_lines(found, of_path=bool(below)):
            click.echo(line)
    check_all_opened(unopened)


@click.command(short_help="Compare the backup with the source.")
@click.option(
    "--quick", is_flag=True, help="Compare the source with the backup's signatures; download no volume."
)
@click.option("--time", metavar="T", help="Compare the backup of that time instead of the newest.")
@click.option("--job", metavar="JOB", help="Which job or family; needed if this machine has several.")
@takes_thaw_options
def verify(
    quick: bool,
    time: str | None,
    job: str | None,
    tier: str | None,
    max_cost: float | None,
    yes: bool,
    wait: bool,
) -> None:
    """Download the backup and compare every byte with the source folder; nothing is changed.

    It takes as long as a whole restore, and counts as downloads; what is archived has to be thawed first, at a price
    that you are asked about. What changed since the backup is listed too: that is no fault of the backup. Exit code 15
    if anything differs. --quick reads the source only, and cannot find out whether the stored volumes are whole. With
    --job photos, the name of a family, each of its folders is compared in turn, and asked about by itself.
    """
    from panicroom.commands.family.reading import verify_family
    from panicroom.settings import JobSettings, load_settings

    settings = load_settings()
    found = chosen(settings, job)
    options = thaw_options(tier, max_cost, yes, wait)

    def differences_of(one: JobSettings) -> int:
        _ = one.source  # a Problem where there is none
        return _compare_quickly(settings, one, time) if quick else _compare(settings, one, time, options)

    if not isinstance(found, JobSettings):
        verify_family(found, differences_of)
        return
    differences = differences_of(found)
    if differences:
        raise Problem(f"{found.job}: {differences} differences between backup and source", ExitCode.DIFFERENT)
    compared = "the backup's signatures" if quick else "the backup"
    click.echo(f"{found.job}: {compared} and {found.source} are equal")


def _compare(settings: Settings, job: JobSettings, time: str | None, options: ThawOptions) -> int:
    from panicroom.reading.verify import verify as find_differences
    from panicroom.terminal.progress import make_reporter

    reporter = make_reporter(sys.stderr)
    with reading(settings, job) as backups:
        return find_differences(settings, job, backups, time, options, reporter, click.echo)


def _compare_quickly(settings: Settings, job: JobSettings, time: str | None) -> int:
    from panicroom.reading.quick_verify import compare_quickly
    from panicroom.terminal.progress import make_reporter

    with reading(settings, job) as backups:
        return compare_quickly(settings, job, backups, time, make_reporter(sys.stderr), click.echo)


@click.command(
    context_settings={"ignore_unknown_options": True}, short_help="Run duplicity itself, for anything else."
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- ARGS")
@click.option("--job", metavar="JOB", help="Which job or family; needed if this machine has several.")
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
        settings, chosen_job(settings, job), arguments, click.echo, lambda line: click.echo(line, err=True)
    )
    raise click.exceptions.Exit(exit_code)
