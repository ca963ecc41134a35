"""How far a recovery is: where to, and which jobs are back. A recovery that was killed goes on from there."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from panicroom.private_files import write_private
from panicroom.restored_tree.working_folder import working_folder
from panicroom.settings import Settings


@dataclass(frozen=True)
class RestoredJob:
    """What a restore has brought back; ``problem`` is what of it is not as backed up, with its ``exit_code``."""

    to: str
    files: int
    size_bytes: int
    problem: str | None = None
    exit_code: int = 0

    @property
    def is_there(self) -> bool:
        """It is recorded when all is restored and proved, just before the folder gets its name."""
        folder = working_folder(Path(self.to))
        return folder.target.is_dir() and not folder.tree.exists() and not folder.is_moving


@dataclass(frozen=True)
class RecoveryProgress:
    """``to``: the folder that was chosen, in which each job has one of its own."""

    to: Path | None = None
    jobs: Mapping[str, RestoredJob] = field(default_factory=dict)

    def restored(self, job: str) -> RestoredJob | None:
        found = self.jobs.get(job)
        return found if found is not None and found.is_there else None


class ProgressFile:
    """In the machine's state folder. A file that cannot be read counts as empty: a restore into a folder that is not
    empty is refused anyway."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.places.state / settings.machine / "recovery.json"

    def read(self) -> RecoveryProgress:
        try:
            data = json.loads(self._path.read_bytes())
            jobs = {job: RestoredJob(**item) for job, item in data["jobs"].items()}
            return RecoveryProgress(Path(data["to"]) if data["to"] else None, jobs)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return RecoveryProgress()

    def write_target(self, to: Path) -> None:
        self._write(dataclasses.replace(self.read(), to=to))

    def write_job(self, job: str, restored: RestoredJob) -> None:
        progress = self.read()
        self._write(dataclasses.replace(progress, jobs={**progress.jobs, job: restored}))

    def _write(self, progress: RecoveryProgress) -> None:
        jobs = {job: dataclasses.asdict(item) for job, item in progress.jobs.items()}
        data = {"to": str(progress.to) if progress.to else None, "jobs": jobs}
        write_private(self._path, json.dumps(data, indent=1))
