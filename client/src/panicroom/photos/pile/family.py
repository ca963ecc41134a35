"""Keeps the jobs of a family as its folders are: a new folder becomes a job, a renamed one stays the job it was."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from panicroom.api import Api, ApiError
from panicroom.exit_codes import ExitCode, Problem
from panicroom.photos.moves import is_same_folder, keeps_some
from panicroom.photos.pile.claims import check_claims
from panicroom.photos.pile.folders import TopFolder, look_at, name_folders
from panicroom.photos.walk import Walk, recall_walk, remember_walk
from panicroom.photos.walking import walk_through
from panicroom.secrets import token_of
from panicroom.settings import FamilySettings, JobSettings, Settings
from panicroom.setup.settings_file import change_settings
from panicroom.shown import named, shown_path
from panicroom.terminal.reporter import Reporter
from panicroom.wire import FamilyStatus, JobRequest, MachineStatus

_SAMPLED = 3


@dataclass(frozen=True)
class FollowedFolders:
    """The settings with the family's jobs as its folders are, and what is in no backup for that."""

    settings: Settings
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class FolderPlan:
    """``moved``: the folder that a job has now. ``new``: the folder of each job that is to be made."""

    moved: Mapping[str, Path]
    new: Mapping[str, str]
    problems: tuple[Problem, ...] = ()


def jobs_of(settings: Settings, family: str) -> tuple[JobSettings, ...]:
    return tuple(job for job in settings.jobs if job.family == family)


