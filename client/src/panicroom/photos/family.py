"""Keeps the jobs of a family as its folders are: a new folder becomes a job, a renamed one stays the job it was."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from panicroom.api import Api
from panicroom.duplicity_run.left_out import left_out_folders
from panicroom.duplicity_run.sources import SourceSelection, survey
from panicroom.photos.folders import look_at, new_jobs
from panicroom.photos.moves import is_same_folder
from panicroom.photos.walk import Walk, WalkNotes, recall_walk
from panicroom.secrets import token_of
from panicroom.settings import FamilySettings, JobSettings, Settings
from panicroom.setup.settings_file import change_settings
from panicroom.terminal.reporter import Reporter
from panicroom.wire import JobRequest


def follow_folders(settings: Settings, family: FamilySettings, reporter: Reporter) -> Settings:
    """Makes jobs of new folders, and has a job follow its folder to another name; the settings then.

    Raises ``Problem`` where the family's folder is missing, or the service takes no more jobs.
    """
    top = family.source
    found = look_at(top)
    if found.loose_files:
        reporter.line(
            f"{family.family}: {found.loose_files} files lie beside the folders in {top} and are in no backup; put "
            "them into a folder"
        )
    jobs = jobs_of(settings, family)
    changes = _followed(settings, jobs, top, found.folders, reporter)
    known = {job.job: Path(str(changes.get(job.job, job.source))).name for job in jobs}
    with_jobs = new_jobs(family.family, found.folders, known)
    if with_jobs:
        volume_mb = _make_jobs(settings, family.family, with_jobs, reporter)
        for job, folder in with_jobs.items():
            changes[job] = top / folder
        tables = {f"jobs.{job}": _table(family.family, changes[job], volume_mb) for job in with_jobs}
    else:
        tables = {}
    moved = {
        f"jobs.{job}": {"source": str(folder)} for job, folder in changes.items() if job not in with_jobs
    }
    return change_settings(settings.places, {**tables, **moved}) if tables or moved else settings


def jobs_of(settings: Settings, family: FamilySettings) -> tuple[JobSettings, ...]:
    return tuple(job for job in settings.jobs if job.family == family.family)


def walk_through(settings: Settings, job: JobSettings) -> Walk:
    """Looks at each file of the job, and reads none. Raises ``Problem`` as a backup would."""
    source = job.source.resolve()
    notes = WalkNotes(job.source, time.time_ns())
    selection = SourceSelection(source, job.filelist, left_out_folders(settings, source))
    survey(
        job.source,
        notes.offer,
        selection,
        other_filesystems=job.other_filesystems,
        device_files=job.device_files,
    )
    return notes.walk()


def _followed(
    settings: Settings,
    jobs: tuple[JobSettings, ...],
    top: Path,
    folders: tuple[str, ...],
    reporter: Reporter,
) -> dict[str, Path]:
    """The new folder of each job whose own is gone and whose files stand in a folder that no job has.

    Names in a backup are relative to the job's folder, so that nothing is uploaded again. Where the whole pile has
    moved, each job is looked for under its folder's name first.
    """
    taken = {os.fspath(job.source) for job in jobs if job.source.is_dir()}
    free = [top / folder for folder in folders if os.fspath(top / folder) not in taken]
    found: dict[str, Path] = {}
    for job in jobs:
        if job.source.is_dir() or not free:
            continue
        before = recall_walk(settings.job_state(job.job))
        candidates = sorted(free, key=lambda folder: folder.name != job.source.name)
        new = next((folder for folder in candidates if _is_now_at(settings, job, before, folder)), None)
        if new is not None:
            free.remove(new)
            found[job.job] = new
            reporter.line(f"{job.job}: its folder is {new} now, and nothing of it is uploaded again")
    return found


def _is_now_at(settings: Settings, job: JobSettings, before: Walk | None, folder: Path) -> bool:
    if before is None:
        return folder.name == job.source.name
    moved = JobSettings(job.job, folder, job.filelist, family=job.family)
    return is_same_folder(before, walk_through(settings, moved))


def _make_jobs(settings: Settings, family: str, jobs: Mapping[str, str], reporter: Reporter) -> int:
    """MB a volume of theirs."""
    with Api(settings.url, token_of(settings)) as api:
        status = api.machine()
        for job, folder in jobs.items():
            api.add_job(JobRequest(job, family))
            reporter.line(f"{family}: the folder {folder} is backed up as {job} from now on")
    return next((one.volume_mb for one in status.families if one.family == family), 200)


def _table(family: str, folder: Path, volume_mb: int) -> dict[str, object]:
    return {"source": str(folder), "family": family, "volume_mb": volume_mb, "full_when": "never"}
