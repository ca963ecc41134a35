"""Pictures that went from one folder of the pile into another: each is a job, so that they would be uploaded again."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from panicroom.exit_codes import Problem
from panicroom.photos.moves import SMALLEST_MOVE_BYTES, MovedBetween, Renamed, moved_between
from panicroom.photos.walk import FileSeen, Walk, recall_walk, remember_walk
from panicroom.photos.walking import walk_through
from panicroom.settings import JobSettings, Settings


class MovesBetween:
    """Of the ``jobs`` of one family, since their newest backups before this command. The folders are walked through
    once, when it is asked for what has moved."""

    def __init__(self, settings: Settings, jobs: Sequence[JobSettings]) -> None:
        self._settings, self._jobs = settings, {job.job: job for job in jobs}
        remembered = {job.job: recall_walk(settings.job_state(job.job)) for job in jobs}
        self._before = {job: known.walk.files for job, known in remembered.items() if known}
        self._counted: set[MovedBetween] = set()

    def of(self, job: str, before: Walk | None, now: Walk) -> list[MovedBetween]:
        """Into ``job``, or out of it; ``before`` and ``now`` are its walks. Empty where it is little."""
        known = before.files if before else {}
        if max(_bytes_beside(known, now.files), _bytes_beside(now.files, known)) < SMALLEST_MOVE_BYTES:
            return []
        moves = [move for move in self._all if job in (move.old_job, move.new_job)]
        return moves if sum(move.bytes for move in moves) >= SMALLEST_MOVE_BYTES else []

    def shown(self, moves: Sequence[MovedBetween]) -> list[Renamed]:
        """With the names of the jobs' folders."""

        def name(job: str, folder: str) -> str:
            return f"{self._jobs[job].source.name}/{folder}".rstrip("/")

        return [
            Renamed(name(move.old_job, move.before), name(move.new_job, move.now), move.files, move.bytes)
            for move in moves
        ]

    def count_out_of(self, job: str, moves: Sequence[MovedBetween]) -> int:
        """The files of ``job`` that another one has now, and that no backup has counted yet; one that begins does."""
        left = [move for move in moves if move.old_job == job and move not in self._counted]
        self._counted.update(left)
        return sum(move.files for move in left)

    def remember_out_of_others(self, job: str, moves: Sequence[MovedBetween]) -> None:
        """What ``job`` stores from now on has not vanished from the others: their next backups say so."""
        for old in {move.old_job for move in moves if move.new_job == job}:
            files = self.count_out_of(old, [move for move in moves if move.new_job == job])
            state = self._settings.job_state(old)
            known = recall_walk(state)
            if files and known is not None:
                remember_walk(state, replace(known, renamed_files=known.renamed_files + files))

    @functools.cached_property
    def _all(self) -> list[MovedBetween]:
        now = {name: self._files_now(job) for name, job in self._jobs.items()}
        return moved_between(self._before, now)

    def _files_now(self, job: JobSettings) -> Mapping[str, FileSeen]:
        try:
            return walk_through(self._settings, job).files
        except Problem:  # it is gone, or nothing is left in it
            return {}


def _bytes_beside(files: Mapping[str, FileSeen], others: Mapping[str, FileSeen]) -> int:
    """Of those whose paths ``others`` have not."""
    return sum(seen.size for path, seen in files.items() if path not in others)