class FamilyFolders:
    """One family, at one ``panicroom backup``. ``ask`` gets what the service knows of the machine; ``agree`` says
    whether folders may become new jobs though jobs of the family have no folder."""

    def __init__(
        self,
        settings: Settings,
        family: FamilySettings,
        reporter: Reporter,
        ask: Callable[[], MachineStatus],
        agree: Callable[[str], bool],
    ) -> None:
        self._settings, self._family, self._reporter = settings, family, reporter
        self._ask, self._agree = ask, agree
        self._walks: dict[Path, Walk | None] = {}

    def follow(self, *, dry_run: bool = False) -> FollowedFolders:
        """Makes jobs of new folders, and has a job follow its folder to another name or place; ``dry_run``: only says
        so. Raises ``Problem`` where the family's folder is missing."""
        found = look_at(self._family.source)
        self._report_left(found)
        plan = self._plan(found)
        for job, folder in plan.moved.items():
            self._line(f"{job}: its folder is {folder} now")
        if not dry_run:
            _, problem = self._make_jobs(self._forgotten())
            followed = self._apply(plan)
            return replace(followed, problems=(*([problem] if problem else []), *followed.problems))
        for job, name in plan.new.items():
            self._line(f"{self._family.family}: the folder {name} would be backed up as {job}")
        return FollowedFolders(_with_folders(self._settings, plan.moved), plan.problems)

    def follow_moved(self) -> FollowedFolders:
        """Has jobs follow their folders, and makes none. Raises ``Problem`` as ``follow``."""
        moved, strange = self._moved(self._full_folders(look_at(self._family.source)))
        problems = tuple(_strange(job, folder) for job, folder in strange.items())
        return self._apply(FolderPlan(moved, {}, problems))

    def _report_left(self, found: TopFolder) -> None:
        top = self._family.source
        if found.loose:
            files = "file lies" if len(found.loose) == 1 else "files lie"
            self._line(
                f"{self._family.family}: {len(found.loose)} {files} beside the folders in {top} and in no backup: "
                f"{named(found.loose)}; put them into a folder"
            )
        links = [name for name in found.links if top / name not in self._own_folders()]
        if links:
            self._line(
                f"{self._family.family}: in no backup, as they are links to folders elsewhere: {named(links)}; move "
                f"the folders themselves into {top}"
            )

    def _plan(self, found: TopFolder) -> FolderPlan:
        top, problems = self._family.source, []
        full = self._full_folders(found)
        moved, strange = self._moved(full)
        if found.unnamed:
            problems.append(_unnamed(top, found.unnamed))
        for job, folder in strange.items():
            problems.append(_strange(job, folder))
        kept = {job.source for job in self._jobs() if job.job not in moved and job.source.is_dir()}
        taken = {*kept, *moved.values(), *strange.values()}
        empty = [name for name in found.folders if top / name not in {*taken, *full}]
        if empty:
            self._line(f"{self._family.family}: no pictures in {named(empty)} yet")
        fresh = [folder.name for folder in full if folder not in taken and _has_files(folder)]
        new, more = self._named_jobs(fresh) if fresh else ({}, ())
        return FolderPlan(moved, new, (*problems, *more))

    def moved(self) -> dict[str, Path]:
        """The folder that each job has now whose own is gone, or is elsewhere. Raises ``Problem`` as ``follow``."""
        return self._moved(self._full_folders(look_at(self._family.source)))[0]

    def _full_folders(self, found: TopFolder) -> list[Path]:
        """Folders with a file in them, and those that are some job's."""
        folders, own = [self._family.source / name for name in found.folders], self._own_folders()
        return [folder for folder in folders if folder in own or _has_files(folder)]

    def _own_folders(self) -> set[Path]:
        """Of jobs that are where they were."""
        return {job.source for job in self._jobs() if job.source.is_dir()}

    def _jobs(self) -> tuple[JobSettings, ...]:
        return jobs_of(self._settings, self._family.family)

    def _moved(self, folders: Sequence[Path]) -> tuple[dict[str, Path], dict[str, Path]]:
        """The folder that each job has now whose own is gone, or is elsewhere; and folders with a job's name that have
        other files.

        Names in a backup are relative to the job's folder, so that nothing is uploaded again.
        """
        moved, strange = dict[str, Path](), dict[str, Path]()
        if not set(folders) - self._own_folders() and not any(map(self._has_other_files, self._jobs())):
            return moved, strange
        home = {job.source for job in self._jobs() if self._is_at_home(job)}
        free = [folder for folder in folders if folder not in home]
        for job in self._jobs():
            if job.source in home:
                continue
            own = next((folder for folder in free if folder.name in (job.source.name, job.job)), None)
            is_gone = not job.source.is_dir() or job.source.parent == self._family.source
            others = [folder for folder in free if folder != own] if is_gone else []
            candidates = [*([own] if own else []), *others]
            new = next((folder for folder in candidates if self._is_now_at(job, folder, own)), None)
            if new is not None:
                free.remove(new)
                moved[job.job] = new
            elif own is not None and not job.source.is_dir():
                free.remove(own)
                strange[job.job] = own
        return moved, strange

    def _is_at_home(self, job: JobSettings) -> bool:
        """Whether its folder is there and has something of what it had: else it may have been renamed, and another one
        got its name."""
        if not job.source.is_dir() or job.source.parent != self._family.source:
            return False
        remembered = recall_walk(self._settings.job_state(job.job))
        if remembered is None:
            return True
        now = self._walk(job, job.source)
        return now is not None and (is_same_folder(remembered.walk, now) or keeps_some(remembered.walk, now))

    def _has_other_files(self, job: JobSettings) -> bool:
        """Whether its largest files are not where they were: a look that takes no time. Two folders may have each
        other's names."""
        remembered = recall_walk(self._settings.job_state(job.job))
        if remembered is None or job.source.parent != self._family.source or not job.source.is_dir():
            return False
        files = remembered.walk.files
        largest = sorted(files, key=lambda path: files[path].size)[-_SAMPLED:]
        return not any(_has_size(job.source / path, files[path].size) for path in largest)

    def _is_now_at(self, job: JobSettings, folder: Path, own: Path | None) -> bool:
        remembered = recall_walk(self._settings.job_state(job.job))
        if remembered is None:
            return folder == own
        now = self._walk(job, folder)
        return now is not None and is_same_folder(remembered.walk, now)

    def _walk(self, job: JobSettings, folder: Path) -> Walk | None:
        """None where there is nothing to look at."""
        if folder not in self._walks:
            try:
                self._walks[folder] = walk_through(self._settings, replace(job, folder=folder))
            except Problem:
                self._walks[folder] = None
        return self._walks[folder]

    def _named_jobs(self, folders: Sequence[str]) -> tuple[dict[str, str], tuple[Problem, ...]]:
        """Folder by job, as many as the family may have, and what is wrong with the others."""
        name, status = self._family.family, self._ask()
        here = {job.job for job in self._settings.jobs}
        known = {job.job for job in status.jobs if job.family == name} - here
        named = name_folders(name, folders, known, {*here, *(job.job for job in status.jobs)} - known)
        fresh = {job: folder for job, folder in named.items() if job not in known}
        claimed = {job: folder for job, folder in named.items() if job in known}
        stored = [one.job for one in status.jobs if one.newest_complete_at is not None]
        left = known.intersection(stored) - named.keys()
        problem = check_claims(self._settings, name, sorted(fresh.values()), left, self._agree)
        if problem is not None:
            return claimed, (problem,)
        most = family_status(status, name).most_jobs - sum(job.family == name for job in status.jobs)
        kept = dict(list(fresh.items())[: max(most, 0)])
        others = [folder for job, folder in fresh.items() if job not in kept]
        return {**claimed, **kept}, (_too_many(name, others),) if others else ()

    def _apply(self, plan: FolderPlan) -> FollowedFolders:
        changes: dict[str, dict[str, object]] = {
            f"jobs.{job}": {"source": str(folder)} for job, folder in plan.moved.items()
        }
        problems = list(plan.problems)
        if plan.new:
            made, problem = self._make_jobs(plan.new)
            volume_mb = family_status(self._ask(), self._family.family).volume_mb
            changes |= {
                f"jobs.{job}": job_table(self._family.family, self._family.source / name, volume_mb)
                for job, name in made.items()
            }
            problems += [problem] if problem else []
        for mine in self._jobs():
            if mine.job in plan.moved:
                folder = plan.moved[mine.job]
                take_walk_along(self._settings, mine.job, self._walk(mine, folder))
        settings = change_settings(self._settings.places, changes) if changes else self._settings
        return FollowedFolders(settings, tuple(problems))

    def _forgotten(self) -> dict[str, str]:
        """The folder of each job that the service has no longer: the machine was removed there, and added again."""
        known = {job.job for job in self._ask().jobs}
        return {
            job.job: job.source.name for job in self._jobs() if job.job not in known and job.source.is_dir()
        }

    def _make_jobs(self, jobs: Mapping[str, str]) -> tuple[dict[str, str], Problem | None]:
        """Those that were made; and why no more were."""
        made: dict[str, str] = {}
        if not jobs:
            return made, None
        family = self._family.family
        with Api(self._settings.url, token_of(self._settings)) as api:
            for job, folder in jobs.items():
                try:
                    api.add_job(JobRequest(job, family))
                except ApiError as failure:
                    return made, failure.as_problem()
                made[job] = folder
                self._line(f"{family}: the folder {folder} is backed up as {job} from now on")
        return made, None

    def _line(self, text: str) -> None:
        self._reporter.line(shown_path(text))


