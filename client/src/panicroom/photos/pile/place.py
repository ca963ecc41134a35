"""Where the pictures are from now on: all of a family, or the folder of one job."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.photos.moves import is_same_folder
from panicroom.photos.pile.family import (
    FamilyFolders,
    family_status,
    job_table,
    jobs_of,
    take_walk_along,
)
from panicroom.photos.pile.folders import is_text
from panicroom.photos.walk import recall_walk
from panicroom.photos.walking import walk_through
from panicroom.settings import FamilySettings, JobSettings, Settings
from panicroom.setup.settings_file import change_settings
from panicroom.terminal.reporter import Reporter
from panicroom.wire import MachineStatus


def place_family(
    settings: Settings, family: FamilySettings, folder: Path, reporter: Reporter, *, agreed: bool
) -> tuple[Problem, ...]:
    """The family's folders are in ``folder`` now, and its jobs follow; what is wrong with single ones.

    Raises ``Problem``, with nothing changed, where none of its jobs' folders are there, unless ``agreed``.
    """
    _check_text(folder)
    there = replace(family, folder=folder)
    folders = FamilyFolders(settings, there, reporter, _nobody, lambda _text: False)
    jobs = jobs_of(settings, family.family)
    moved = folders.moved()
    if jobs and not moved and folder != family.folder and not agreed:
        raise Problem(
            f"none of the {len(jobs)} folders of {family.family} that are backed up is in {folder}; nothing was "
            f"changed. If it is meant: panicroom photos folder {shlex.quote(str(folder))} --yes",
            ExitCode.SOURCE,
        )
    change_settings(settings.places, {f"families.{family.family}": {"source": str(folder)}})
    followed = folders.follow_moved()
    here = [job for job in jobs_of(followed.settings, family.family) if job.source.parent == folder]
    reporter.line(f"{family.family}: {len(here)} of {len(jobs)} folders are in {folder} now")
    return followed.problems


def place_job(
    settings: Settings,
    family: FamilySettings,
    name: str,
    folder: Path,
    status: Callable[[], MachineStatus],
    *,
    agreed: bool,
) -> None:
    """The pictures of the job ``name`` are in ``folder`` now. Raises ``Problem``, with nothing changed, where they look
    like others, unless ``agreed``, and where neither the settings nor the service have that job."""
    _check_text(folder)
    known = next((job for job in settings.jobs if job.job == name), None)
    if known is None:
        volume_mb = family_status(status(), family.family).volume_mb
        if not any(job.job == name and job.family == family.family for job in status().jobs):
            raise Problem(f"there is no job {name!r} of {family.family}", ExitCode.SETTINGS)
        table = job_table(family.family, folder, volume_mb)
    else:
        table = {"source": str(folder)}
    job = replace(known or JobSettings(name, folder, family=family.family), folder=folder)
    now, remembered = walk_through(settings, job), recall_walk(settings.job_state(name))
    is_same = remembered is None or is_same_folder(remembered.walk, now)
    if not is_same and not agreed:
        raise Problem(
            f"{folder} has other pictures than {name} had; nothing was changed. If it is meant: panicroom photos "
            f"folder --job {name} {shlex.quote(str(folder))} --yes",
            ExitCode.SOURCE,
        )
    change_settings(settings.places, {f"jobs.{name}": table})
    if is_same:
        take_walk_along(settings, name, now)


def _check_text(folder: Path) -> None:
    if not is_text(str(folder)):
        raise Problem(
            f"the settings cannot hold the name of {folder}; give the folder another", ExitCode.SOURCE
        )


def _nobody() -> MachineStatus:
    raise AssertionError("jobs that follow need no service")
