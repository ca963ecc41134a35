"""``panicroom restore``: plan, fetch, write, prove, and only then give it the name that was asked for."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from panicroom.api import Api
from panicroom.duplicity_files.contents import path_of
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.duplicity_run import process as duplicity_process
from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.paths import Selection, select_paths
from panicroom.restore.plan import Plan, VolumeKey, make_plan, newest_sets
from panicroom.restore.report import DifferingPath, RestoreReport
from panicroom.restore.rounds import Rounds, full_disk
from panicroom.restore.selected_backup import SelectedBackup, select_backup
from panicroom.restored_tree.file_proof import WRONG_CONTENT, ProofJournal
from panicroom.restored_tree.finishing import finish_tree
from panicroom.restored_tree.survey import survey
from panicroom.restored_tree.tree import Tree
from panicroom.restored_tree.working_folder import WorkingFolder, locked, working_folder
from panicroom.secrets import token_of
from panicroom.settings import JobSettings, Settings
from panicroom.shown import shown_path
from panicroom.terminal.reporter import Reporter

TOO_LONG = "its path would be longer than this system takes"


@dataclass(frozen=True)
class RestoreRequest:
    """What is wanted: ``paths`` as people name them (none: everything), as of ``time`` (None: the newest)."""

    paths: tuple[str, ...]
    time: str | None
    to: Path
    nearest: bool = False


def restore(
    settings: Settings, job: JobSettings, request: RestoreRequest, reporter: Reporter
) -> RestoreReport:
    """Restores into ``request.to``, which must be empty or not there; paths keep their place below it.

    Killed anywhere, the same request carries on. Raises ``Problem`` if it could not be brought to its end; single
    paths that are not as they were are in the report.
    """
    duplicity_process.require_gpg()
    folder = working_folder(request.to)
    with locked(folder, settings.places.state), _explained(folder):
        folder.check_target()
        api = Api(settings.url, token_of(settings))
        backup = select_backup(
            settings, job, request.time, api=api, now=datetime.now(timezone.utc), on_received=_nothing
        )
        selection = select_paths(request.paths, job.source, backup.contents)
        return _Restore(settings, job, request, folder, backup, selection, reporter).run()


def plan_restore(
    settings: Settings, job: JobSettings, request: RestoreRequest
) -> tuple[SelectedBackup, Plan]:
    """What ``restore`` would fetch; nothing is written but the cache."""
    duplicity_process.require_gpg()
    api = Api(settings.url, token_of(settings))
    backup = select_backup(
        settings, job, request.time, api=api, now=datetime.now(timezone.utc), on_received=_nothing
    )
    selection = select_paths(request.paths, job.source, backup.contents)
    return backup, make_plan(backup.contents, selection.indexes)


def _nothing(_bytes: int) -> None:
    pass


@contextmanager
def _explained(folder: WorkingFolder) -> Iterator[None]:
    """A restore that ends early says what there is of it, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise Problem(f"interrupted; {_left(folder)}", ExitCode.INTERRUPTED) from None
    except Problem as problem:
        if folder.tree.exists() and str(folder.folder) not in str(problem):
            raise Problem(f"{problem}; {_left(folder)}", problem.exit_code) from None
        raise


def _left(folder: WorkingFolder) -> str:
    if not folder.tree.exists():
        return "nothing is restored yet"
    return f"what is restored so far is in {shown_path(str(folder.folder))}, and the same command carries on"