def family_status(status: MachineStatus, name: str) -> FamilyStatus:
    """What the owner has said about the family; a ``Problem`` where there is none of that name."""
    for family in status.families:
        if family.family == name:
            return family
    raise Problem(
        f"the service has no folder of pictures {name!r} for {status.machine}; ask its owner: python -m ops machine "
        f"add {status.machine} --photos",
        ExitCode.SETTINGS,
    )


def job_table(family: str, folder: Path, volume_mb: int) -> dict[str, object]:
    """The settings of a photo job."""
    return {"source": str(folder), "family": family, "volume_mb": volume_mb, "full_when": "never"}


def take_walk_along(settings: Settings, job: str, now: Walk | None) -> None:
    """``now`` is a walk through the job's folder where it is from now on. Its files are the same ones: where even their
    inodes are, nothing has to be backed up."""
    state = settings.job_state(job)
    remembered = recall_walk(state)
    if remembered is not None and now is not None:
        remember_walk(state, replace(remembered, walk=replace(remembered.walk, scope=now.scope)))


def _with_folders(settings: Settings, folders: Mapping[str, Path]) -> Settings:
    jobs = tuple(replace(job, folder=folders.get(job.job, job.folder)) for job in settings.jobs)
    return replace(settings, jobs=jobs)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.lstat().st_size == size
    except OSError:
        return False


def _has_files(folder: Path) -> bool:
    return any(files for _path, _folders, files in os.walk(folder))


def _unnamed(top: Path, names: Sequence[str]) -> Problem:
    return Problem(
        f"in {top} are folders in no backup, as their names have letters that are no text: {named(names)}; give "
        "them others",
        ExitCode.SOURCE,
    )


def _strange(job: str, folder: Path) -> Problem:
    return Problem(
        f"{folder} has other pictures than {job} had, whose own folder is gone; nothing of it was backed up. If it is "
        f"meant: panicroom photos folder --job {job} DIR",
        ExitCode.SOURCE,
    )


def _too_many(family: str, folders: Sequence[str]) -> Problem:
    return Problem(
        f"{family} has as many jobs as it may; in no backup are the folders {named(folders)}. Put folders of one year "
        "together in a folder of that year",
        ExitCode.REFUSED,
    )
