"""Pictures that are known to be damaged on the disk: a backup must not replace the good ones without a word."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from panicroom.exit_codes import ExitCode, Problem
from panicroom.photos.check import CheckedJob, check_rotted, rotted_files
from panicroom.photos.coverage import damage_text
from panicroom.photos.hashes import recall_hashes
from panicroom.photos.walk import Walk
from panicroom.settings import JobSettings, Settings
from panicroom.shown import named
from panicroom.terminal.reporter import Reporter


@dataclass(frozen=True)
class DamagedPictures:
    """Of ``job``: ``paths`` are damaged. ``stored`` of them were written or renamed since the newest backup, so that
    the next one has them as they are; ``repaired`` are good again."""

    job: str
    reporter: Reporter
    paths: tuple[str, ...] = ()
    stored: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()

    @staticmethod
    def among(
        settings: Settings, job: JobSettings, before: Walk | None, walk: Walk, reporter: Reporter
    ) -> DamagedPictures:
        """``before``: the walk of the newest backup. Reads those again that were written since they were read. While a
        check goes on, what it knew so far counts."""
        store = recall_hashes(settings.job_state(job.job))
        if not any(file.rotted for file in store.files.values()):
            return DamagedPictures(job.job, reporter)
        found = CheckedJob(job, rotted=rotted_files(store, walk.files))
        with contextlib.suppress(Problem):
            found = check_rotted(settings, job, walk.files, reporter)
        rotted = tuple(file.path for file in found.rotted)
        known = before.files if before else walk.files
        stored = tuple(
            path for path in rotted if path not in known or known[path].facts != walk.files[path].facts
        )
        return DamagedPictures(job.job, reporter, rotted, stored, tuple(found.repaired))

    def report_stored(self) -> None:
        if self.repaired:
            self.reporter.line(f"{self.job}: good again: {named(self.repaired)}")
        if self.stored:
            self.reporter.line(
                f"{self.job}: damaged on the disk, and stored as they are now: {named(self.stored)}. The backups "
                "before have the good ones; to bring them back: panicroom photos check --list"
            )

    def check_new_chain(self, agree: Callable[[str], bool]) -> None:
        """A full backup outlives those before it. Raises ``Problem``."""
        if not self.paths:
            return
        text = (
            f"{damage_text(len(self.paths))} ({named(self.paths)}), and a full backup would store the damaged bytes; "
            "the backups with the good ones are deleted some day"
        )
        if not agree(f"{self.job}: {text}"):
            raise Problem(
                f"{text}. Bring the good ones back first: panicroom photos check --list shows how. If it is meant: "
                f"panicroom backup full {self.job} --yes",
                ExitCode.ROTTED,
            )
