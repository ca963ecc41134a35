"""The command ``photos folder``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from panicroom.exit_codes import ExitCode, Problem

if TYPE_CHECKING:
    from panicroom.settings import FamilySettings, Settings


@click.command(short_help="Say where the pictures are now.")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--job", metavar="JOB", help="Only the folder of this job, such as photos-2018.")
@click.option("--family", metavar="NAME", help="Which pictures, where this machine has several such folders.")
@click.option("--yes", is_flag=True, help="Also where DIR has other pictures than were backed up.")
def folder(folder: Path, job: str | None, family: str | None, yes: bool) -> None:
    """Say that the pictures are in DIR now: on a new disk, or below a folder that was renamed.

    Each folder of a year or session is found again by its name and its pictures, and stays the job that it was. Nothing
    of it is uploaded again.

    Examples:

    \b
    panicroom photos folder /media/new-disk/Pictures
    panicroom photos folder --job photos-2018 "/media/new-disk/Pictures/2018 Italy"
    """
    from panicroom.photos.pile.place import place_family, place_job
    from panicroom.settings import load_settings
    from panicroom.setup.enrol import check_source
    from panicroom.terminal.progress import make_reporter
    from panicroom.terminal.status import fetch_status

    settings = load_settings()
    settings.refuse_reader()
    chosen, place = _chosen(settings, family, job), check_source(str(folder))
    if job is not None:
        place_job(settings, chosen, job, place, lambda: fetch_status(settings), agreed=yes)
        click.echo(f"{job}: its folder is {place} now")
        return
    problems = place_family(settings, chosen, place, make_reporter(), agreed=yes)
    for problem in problems:
        click.echo(f"panicroom: {problem}", err=True)
    if problems:
        raise click.exceptions.Exit(problems[0].exit_code)


def _chosen(settings: Settings, name: str | None, job: str | None) -> FamilySettings:
    """The family that is named, that of the job, or the only one."""
    families = {family.family: family for family in settings.families}
    if name is None and job is not None:
        name = next((family for family in families if job.startswith(f"{family}-")), None)
    if name is None and len(families) == 1:
        name = next(iter(families))
    if name in families:
        return families[name]
    if not families:
        raise Problem(
            "no folder of pictures is backed up here; its owner adds one: python -m ops machine add "
            f"{settings.machine} --photos, and then: panicroom enrol {settings.url} CODE",
            ExitCode.SETTINGS,
        )
    raise Problem(f"say which: --family {' or '.join(families)}", ExitCode.USAGE)
