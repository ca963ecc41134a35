"""``panicroom restore``: plan, thaw, fetch, write, prove, and only then give it the name that was asked for."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from panicroom.duplicity_files.contents import path_of
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.duplicity_run import process as duplicity_process
from panicroom.duplicity_run.restore_plan import UNREADABLE_DATA
from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.nearest import OlderVersion, OlderVersions
from panicroom.restore.paths import EVERYTHING, nothing_found
from panicroom.restore.plan import ABSENT, DAMAGED, Plan, make_plan
from panicroom.restore.report import DifferingPath, RestoreReport
from panicroom.restore.restore_cache import restore_cache
from panicroom.restore.rounds import Rounds, full_disk
from panicroom.restore.selected_backup import OpenedBackup, opened_backup, with_newest_checked
from panicroom.restored_tree.file_proof import WRONG_CONTENT, ProofJournal
from panicroom.restored_tree.finishing import finish_tree
from panicroom.restored_tree.survey import survey
from panicroom.restored_tree.tree import Tree
from panicroom.restored_tree.working_folder import WorkingFolder, locked, working_folder
from panicroom.settings import JobSettings, Settings
from panicroom.shown import shown_path
from panicroom.stored.times import time_text
from panicroom.terminal.amounts import size_text
from panicroom.terminal.reporter import Reporter
from panicroom.thaw.consent import ThawOptions
from panicroom.thaw.thawer import Thawer
from panicroom.thaw.waiting import Clock

TOO_LONG = "its path would be longer than this system takes"
NOT_WRITTEN = "duplicity did not write it"


@dataclass(frozen=True)
class RestoreRequest:
    """What is wanted: ``paths`` as people name them (none: everything), as of ``time`` (None: the newest)."""

    paths: tuple[str, ...]
    time: str | None
    to: Path
    nearest: bool = False


def restore(
    settings: Settings,
    job: JobSettings,
    request: RestoreRequest,
    options: ThawOptions,
    reporter: Reporter,
    clock: Clock | None = None,
    before_finish: Callable[[RestoreReport], None] = lambda _report: None,
) -> RestoreReport:
    """Restores into ``request.to``, which must be empty or not there; paths keep their place below it.

    ``before_finish`` gets the report when all is restored and proved, and the target has not its name yet. Killed
    anywhere, the same request carries on. Raises ``Problem`` if it could not be brought to its end, or if what is
    archived has to be waited for; single paths that are not as they were are in the report.
    """
    duplicity_process.require_gpg()
    folder = working_folder(request.to)
    with locked(folder, settings.places.state), _explained(folder):
        folder.prepare_target()
        with (
            opened_backup(settings, job, request.paths, request.time, reporter) as selected,
            restore_cache(settings.job_cache(job.job), folder) as cache,
        ):
            metadata, sets = selected.metadata, selected.backup.chain.sets
            thawer = Thawer(
                settings,
                job.job,
                selected.api,
                options,
                reporter,
                before_spending=lambda: metadata.check_opens(sets),
                clock=clock,
                line=metadata.line,
            )
            rounds = Rounds(settings, job.job, folder, cache, reporter)
            report = _Restore(request, folder, selected, rounds, thawer, reporter).run()
            before_finish(report)
            folder.finish()
            shutil.rmtree(cache.folder, ignore_errors=True)
            return report


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
    """One restore, from the plan to the report. ``damaged`` are volumes by name."""

    request: RestoreRequest
    folder: WorkingFolder
    selected: OpenedBackup
    rounds: Rounds
    thawer: Thawer
    reporter: Reporter
    damaged: set[str] = field(default_factory=set)
    done: set[PathIndex] = field(default_factory=set)
    failed: dict[PathIndex, str] = field(default_factory=dict)
    older: dict[PathIndex, OlderVersion] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.backup = self.selected.backup

    def run(self) -> RestoreReport:
        plan = self._plan()
        nothing = nothing_found(plan)
        if nothing is not None:
            raise nothing
        with self.reporter.busy("comparing what is there already"):
            self._prepare(plan)
        plan = self._thaw_and_fetch(plan)
        entries = dict(plan.entries)
        versions = OlderVersions(self.selected.metadata, self.backup)
        if self.request.nearest:
            newest = self._fetch_older(versions, plan, entries)
        else:
            newest = versions.find(self._without_data(plan), self.damaged)
        with self.reporter.busy("comparing everything once more"):
            return self._finish(plan, entries, {**newest, **self.older})

    def _title(self, plan: Plan) -> str:
        files = f"{len(plan.needs)} file{'s' if len(plan.needs) != 1 else ''}"
        newest = " (the newest backup)" if self.backup.is_newest else ""
        title = self.backup.selection.title
        what = files if title == EVERYTHING else f"{title}: {files}"
        size = size_text(plan.most_bytes)
        return f"Restoring {what}, at most {size}, as of {time_text(self.backup.as_of)}{newest}"

    def _plan(self) -> Plan:
        plan = make_plan(self.backup.contents, self.backup.selection.indexes, self.damaged)
        longest = os.pathconf(self.folder.existing, "PC_PATH_MAX")
        room = longest - len(os.fsencode(self.folder.target)) - 2
        for path in [path for path in plan.entries if sum(map(len, path)) + len(path) - 1 > room]:
            del plan.entries[path]
            plan.needs.pop(path, None)
            plan.lost[path] = TOO_LONG
        return plan

    def _plan_again(self, before: Plan) -> Plan:
        """Without the volumes that were found damaged since; a file that is proved needs none of them any more."""
        plan = self._plan()
        for path in self.done & plan.lost.keys():
            del plan.lost[path]
            plan.entries[path] = before.entries[path]
            plan.digests[path], plan.needs[path] = before.digests[path], before.needs[path]
        return plan

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

    def _thaw_and_fetch(self, plan: Plan) -> Plan:
        """Until every file is there or known to be lost; the plan without the lost ones."""
        refused: set[str] = set()
        while True:
            self._make_readable(plan, self._left(plan), refused)
            with self.reporter.task(self._title(plan), 0):
                plan, refused = self._fetch(plan)
            if not refused:
                break
        for path in self._left(plan):
            self.failed[path] = NOT_WRITTEN
        return plan

    def _left(self, plan: Plan) -> set[PathIndex]:
        """The files that are still to be fetched."""
        return plan.needs.keys() - self.done - self.failed.keys()

    def _make_readable(self, plan: Plan, files: Collection[PathIndex], refused: Collection[str]) -> None:
        """Thaws what the files need; ``refused`` are volumes that could not be downloaded, as they are archived."""
        self.thawer.make_readable(self.rounds.to_fetch(plan, files), refused)
        if self.thawer.has_waited and self.backup.is_newest:
            self.backup = with_newest_checked(self.backup, self.selected.api, self.selected.metadata.job)

    def _fetch(self, plan: Plan) -> tuple[Plan, set[str]]:
        """Rounds until every file is there or known to be lost, or one finds archived volumes, which it names; the plan
        without the lost ones."""
        again = True
        while files := self._left(plan):
            result = self.rounds.run(plan, files, self.backup.passphrase)
            self.done |= result.proved
            self.failed.update(result.failed)
            if result.archived:
                return plan, result.archived
            if result.damaged:
                self.damaged |= result.damaged
                plan = self._plan_again(plan)
                continue
            wrong = [path for path, reason in self.failed.items() if reason == WRONG_CONTENT]
            self._remove(wrong)
            if not (again and wrong):
                break
            again = False
            for path in wrong:
                del self.failed[path]
        return plan, set()

    def _remove(self, paths: Iterable[PathIndex]) -> None:
        """A file that is not right must not look as if it were."""
        tree = Tree(self.folder.tree)
        for path in paths:
            tree.remove(path)
        tree.close()

    def _without_data(self, plan: Plan) -> set[PathIndex]:
        """The files that cannot be had from the volumes; what the target has refused, it would refuse again."""
        lost = {path for path, reason in plan.lost.items() if reason in (ABSENT, DAMAGED)}
        bad = (WRONG_CONTENT, NOT_WRITTEN, UNREADABLE_DATA)
        return lost | {path for path, reason in self.failed.items() if reason.startswith(bad)}

    def _fetch_older(
        self, versions: OlderVersions, plan: Plan, entries: dict[PathIndex, SignatureEntry]
    ) -> dict[PathIndex, OlderVersion]:
        """Brings the files that are lost as of the newest time as of which they can be had; the versions of those that
        could not be brought."""
        tried: set[tuple[PathIndex, str]] = set()
        while True:
            by_set: dict[str, tuple[OlderVersion, list[PathIndex]]] = {}
            found = versions.find(self._without_data(plan) - self.older.keys(), self.damaged)
            for path, version in found.items():
                if (path, version.sets[-1].name) not in tried:
                    by_set.setdefault(version.sets[-1].name, (version, []))[1].append(path)
            if not by_set:
                return found
            for name, (version, paths) in by_set.items():
                # A round ends at a damaged volume: files that need none such may not have had their turn.
                if not self._fetch_version(version, paths, entries):
                    tried.update((path, name) for path in paths)

    def _fetch_version(
        self, version: OlderVersion, paths: list[PathIndex], entries: dict[PathIndex, SignatureEntry]
    ) -> bool:
        """Whether a damaged volume was found, at which it ended."""
        older = make_plan(version.sets, paths, self.damaged)
        files = older.needs.keys() & set(paths)
        refused: set[str] = set()
        while files:
            self._make_readable(older, files, refused)
            with self.reporter.task(f"Restoring {len(files)} of them as of {time_text(version.time)}", 0):
                result = self.rounds.run(older, files, version.passphrase)
            self.damaged |= result.damaged
            self._remove(path for path, reason in result.failed.items() if reason == WRONG_CONTENT)
            self._take_over(version, older, result.proved, entries)
            files, refused = files - result.proved - result.failed.keys(), result.archived
            if not refused:
                return bool(result.damaged)
        return False

    def _take_over(
        self,
        version: OlderVersion,
        plan: Plan,
        proved: set[PathIndex],
        entries: dict[PathIndex, SignatureEntry],
    ) -> None:
        """Files that were brought as of an earlier time, and the folders above them."""
        for path in proved:
            self.older[path] = version
            entries[path] = plan.entries[path]
            for above in (path[:length] for length in range(len(path))):
                entries.setdefault(above, plan.entries[above])
        self.done |= proved

    def _finish(
        self,
        plan: Plan,
        entries: dict[PathIndex, SignatureEntry],
        newest: Mapping[PathIndex, OlderVersion],
    ) -> RestoreReport:
        restored = {
            path: entry
            for path, entry in sorted(entries.items())
            if path not in self.failed or path in self.older
        }
        tree = Tree(self.folder.tree)
        tree.make_folder(())
        failed = finish_tree(tree, restored, ProofJournal(self.folder.journal).read())
        done = self.done - failed.keys()
        size_bytes = sum(tree.status(path).st_size for path in done)
        tree.close()
        differing = {**plan.lost, **self.failed, **failed}
        return RestoreReport(
            to=self.folder.target,
            files=len(done),
            size_bytes=size_bytes,
            as_of=self.backup.as_of,
            is_newest=self.backup.is_newest,
            differing=tuple(
                self._differing(path, differing[path], newest.get(path)) for path in sorted(differing)
            ),
            missing=self.backup.selection.missing(plan),
            unusable=self.backup.unusable,
            notes=tuple(self.backup.origin.lines()),
        )

    def _differing(self, path: PathIndex, reason: str, version: OlderVersion | None) -> DifferingPath:
        time = None if version is None else version.time
        return DifferingPath(path_of(path), reason, time, path in self.older)
