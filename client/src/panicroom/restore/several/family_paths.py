"""The jobs of a family of pictures as people name them: by their folders. Pure, but for links in full paths."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.settings import JobSettings, Settings
from panicroom.shown import shown_path
from panicroom.stored.similar_paths import similar_paths

_MOST_NAMED = 20


@dataclass(frozen=True)
class JobFamily:
    """``source`` is the folder of the pile, None where this computer does not know it."""

    name: str
    source: Path | None
    jobs: tuple[JobSettings, ...]

    @property
    def folders(self) -> dict[str, JobSettings]:
        """Its jobs, by the names of their folders, in the order of the names. A job that has no folder on this
        computer, or one whose name another has too, goes by its own."""
        names = Counter(_folder_of(job) for job in self.jobs)
        found = {name if names[name := _folder_of(job)] == 1 else job.job: job for job in self.jobs}
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class WantedJob:
    """A job, and what of it is wanted: ``paths`` relative to its folder, none for everything. ``folder`` is what it is
    called among the others, and its folder below the target."""

    job: JobSettings
    folder: str
    paths: tuple[str, ...] = ()


def family_named(settings: Settings, name: str) -> JobFamily | None:
    """None if no family is called so."""
    jobs = tuple(job for job in settings.jobs if job.family == name)
    known = next((family for family in settings.families if family.family == name), None)
    if known is None and not jobs:
        return None
    if not jobs:
        raise Problem(f"{name} has no folder in the backup yet; run: panicroom backup", ExitCode.NOT_FOUND)
    return JobFamily(name, known.folder if known is not None else None, jobs)


def wanted_jobs(family: JobFamily, paths: Sequence[str]) -> list[WantedJob]:
    """What ``paths`` mean: a folder's or a job's name, a path that begins with one, or a full path; none of them mean
    everything. Raises ``Problem`` that names what there is."""
    folders = family.folders
    found: dict[str, list[str]] = {}
    for path in paths:
        for folder, rest in _named(family, folders, path):
            found.setdefault(folder, []).append(rest)
    if not paths:
        found = {folder: [""] for folder in folders}
    return [
        WantedJob(job, folder, () if "" in found[folder] else tuple(dict.fromkeys(found[folder])))
        for folder, job in folders.items()
        if folder in found
    ]


def _folder_of(job: JobSettings) -> str:
    name = job.folder.name if job.folder is not None else ""
    return job.job if name in ("", "..") else name


def _named(family: JobFamily, folders: dict[str, JobSettings], path: str) -> list[tuple[str, str]]:
    """The folders that ``path`` means, with the rest of it in each; the whole pile is all of them."""
    relative = _relative(family, folders, path)
    if relative == ".":
        return [(folder, "") for folder in folders]
    first, _, rest = relative.partition("/")
    by_job = {job.job: folder for folder, job in folders.items()}
    folder = first if first in folders else by_job.get(first)
    if folder is None:
        raise _unknown(family, folders, path)
    return [(folder, rest)]


def _relative(family: JobFamily, folders: dict[str, JobSettings], path: str) -> str:
    """``path`` as it begins with a folder's name."""
    if not path:
        raise Problem("an empty path names nothing", ExitCode.USAGE)
    normal = os.path.normpath(path)
    if os.path.isabs(normal):  # noqa: PTH117
        real = os.path.realpath(normal)
        for folder, job in folders.items():
            if job.folder is not None and (
                rest := _below(normal, job.folder) or _below(real, job.folder.resolve())
            ):
                return os.path.normpath(f"{folder}/{rest}")
        top = family.source
        if top is not None and (rest := _below(normal, top) or _below(real, top.resolve())):
            return rest
        raise Problem(f"{shown_path(path)} is not below a folder of {family.name}", ExitCode.USAGE)
    if normal.split("/")[0] == "..":
        raise Problem(f"{shown_path(path)} names no path of {family.name}", ExitCode.USAGE)
    return normal


def _below(path: str, folder: Path) -> str | None:
    """The path from ``folder`` on, ``.`` for itself; None where it is elsewhere."""
    return str(Path(path).relative_to(folder)) if Path(path).is_relative_to(folder) else None


def _unknown(family: JobFamily, folders: dict[str, JobSettings], path: str) -> Problem:
    if path.split("\\")[0] in folders:
        return Problem(
            f"write {shown_path(path)} with /: {shown_path(path).replace(chr(92), '/')}", ExitCode.NOT_FOUND
        )
    first, names = path.split("/")[0], list(folders)
    shown = f"its folders are: {', '.join(map(shown_path, names))}"
    if len(names) > _MOST_NAMED:
        meant = similar_paths(first, names) or names[-1:]
        shown = f"it has {len(names)}, such as {' or '.join(map(shown_path, meant))}"
    return Problem(
        f"{family.name} has no folder {shown_path(first)}; {shown}; to look in all of them: panicroom files "
        f"--job {family.name} --find {shown_path(shlex.quote(first))}",
        ExitCode.NOT_FOUND,
    )
