"""``panicroom photos check``: reads pictures, compares their bytes with those they had, and remembers how far it came.

duplicity goes by a file's times, so bytes that change by themselves are never backed up: the archive has the good ones.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.photos.coverage import Coverage, cover
from panicroom.photos.file_hash import FileHasher
from panicroom.photos.hashes import HashedFile, HashStore, PassTimes, Verdict, held_hashes, judge
from panicroom.photos.moves import moved_files
from panicroom.photos.walk import FileSeen
from panicroom.photos.walking import walk_through
from panicroom.settings import JobSettings, Settings
from panicroom.terminal.reporter import Reporter

DUE_SECONDS = 90 * 86400
"""So long after a whole pass scheduled backups read a job again."""

_ROUND_SECONDS = 60 * 86400
"""A check of all that was interrupted is carried on with so long; then all is read again."""

_FAILING_IN_A_ROW = 10
"""So many files that cannot be read, one after the other: the disk is gone, or all of it is failing."""

_EVENT_SECONDS = 0.1


@dataclass(frozen=True)
class Unreadable:
    """``is_damage``: the disk could not read it; else it may not be read, or the like."""

    path: str
    reason: str
    is_damage: bool


@dataclass
class CheckedJob:
    """What a check of ``job`` found. ``rotted``: all that are known, also those of earlier checks."""

    job: JobSettings
    coverage: Coverage = field(default_factory=Coverage)
    rotted: list[HashedFile] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    read_files: int = 0
    is_whole: bool = False

    @property
    def exit_code(self) -> ExitCode:
        if self.rotted or any(one.is_damage for one in self.unreadable):
            return ExitCode.ROTTED
        return ExitCode.SOURCE if self.unreadable else ExitCode.DONE


def next_jobs(
    jobs: Sequence[JobSettings], passes: Mapping[str, PassTimes], now: int, *, of_all: bool
) -> list[JobSettings]:
    """In which order they are looked at: first what was interrupted, then what was never looked at, then the oldest.

    ``of_all``: only those that are left of a check of all that was interrupted, if there was one.
    """

    def is_left(job: JobSettings) -> bool:
        its = passes[job.job]
        return its.is_open and its.of_all and now - (its.began_at or 0) < _ROUND_SECONDS

    left = [job for job in jobs if is_left(job) or passes[job.job].began_at is None]
    if of_all and any(map(is_left, left)):
        jobs = left
    return sorted(
        jobs,
        key=lambda job: (not job.source.is_dir(), not passes[job.job].is_open, passes[job.job].ended_at or 0),
    )


def due_jobs_of(jobs: Sequence[JobSettings], passes: Mapping[str, PassTimes], now: int) -> list[JobSettings]:
    """Those that scheduled backups read."""
    return [
        job for job in jobs if now - (passes[job.job].ended_at or 0) >= DUE_SECONDS and job.source.is_dir()
    ]


def begin_round(settings: Settings, jobs: Sequence[JobSettings], now: int) -> None:
    """Marks that all of ``jobs`` are to be read, so that an interrupted check of all knows what is left. One that is
    being checked is passed over: its own check says so."""
    for job in jobs:
        with contextlib.suppress(Problem), held_hashes(settings.job_state(job.job), job.job) as store:
            its = store.newest_pass
            if not (its.is_open and its.of_all and now - (its.began_at or 0) < _ROUND_SECONDS):
                store.begin_pass(now, of_all=True)


def check_job(
    settings: Settings,
    job: JobSettings,
    reporter: Reporter,
    *,
    until: float | None = None,
    clock: Callable[[], float] = time.time,
) -> CheckedJob:
    """Reads what the newest pass has not read yet, or begins a new one; stops after the file that is being read when
    ``clock`` has reached ``until``. Raises ``Problem``; what was read so far is remembered then as well."""
    with held_hashes(settings.job_state(job.job), job.job) as store:
        with reporter.busy(f"{job.job}: looking through the folder"):
            walk = walk_through(settings, job)
        follow_renamed(store, walk.files)
        began_at = store.newest_pass.began_at
        if began_at is None or not store.newest_pass.is_open or began_at > clock():
            store.begin_pass(int(clock()), of_all=False)
        found = CheckedJob(job)
        _Check(job, store, walk.files, found, reporter, clock).run(until)
        found.coverage = cover(walk.files, store.files)
        found.rotted = rotted_files(store, walk.files)
        return found


def check_rotted(
    settings: Settings,
    job: JobSettings,
    seen: Mapping[str, FileSeen],
    reporter: Reporter,
    clock: Callable[[], float] = time.time,
) -> CheckedJob:
    """Reads the files again that are known to be rotted and were written or renamed since. Raises ``Problem`` while
    another check of the job goes on."""
    with held_hashes(settings.job_state(job.job), job.job) as store:
        follow_renamed(store, seen)
        found = CheckedJob(job)
        _Check(job, store, seen, found, reporter, clock).run_touched()
        found.rotted = rotted_files(store, seen)
        return found


def follow_renamed(store: HashStore, seen: Mapping[str, FileSeen]) -> None:
    """A rotted file that has another name stays known as rotted, until it is read. Without that it would be new."""
    rotted = {file.path: FileSeen(*file.times, 0) for file in store.files.values() if file.rotted}
    strange = {path: facts for path, facts in seen.items() if path in rotted or path not in store.files}
    for old, new in moved_files(rotted, strange):
        store.move(old, new)


def rotted_files(store: HashStore, there: Collection[str]) -> list[HashedFile]:
    return [file for path, file in sorted(store.files.items()) if file.rotted and path in there]


class _Check:
    """The reading of one job's files, while its store is held."""

    def __init__(
        self,
        job: JobSettings,
        store: HashStore,
        seen: Mapping[str, FileSeen],
        found: CheckedJob,
        reporter: Reporter,
        clock: Callable[[], float],
    ) -> None:
        self._job, self._store, self._seen, self._found, self._clock = job, store, seen, found, clock
        self._root = os.fspath(job.source.resolve())
        self._identity = _identity(job.source)
        self._reporter = reporter
        self._failed_in_a_row, self._done_bytes, self._said_at = 0, 0, 0.0
        self._hasher = FileHasher(self._on_bytes)

    def run(self, until: float | None) -> None:
        left = self._left()
        total = sum(self._seen[path].size for path in left)
        with self._reporter.task(f"{self._job.job} check", total):
            for path in left:
                if until is not None and self._clock() >= until:
                    return
                self._check(path)
            self._on_bytes(0, last=True)
        gone = self._gone()
        self._check_source()  # or all of it would be gone
        self._store.end_pass(int(self._clock()), gone)
        self._found.is_whole = True

    def run_touched(self) -> None:
        for file in rotted_files(self._store, self._seen):
            if file.times != self._seen[file.path].facts:
                self._check(file.path)

    def _left(self) -> list[str]:
        """What is known to be rotted comes first, as somebody may wait for it; then what was not read the longest."""
        began_at, now = self._store.newest_pass.began_at or 0, self._clock()
        keys = {}
        for path, seen in self._seen.items():
            known = self._store.files.get(path)
            # What was read in the future was read by a clock that was wrong, nobody knows when.
            if known is None or not began_at <= known.read_at <= now or known.times != seen.facts:
                keys[path] = (not (known and known.rotted), known.read_at if known else 0, path)
        return sorted(keys, key=keys.__getitem__)

    def _check(self, path: str) -> None:
        try:
            read = self._hasher.sha256(self._full(path))
        except OSError as error:
            self._take_failure(path, error)
            return
        self._failed_in_a_row = 0
        if read is None:
            return  # it is being written
        digest, status = read
        now = HashedFile(
            path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, digest, int(self._clock())
        )
        verdict, kept = judge(self._store.files.get(path), now)
        self._store.add(kept)
        self._found.read_files += 1
        if verdict is Verdict.REWRITTEN:
            self._found.rewritten.append(path)
        elif verdict is Verdict.REPAIRED:
            self._found.repaired.append(path)

    def _take_failure(self, path: str, error: OSError) -> None:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return  # it was deleted, or replaced, since the folder was looked through
        is_damage = error.errno not in (errno.EACCES, errno.EPERM)
        self._found.unreadable.append(Unreadable(path, error.strerror or str(error), is_damage))
        self._failed_in_a_row += is_damage
        if self._failed_in_a_row >= _FAILING_IN_A_ROW:
            raise Problem(
                f"{_FAILING_IN_A_ROW} files of {self._job.source} in a row cannot be read ({error.strerror}): its disk "
                "is failing, or not attached any more; what was read so far is not lost",
                ExitCode.SOURCE,
            )

    def _gone(self) -> set[str]:
        """The files that were deleted. One that is in a folder that cannot be read is not."""
        gone = set()
        for path in self._store.files.keys() - self._seen.keys():
            try:
                os.lstat(self._full(path))
            except (FileNotFoundError, NotADirectoryError):
                gone.add(path)
            except OSError as error:
                self._take_failure(path, error)
        return gone

    def _check_source(self) -> None:
        """A disk that is detached looks like files that were deleted."""
        if _identity(self._job.source) != self._identity:
            raise Problem(
                f"the folder {self._job.source} went away while it was read; attach its disk, then type the same "
                "again: what was read so far is not lost",
                ExitCode.SOURCE,
            )

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _on_bytes(self, count: int, *, last: bool = False) -> None:
        self._done_bytes += count
        now = time.monotonic()
        if last or now - self._said_at >= _EVENT_SECONDS:
            self._said_at = now
            self._reporter.event({"event": "looked", "bytes": self._done_bytes})


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
