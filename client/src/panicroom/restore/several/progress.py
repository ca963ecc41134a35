"""How far a restore of several jobs is: which of them are back. One that was killed goes on from there."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from panicroom.private_files import write_private
from panicroom.restored_tree.working_folder import working_folder


@dataclass(frozen=True)
class RestoredJob:
    """What a restore has brought back; ``problem`` is what of it is not as backed up, with its ``exit_code``.
    ``paths`` of it were asked for (none: everything), as of ``time`` (None: the newest)."""

    to: str
    files: int
    size_bytes: int
    problem: str | None = None
    exit_code: int = 0
    paths: tuple[str, ...] = ()
    time: str | None = None

    @property
    def is_there(self) -> bool:
        """It is recorded when all is restored and proved, just before the folder gets its name."""
        folder = working_folder(Path(self.to))
        return folder.target.is_dir() and not folder.tree.exists() and not folder.is_moving


@dataclass(frozen=True)
class RestoreProgress:
    """``to``: the folder that was chosen, in which each job has one of its own. ``jobs`` are by a key of each."""

    to: Path | None = None
    jobs: Mapping[str, RestoredJob] = field(default_factory=dict)

    def restored(self, key: str) -> RestoredJob | None:
        found = self.jobs.get(key)
        return found if found is not None and found.is_there else None


class ProgressFile:
    """One that cannot be read counts as empty: a restore into a folder that is not empty is refused anyway."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> RestoreProgress:
        try:
            data = json.loads(self._path.read_bytes())
            jobs = {key: _restored_job(item) for key, item in data["jobs"].items()}
            return RestoreProgress(Path(data["to"]) if data["to"] else None, jobs)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return RestoreProgress()

    def write_target(self, to: Path) -> None:
        self._write(dataclasses.replace(self.read(), to=to))

    def write_job(self, key: str, restored: RestoredJob) -> None:
        progress = self.read()
        self._write(dataclasses.replace(progress, jobs={**progress.jobs, key: restored}))

    def _write(self, progress: RestoreProgress) -> None:
        jobs = {key: dataclasses.asdict(item) for key, item in progress.jobs.items()}
        data = {"to": str(progress.to) if progress.to else None, "jobs": jobs}
        write_private(self._path, json.dumps(data, indent=1))


def _restored_job(item: dict[str, object]) -> RestoredJob:
    return RestoredJob(**{**item, "paths": tuple(item.get("paths") or ())})  # type: ignore[arg-type]