@dataclass
class _Restore:
    """One restore, from the plan to the report."""

    settings: Settings
    job: JobSettings
    request: RestoreRequest
    folder: WorkingFolder
    backup: SelectedBackup
    selection: Selection
    reporter: Reporter
    damaged: set[VolumeKey] = field(default_factory=set)
    done: set[PathIndex] = field(default_factory=set)
    failed: dict[PathIndex, str] = field(default_factory=dict)
    older: dict[PathIndex, int] = field(default_factory=dict)

    def run(self) -> RestoreReport:
        plan = self._plan()
        if not plan.entries and not plan.lost:
            raise self._nothing_found(plan)
        cache = self._cache()
        rounds = Rounds(self.settings, self.job.job, self.folder, cache, self.backup.metadata, self.reporter)
        self._prepare(plan)
        title = f"{self.job.job} restore of {self.selection.title}"
        with self.reporter.task(title, 0):
            fetched = sum(item.size_bytes for item in plan.wanted(without=self.done))
            self.reporter.event({"event": "expected", "bytes": fetched})
            plan = self._fetch(rounds, plan)
            entries, digests = dict(plan.entries), dict(plan.digests)
            if self.request.nearest:
                self._fetch_older(rounds, plan, entries, digests)
            report = self._finish(plan, entries)
        shutil.rmtree(cache, ignore_errors=True)
        return report

    def _plan(self) -> Plan:
        plan = make_plan(self.backup.contents, self.selection.indexes, self.damaged)
        longest = os.pathconf(self.folder.existing, "PC_PATH_MAX")
        room = longest - len(os.fsencode(self.folder.target)) - 2
        for path in [path for path in plan.entries if sum(map(len, path)) + len(path) - 1 > room]:
            del plan.entries[path]
            plan.needs.pop(path, None)
            plan.lost[path] = TOO_LONG
        return plan

    def _nothing_found(self, plan: Plan) -> Problem:
        first = path_of(plan.missing[0]) if plan.missing else "the source"
        more = f" (and {len(plan.missing) - 1} more)" if len(plan.missing) > 1 else ""
        return Problem(
            f"{shown_path(first)}{more}: no such path in the backup at that time", ExitCode.NOT_FOUND
        )

    def _cache(self) -> Path:
        name = f"restore-{hashlib.sha256(os.fsencode(self.folder.target)).hexdigest()[:8]}"
        cache = self.settings.job_cache(self.job.job) / name
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cache

    def _prepare(self, plan: Plan) -> None:
        """Takes over what an earlier try has restored, and checks that there is room for the rest."""
        if self.folder.tree.exists():
            self.done = survey(self.folder, plan.entries, plan.digests)
        least = sum(
            max(entry.size_bytes - entry.block_bytes, 0)
            for path, entry in plan.entries.items()
            if path not in self.done
        )
        if least > shutil.disk_usage(self.folder.existing).free:
            raise full_disk(self.folder.existing, self.folder.target, least)

    def _fetch(self, rounds: Rounds, plan: Plan) -> Plan:
        """Rounds until every file is there or known to be lost; the plan without the lost ones."""
        again = True
        while files := plan.needs.keys() - self.done - self.failed.keys():
            result = rounds.run(plan, files)
            self.done |= result.proved
            self.failed.update(result.failed)
            if result.damaged:
                self._leave_out(plan, result.damaged)
                plan = self._plan()
                continue
            wrong = [path for path, reason in self.failed.items() if reason == WRONG_CONTENT]
            self._remove(wrong)
            if not (again and wrong):
                break
            again = False
            for path in wrong:
                del self.failed[path]
        for path in plan.needs.keys() - self.done - self.failed.keys():
            self.failed[path] = "duplicity did not write it"
        return plan

    def _leave_out(self, plan: Plan, names: Iterable[str]) -> None:
        wanted = set(names)
        self.damaged |= {
            (number, volume)
            for number, contents in enumerate(plan.sets)
            for volume, file in contents.stored.items()
            if file.name in wanted
        }

    def _remove(self, paths: Iterable[PathIndex]) -> None:
        """A file that is not right must not look as if it were."""
        tree = Tree(self.folder.tree)
        for path in paths:
            tree.remove(path)
        tree.close()

    def _fetch_older(
        self,
        rounds: Rounds,
        plan: Plan,
        entries: dict[PathIndex, SignatureEntry],
        digests: dict[PathIndex, bytes],
    ) -> None:
        """Brings the files that are lost as of the newest time as of which they can be had."""
        by_set: dict[int, list[PathIndex]] = {}
        for path, number in newest_sets([*plan.lost, *self.failed], plan.sets, self.damaged).items():
            if number < len(plan.sets) - 1:
                by_set.setdefault(number, []).append(path)
        for number, paths in sorted(by_set.items(), reverse=True):
            older = make_plan(plan.sets[: number + 1], paths, self.damaged)
            files = older.needs.keys() & set(paths)
            result = rounds.run(older, files)
            for path in result.proved:
                self.older[path] = number
                entries[path], digests[path] = older.entries[path], older.digests[path]
                for above in (path[:length] for length in range(len(path))):
                    entries.setdefault(above, older.entries[above])
            self.done |= result.proved

    def _finish(self, plan: Plan, entries: dict[PathIndex, SignatureEntry]) -> RestoreReport:
        restored = {
            path: entry
            for path, entry in sorted(entries.items())
            if path not in self.failed or path in self.older
        }
        tree = Tree(self.folder.tree)
        tree.make_folder(())
        failed = finish_tree(tree, restored, ProofJournal(self.folder.journal).read())
        tree.close()
        differing = {**plan.lost, **self.failed, **failed}
        newest = newest_sets(differing, plan.sets, self.damaged)
        report = RestoreReport(
            to=self.folder.target,
            files=len(self.done - failed.keys()),
            size_bytes=self._size(self.done - failed.keys()),
            as_of=self.backup.as_of,
            is_newest=self.backup.is_newest,
            differing=tuple(self._differing(path, differing[path], newest) for path in sorted(differing)),
            missing=self.selection.missing(plan),
            unusable=self.backup.unusable,
            notes=tuple(self.backup.origin.lines()),
        )
        self.folder.finish()
        return report

    def _differing(self, path: PathIndex, reason: str, newest: Mapping[PathIndex, int]) -> DifferingPath:
        number = self.older.get(path, newest.get(path))
        time = None
        if number is not None and number < len(self.backup.contents) - 1:
            time = datetime.fromtimestamp(self.backup.contents[number].time, timezone.utc)
        return DifferingPath(path_of(path), reason, time, path in self.older)

    def _size(self, paths: Iterable[PathIndex]) -> int:
        tree = Tree(self.folder.tree)
        try:
            return sum(tree.status(path).st_size for path in paths)
        finally:
            tree.close()
