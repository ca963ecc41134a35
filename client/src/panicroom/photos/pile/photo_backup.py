"""Backs up photo jobs: those that have changed, after a look at what a renamed folder would cost."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import functools
import shlex
from collections import defaultdict
from collections.abc import Callable

from panicroom.exit_codes import ExitCode, Problem
from panicroom.photos.moves import Renamed, count_renamed, renamed_folders
from panicroom.photos.pile.damaged_pictures import DamagedPictures
from panicroom.photos.pile.family import FamilyFolders, jobs_of
from panicroom.photos.pile.moves_between import MovesBetween
from panicroom.photos.settled import Looked, look_through, report_settled
from panicroom.photos.upload_again import UploadRate, price_text
from panicroom.photos.walk import RememberedWalk, Walk, recall_walk, remember_walk
from panicroom.photos.walking import leads_out, steady_walk
from panicroom.settings import FamilySettings, JobSettings, Settings
from panicroom.shown import named
from panicroom.terminal.reporter import Reporter
from panicroom.terminal.run_totals import RunTotals
from panicroom.terminal.status import fetch_status
from panicroom.wire import MachineStatus


class PhotoBackups:
    """Of one ``panicroom backup``. ``agree`` answers a question with yes or no; ``fail`` takes a failure of a family or
    a job, after which the others go on."""

    def __init__(
        self,
        settings: Settings,
        reporter: Reporter,
        agree: Callable[[str], bool],
        fail: Callable[[str, Problem], None],
    ) -> None:
        self._settings, self._reporter, self._agree, self._fail = settings, reporter, agree, fail
        self._settled: dict[str, list[Looked]] = defaultdict(list)
        self._failed: set[str] = set()
        self._moves_of: dict[str, MovesBetween] = {}
        self._answers: dict[str, bool] = {}

    @functools.cached_property
    def status(self) -> MachineStatus:
        """What the service knows of the machine, asked once."""
        return fetch_status(self._settings)

    def follow(self, families: tuple[FamilySettings, ...], *, dry_run: bool) -> Settings:
        """The settings with jobs of new folders, and of those that have moved."""
        for family in families:
            folders = FamilyFolders(self._settings, family, self._reporter, lambda: self.status, self._agree)
            try:
                followed = folders.follow(dry_run=dry_run)
                self.status  # noqa: B018 - offline is one failure, not one a job
            except Problem as failure:
                self._fail(family.family, failure)
                self._failed.add(family.family)
                continue
            self._settings = followed.settings
            for problem in followed.problems:
                self._fail(family.family, problem)
        return self._settings

    def can_look_at(self, job: JobSettings) -> bool:
        """False where its family has failed: its disk is not attached, or the service cannot be asked."""
        return job.family not in self._failed

    def back_up(
        self, job: JobSettings, make: Callable[[int, Callable[[], None]], RunTotals], *, always: bool
    ) -> None:
        """``make`` makes a set, unless nothing has changed; ``always``: also then. It gets the number of renamed files,
        and what it has to call before a full set that follows others. Raises ``Problem``."""
        looked = self._look(job)
        if looked.is_settled and not always:
            self._note_settled(looked)
            return
        walk, steady = steady_walk(self._settings, job)
        self._report_links(job, walk)
        state = self._settings.job_state(job.job)
        before = recall_walk(state)
        damaged = DamagedPictures.among(
            self._settings, job, before.walk if before else None, walk, self._reporter
        )
        damaged.report_stored()
        renamed = before.renamed_files + count_renamed(before.walk, walk) if before else 0
        moves, moved = self._moves(job), self._moves(job).of(job.job, looked.before, looked.walk)
        renamed += moves.count_out_of(job.job, moved)
        begun = RememberedWalk(walk, settles=False, renamed_files=renamed)
        remember_walk(state, begun)  # whatever ends the run, another one follows
        moves.remember_out_of_others(job.job, moved)
        totals = make(renamed, lambda: damaged.check_new_chain(self._agree))
        UploadRate(self._settings).remember(totals)
        remember_walk(state, RememberedWalk(walk, settles=steady and not totals.skipped))

    def rehearse(
        self, job: JobSettings, rehearse: Callable[[Callable[[], None]], None], *, always: bool
    ) -> None:
        """Calls ``rehearse`` where a backup would be made. Raises ``Problem`` as that would."""
        looked = self._look(job)
        if looked.is_settled and not always:
            self._note_settled(looked)
        else:
            damaged = DamagedPictures.among(self._settings, job, looked.before, looked.walk, self._reporter)
            rehearse(lambda: damaged.check_new_chain(self._agree))

    def report(self, *, dry_run: bool) -> bool:
        """Reports all that were found unchanged to the service, and to the user; whether there were any."""
        for family, settled in self._settled.items():
            try:
                if not dry_run:
                    report_settled(self._settings, family, settled)
            except Problem as problem:
                self._fail(family, problem)
                continue
            self._reporter.event(
                {"event": "settled", "family": family, "jobs": [one.job.job for one in settled]}
            )
            files = sum(len(one.walk.files) for one in settled)
            jobs = f"{len(settled)} job{'s' if len(settled) != 1 else ''}"
            self._reporter.line(f"{family}: {files} files in {jobs} have not changed; nothing to back up")
        return bool(self._settled)

    def _note_settled(self, looked: Looked) -> None:
        assert looked.job.family is not None
        self._settled[looked.job.family].append(looked)

    def _look(self, job: JobSettings) -> Looked:
        """Also asks whether what was renamed may be uploaded again. Raises ``Problem``."""
        self._check_folder(job)
        looked = look_through(self._settings, job, self.status)
        if looked.is_settled:
            return looked
        if looked.before is not None:
            renamed = renamed_folders(looked.before, looked.walk)
            self._check_again(job, renamed, "rename it back", job.job)
        moves = self._moves(job)
        moved = moves.shown(moves.of(job.job, looked.before, looked.walk))
        self._check_again(job, moved, "move it back", job.family or job.job)
        return looked

    def _moves(self, job: JobSettings) -> MovesBetween:
        """Of the job's family. Made before the first backup of it, after which a job knows its old files no more."""
        assert job.family is not None
        if job.family not in self._moves_of:
            self._moves_of[job.family] = MovesBetween(self._settings, jobs_of(self._settings, job.family))
        return self._moves_of[job.family]

    def _report_links(self, job: JobSettings, walk: Walk) -> None:
        """A link is stored, and not what it leads to: that may be a session on another disk."""
        pile = next((one.source for one in self._settings.families if one.family == job.family), job.source)
        out = sorted(link for link in walk.links if leads_out(pile, f"{job.source}/{link}"))
        if out:
            self._reporter.line(
                f"{job.job}: in no backup, as they are links to what lies elsewhere: {named(out)}; move the pictures "
                f"themselves into {job.source}"
            )

    def _check_folder(self, job: JobSettings) -> None:
        folder, name = job.source, job.job
        if folder.is_dir():
            return
        restore = f"panicroom restore --job {name} --to {shlex.quote(str(folder))}"
        if folder.exists():
            raise Problem(
                f"{folder} was a folder and is a file now; its backups stay. To have them again, move the file away, "
                f"then: {restore}",
                ExitCode.SOURCE,
            )
        raise Problem(
            f"the folder {folder} is gone, or its disk is not attached; its backups stay. To have it again: {restore}. "
            f"If it is elsewhere: panicroom photos folder --job {name} DIR. If it is meant to be gone, delete the "
            f"lines of [jobs.{name}] in {self._settings.places.settings_file}",
            ExitCode.SOURCE,
        )

    def _check_again(self, job: JobSettings, renamed: list[Renamed], back: str, name: str) -> None:
        """Whether what is ``renamed`` may be uploaded again, as ``panicroom backup NAME --yes`` does. Asks once."""
        if not renamed:
            return
        price = next(
            (family.usd_a_gb_year for family in self.status.families if family.family == job.family), None
        )
        size = price_text(sum(one.bytes for one in renamed), price, UploadRate(self._settings).read())
        text = (
            f"{named([str(one) for one in renamed])}: these pictures are stored already and would be uploaded again "
            f"({size})"
        )
        if text not in self._answers:
            self._answers[text] = self._agree(f"{job.job}: {text}")
        if not self._answers[text]:
            raise Problem(
                f"{text}; {back}, or if it is meant: panicroom backup {name} --yes",
                ExitCode.RENAMED,
            )
