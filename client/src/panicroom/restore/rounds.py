"""A round of a restore: one duplicity process that writes files, which are proved while it goes on.

It ends when all planned files are written, or at a damaged volume, which another round leaves out, or at an archived
one, which has to be thawed before another round.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from panicroom.duplicity_files.contents import SetContents
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_run import process as duplicity_process
from panicroom.duplicity_run.arguments import restore_arguments
from panicroom.duplicity_run.plan import ChildPlan
from panicroom.duplicity_run.process import Ended
from panicroom.duplicity_run.restore_plan import ChildRestore, PlannedVolume, from_hex, partial_path
from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.plan import Plan, VolumeKey
from panicroom.restore.restore_cache import RestoreCache
from panicroom.restored_tree.file_proof import FileProver, ProofJournal, ProvingThread
from panicroom.restored_tree.working_folder import WorkingFolder
from panicroom.secrets import token_of
from panicroom.settings import Settings
from panicroom.shown import shown_path
from panicroom.terminal.amounts import size_text
from panicroom.terminal.reporter import Reporter
from panicroom.wire import ListedFile


@dataclass
class RoundResult:
    """``failed`` files with the reason, ``damaged`` volumes by name, and ``archived`` ones, at which it ended."""

    proved: set[PathIndex] = field(default_factory=set)
    failed: dict[PathIndex, str] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    archived: set[str] = field(default_factory=set)


class Rounds:
    """Starts the rounds of one restore. ``cache`` is its own: volumes, and duplicity's working files."""

    def __init__(
        self, settings: Settings, job: str, folder: WorkingFolder, cache: RestoreCache, reporter: Reporter
    ) -> None:
        self._settings, self._job, self._folder, self._cache = settings, job, folder, cache.folder
        self._lock = cache.lock
        self._reporter = reporter

    def to_fetch(self, plan: Plan, files: Collection[PathIndex]) -> list[ListedFile]:
        """The volumes that the files need, without those that an earlier try has left in the spool."""
        spool = self._cache / "volumes"
        return [file for file in plan.volumes(files) if not _is_whole(spool / file.name, file.size)]

    def run(self, plan: Plan, files: Collection[PathIndex], passphrase: str | None) -> RoundResult:
        """Writes and proves ``files`` of the plan; ``passphrase`` opens its volumes. Raises ``Problem`` if it cannot go
        on."""
        result = RoundResult()
        spool = _Spool(self._cache / "volumes", plan, files)
        prover = FileProver(self._folder.tree, ProofJournal(self._folder.journal))

        def on_proved(path: PathIndex) -> None:
            result.proved.add(path)
            spool.release(path)

        proving = ProvingThread(prover, plan.entries, plan.digests, on_proved)

        def on_event(event: dict[str, Any]) -> None:
            match event["event"]:
                case "written":
                    proving.prove(from_hex(event["path"]))
                case "unwritten":
                    result.failed[from_hex(event["path"])] = event["reason"]
                case "damaged":
                    result.damaged.add(event["name"])
                case "archived":
                    result.archived.add(event["name"])
                case _:
                    self._reporter.event(event)

        try:
            ended = self._start(plan, files, spool.folder, passphrase, on_event)
        finally:
            proving.finish()
        result.failed.update(proving.failures)
        if not (result.archived or (result.damaged and ended.starts_again)):
            self._check(ended, plan, result)
        return result

    def _start(
        self, plan: Plan, files: Collection[PathIndex], spool: Path, passphrase: str | None, on_event: Any
    ) -> Ended:
        (self._cache / "tmp").mkdir(exist_ok=True)
        handed = self._cache / "plan"
        ChildRestore(self._folder.tree, spool, tuple(_planned_volumes(plan, files)), files).write(handed)
        arguments = restore_arguments(
            self._settings,
            self._job,
            work=self._cache,
            to=self._cache / "unused",  # the child writes into the tree instead
        )
        return duplicity_process.run(
            ChildPlan(url=self._settings.url, job=self._job, restore=str(handed)),
            arguments,
            token=token_of(self._settings),
            passphrase=passphrase,
            log_file=self._settings.places.log_file,
            on_event=on_event,
            lock_descriptor=self._lock,
        )

    def _check(self, ended: Ended, plan: Plan, result: RoundResult) -> None:
        problem = ended.problem(self._settings.places.log_file)
        if problem is None:
            return
        if ended.stopped is not None and problem.exit_code == ExitCode.SPACE:
            raise self._full_disk(str(problem), plan, result)
        raise problem

    def _full_disk(self, which: str, plan: Plan, result: RoundResult) -> Problem:
        """A line that names the disk, and the bytes that it lacks."""
        if which == "target":
            left = sum(plan.entries[path].size_bytes for path in plan.needs.keys() - result.proved)
            return full_disk(self._folder.existing, self._folder.target, left)
        free = shutil.disk_usage(self._cache).free
        return Problem(
            f"the disk of the cache folder {shown_path(str(self._cache))} is full ({size_text(free)} free); "
            "make room there and run the same command again, it carries on",
            ExitCode.SPACE,
        )


def full_disk(existing: Path, target: Path, needed_bytes: int) -> Problem:
    """The disk of the target has too little room for ``needed_bytes`` more."""
    free = shutil.disk_usage(existing).free
    return Problem(
        f"the disk of {shown_path(str(target))} is full: {size_text(needed_bytes)} are still to be written, "
        f"{size_text(free)} are free; make room there and run the same command again, it carries on",
        ExitCode.SPACE,
    )


def _planned_volumes(plan: Plan, files: Collection[PathIndex]) -> Iterator[tuple[PlannedVolume, ...]]:
    """The volumes that the files need, of each set in its turn."""
    for number, volumes in plan.by_set(files).items():
        yield tuple(_planned_volume(plan.sets[number], volume) for volume in volumes)


def _planned_volume(contents: SetContents, number: int) -> PlannedVolume:
    assert contents.ranges is not None, "the plan has read them"
    file, hashes = contents.stored[number], contents.ranges[number].hashes
    known = next(((name, hashes[name]) for name in ("SHA1", "MD5") if name in hashes), None)
    return PlannedVolume(file.name, file.size, known)


def _is_whole(path: Path, size: int) -> bool:
    """Whether all of a volume has been downloaded, as ``path`` or on its way there."""
    return path.exists() or (partial_path(path).exists() and partial_path(path).stat().st_size == size)


class _Spool:
    """Downloaded volumes. One is removed when all files that need it are proved; until then a kill costs nothing."""

    def __init__(self, folder: Path, plan: Plan, files: Collection[PathIndex]) -> None:
        self.folder, self._plan = folder, plan
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._users: dict[VolumeKey, int] = {}
        for path in files:
            for key in set(plan.needs[path]):
                self._users[key] = self._users.get(key, 0) + 1

    def release(self, path: PathIndex) -> None:
        """``path`` needs its volumes no more."""
        with self._lock:
            for key in set(self._plan.needs[path]):
                self._users[key] -= 1
                if not self._users[key]:
                    number, volume = key
                    name = self._plan.sets[number].stored[volume].name
                    (self.folder / name).unlink(missing_ok=True)
