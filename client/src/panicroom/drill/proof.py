"""Restores what a drill has picked into a folder that goes away, and proves it: by the rounds of every restore."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from panicroom.drill.archive import DrillArchive
from panicroom.drill.choice import Pick, plan_of
from panicroom.drill.outcome import DrilledFile, DrillFailed, DrillSkipped
from panicroom.duplicity_files.contents import path_of
from panicroom.duplicity_files.work_folder import locked_work_folder
from panicroom.duplicity_run.restore_plan import UNREADABLE_DATA
from panicroom.exit_codes import ExitCode
from panicroom.restore.plan import Plan
from panicroom.restore.restore_cache import RestoreCache
from panicroom.restore.rounds import RoundResult, Rounds
from panicroom.restored_tree.file_proof import WRONG_CONTENT
from panicroom.restored_tree.tree import Tree
from panicroom.restored_tree.working_folder import WorkingFolder
from panicroom.settings import Settings
from panicroom.shown import shown_path
from panicroom.terminal.amounts import size_text
from panicroom.terminal.reporter import Reporter
from panicroom.thaw.thawer import Thawer
from panicroom.wire import ListedFile

_SPARE_BYTES = 64 * 2**20
"""What duplicity and gpg take beside volumes and files."""


@dataclass(frozen=True)
class PlannedPick:
    """``passphrase`` opens the volumes of the plan."""

    pick: Pick
    plan: Plan
    passphrase: str | None

    @property
    def volumes(self) -> list[ListedFile]:
        return self.plan.volumes()


def planned(archive: DrillArchive, pick: Pick) -> PlannedPick | None:
    """None if what was picked is not there any more."""
    chain = archive.chain(pick.set)
    if chain is None or pick.volume not in archive.manifests[pick.set].volumes:
        return None
    plan = plan_of(pick, archive.contents(pick.set))
    if not plan.needs:
        return None
    # A million paths of each of three chains need not wait in memory for their volumes.
    sets = tuple(dataclasses.replace(item, entries={}, digests={}) for item in plan.sets)
    return PlannedPick(pick, dataclasses.replace(plan, sets=sets), archive.cache.passphrase_of(chain.sets))


def volumes_of(plans: Sequence[PlannedPick]) -> list[ListedFile]:
    """Each once."""
    return list({file.name: file for item in plans for file in item.volumes}.values())


class Proof:
    """Of one job's drill."""

    def __init__(self, settings: Settings, job: str, thawer: Thawer, reporter: Reporter) -> None:
        self._settings, self._job, self._thawer, self._reporter = settings, job, thawer, reporter
        self._volumes: list[ListedFile] = []

    def run(self, plans: Sequence[PlannedPick]) -> Iterator[DrilledFile]:
        """Each as it is proved. Raises ``DrillFailed`` at the first that cannot be, and ``Problem`` where it cannot go
        on, or has to wait for a thaw."""
        self._check_room(plans)
        self._volumes = volumes_of(plans)
        self._thawer.make_readable(self._volumes)
        for item in plans:
            yield self._proved(item)

    def _check_room(self, plans: Sequence[PlannedPick]) -> None:
        """Before money is spent: one pick after the other is restored, and duplicity has a copy of a file as well."""
        needed = max(
            (sum(file.size for file in item.volumes) + 2 * item.plan.most_bytes for item in plans), default=0
        )
        folder = next(path for path in (self._cache, *self._cache.parents) if path.is_dir())
        free = shutil.disk_usage(folder).free
        if free < needed + _SPARE_BYTES:
            raise DrillSkipped(
                f"the disk of the cache folder {shown_path(str(folder))} is full: the drill takes "
                f"{size_text(needed + _SPARE_BYTES)}, {size_text(free)} are free",
                ExitCode.SPACE,
            )

    @property
    def _cache(self) -> Path:
        return self._settings.job_cache(self._job)

    def _proved(self, item: PlannedPick) -> DrilledFile:
        with self._folders() as (folder, cache):
            result = self._restored(item, folder, cache)
            path = item.pick.path
            if path is not None and result.failed.get(path) == WRONG_CONTENT:
                with self._folders() as (again, its_cache):  # the disk here may have been at fault
                    result = self._restored(item, again, its_cache)
                    return self._drilled(item, result, again)
            return self._drilled(item, result, folder)

    @contextmanager
    def _folders(self) -> Iterator[tuple[WorkingFolder, RestoreCache]]:
        with locked_work_folder(self._cache, "drill") as (folder, lock):
            yield WorkingFolder(folder / "file", folder), RestoreCache(folder, lock)

    def _restored(self, item: PlannedPick, folder: WorkingFolder, cache: RestoreCache) -> RoundResult:
        rounds = Rounds(self._settings, self._job, folder, cache, self._reporter)
        files = item.plan.needs.keys()
        while True:
            with self._reporter.task(f"{self._job} drill", 0, brief=True):
                result = rounds.run(item.plan, files, item.passphrase)
            if not result.archived:
                return result
            self._thawer.make_readable(self._volumes, result.archived)  # the next call needs all of them

    def _drilled(self, item: PlannedPick, result: RoundResult, folder: WorkingFolder) -> DrilledFile:
        """Raises ``DrillFailed`` unless it is as it was backed up."""
        if result.damaged:
            names = ", ".join(sorted(result.damaged))
            raise DrillFailed(f"{names} is damaged: it is not what its manifest says, or cannot be decrypted")
        path, size_bytes = item.pick.path, 0
        if path is not None:
            _check_file(item, result, folder)
            tree = Tree(folder.tree)
            size_bytes = tree.status(path).st_size
            tree.close()
        return DrilledFile(
            path=None if path is None else path_of(path),
            set=item.pick.set,
            as_of=datetime.fromtimestamp(item.plan.sets[-1].time, timezone.utc),
            size_bytes=size_bytes,
            volumes=tuple(file.name for file in item.volumes),
        )


def _check_file(item: PlannedPick, result: RoundResult, folder: WorkingFolder) -> None:
    path = item.pick.path
    assert path is not None
    if path in result.proved:
        return
    reason = result.failed.get(path)
    if reason == WRONG_CONTENT:
        raise DrillFailed(
            f"signatures and volumes of the set {item.pick.set} do not fit: a file is not restored as it was",
            path=path_of(path),
        )
    if reason is None or reason.startswith(UNREADABLE_DATA):
        raise DrillFailed(
            f"a file of the set {item.pick.set} cannot be restored: {reason or 'duplicity did not write it'}",
            path=path_of(path),
        )
    if not os.path.lexists(folder.tree):
        raise DrillSkipped(f"the drill's folder cannot be written: {reason}", ExitCode.TARGET)
    raise DrillSkipped(f"a file cannot be written on this computer: {reason}", ExitCode.TARGET)
