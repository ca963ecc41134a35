"""Restores several jobs, each into a folder of its own, after one plan, one price and one question.

All thaws are begun before any is waited for, as each takes its hours or days. A job that is back is recorded: the same
command goes on with the others. What fails in one job stops no other.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.log import append_lines
from panicroom.restore.report import RestoreReport
from panicroom.restore.run import RestoreRequest, restore
from panicroom.restore.several.family_paths import WantedJob
from panicroom.restore.several.plans import END_ALL, JobPlans, open_plans, priced
from panicroom.restore.several.progress import ProgressFile, RestoredJob
from panicroom.restore.several.text import plans_lines
from panicroom.restored_tree.working_folder import check_place, working_folder
from panicroom.settings import Settings
from panicroom.shown import shown_path
from panicroom.terminal.amounts import part_text
from panicroom.terminal.reporter import Reporter
from panicroom.thaw.consent import NotAgreed, ThawOptions, agree_together
from panicroom.thaw.waiting import Clock


@dataclass(frozen=True)
class SeveralRequest:
    """``jobs`` are restored into ``to``/folder each, as of ``time`` (None: the newest). ``key_of``: by what each is
    recorded. ``first_command``: what restores some of them only, for advice. ``agrees_singly``: whether a single job is
    shown and asked about by its restore, as it is without the others."""

    to: Path
    jobs: tuple[WantedJob, ...]
    key_of: Callable[[WantedJob], str]
    first_command: Callable[[Sequence[str]], str]
    time: str | None = None
    nearest: bool = False
    agrees_singly: bool = False

    def target(self, job: WantedJob) -> Path:
        return self.to / job.folder


@dataclass
class SeveralRestores:
    """Of one command. ``problems`` are those of jobs that are not back, or not as backed up, by folder; ``reports``
    what was restored by this command. ``on_restored`` is called for each job that is back, also since before."""

    settings: Settings
    request: SeveralRequest
    options: ThawOptions
    reporter: Reporter
    file: ProgressFile
    clock: Clock = field(default_factory=Clock)
    on_restored: Callable[[WantedJob, RestoredJob], None] = lambda _job, _restored: None
    problems: dict[str, Problem] = field(default_factory=dict)
    reports: dict[str, RestoreReport] = field(default_factory=dict)

    def run(self) -> Mapping[str, RestoredJob]:
        """The jobs that are back, by folder, now or since before. Raises ``Problem`` where nobody agrees to the price,
        and where no other job can be tried."""
        self.file.write_target(self.request.to)
        left = self._not_back_yet()
        plans, options = self._agreed(left)
        left = [job for job in left if job.folder not in self.problems]
        left = self._pass(left, plans, dataclasses.replace(options, wait=False))
        if options.wait and left:
            self._pass(left, plans, options)
        found = {job.folder: self._before(job) for job in self.request.jobs}
        return {folder: restored for folder, restored in found.items() if restored is not None}

    def _before(self, job: WantedJob) -> RestoredJob | None:
        return restored_before(self.file, self.request, job)

    def _not_back_yet(self) -> list[WantedJob]:
        """The others are said to be back, with what of them was not as backed up."""
        left = []
        for job in self.request.jobs:
            before = self._before(job)
            if before is None:
                left.append(job)
                continue
            self.reporter.line(f"{shown_path(job.folder)}: restored already, to {shown_path(before.to)}")
            self.on_restored(job, before)
            if before.problem is not None:
                self.problems[job.folder] = Problem(before.problem, ExitCode(before.exit_code))
        return left

    def _agreed(self, left: Sequence[WantedJob]) -> tuple[JobPlans, ThawOptions]:
        """The plans of all, and the options with which each restore goes on. Raises ``Problem``."""
        if not left or (self.request.agrees_singly and len(left) == 1):
            return JobPlans((), {}), self.options
        plans = open_plans(self.settings, left, self.request.time, self.reporter)
        self.problems.update(plans.problems)
        with self.reporter.busy("asking what it costs"):
            plans = priced(self.settings, plans)
        price = plans.together
        if price is None or not (price.archived or any(offer.transfer_usd for offer in price.tiers)):
            return plans, self.options
        for line in plans_lines(plans, self.clock.now(), self.request.first_command):
            self.reporter.line(line)
        return plans, agree_together(price, self.options)

    def _pass(self, jobs: Sequence[WantedJob], plans: JobPlans, options: ThawOptions) -> list[WantedJob]:
        """Restores what can be; the jobs that have to be waited for."""
        left, shares = [], plans.shares()
        for number, job in enumerate(jobs, 1):
            self.problems.pop(job.folder, None)
            if len(self.request.jobs) > 1:
                self.reporter.line(_heading(job, number, jobs, plans))
            try:
                self._restore(job, dataclasses.replace(options, share=shares.get(job.job.job, 1.0)))
            except Problem as problem:
                if problem.exit_code in END_ALL:
                    raise
                self.problems[job.folder] = problem
                if problem.exit_code == ExitCode.TRY_LATER and not isinstance(problem, NotAgreed):
                    left.append(job)
        return left

    def _restore(self, job: WantedJob, options: ThawOptions) -> None:
        log_file = self.settings.places.log_file

        def record(report: RestoreReport) -> None:
            self.file.write_job(self.request.key_of(job), self._restored(job, report))

        report = restore(
            self.settings,
            job.job,
            RestoreRequest(job.paths, self.request.time, self.request.target(job), self.request.nearest),
            options,
            self.reporter,
            self.clock,
            before_finish=record,
        )
        append_lines(log_file, report.log_lines())
        self.reports[job.folder] = report
        self.on_restored(job, self._restored(job, report))
        for line in report.lines():
            self.reporter.line(line)
        problem = report.problem(log_file)
        if problem is not None:
            raise problem

    def _restored(self, job: WantedJob, report: RestoreReport) -> RestoredJob:
        problem = report.problem(self.settings.places.log_file)
        text, code = (str(problem), int(problem.exit_code)) if problem else (None, 0)
        to, time = str(report.to), self.request.time
        return RestoredJob(to, report.files, report.size_bytes, text, code, job.paths, time)


def restored_before(file: ProgressFile, request: SeveralRequest, job: WantedJob) -> RestoredJob | None:
    """What of the job was restored by such a request before."""
    before = file.read().restored(request.key_of(job))
    same = before is not None and (before.paths, before.time) == (job.paths, request.time)
    return before if same else None


def check_targets(file: ProgressFile, request: SeveralRequest) -> None:
    """Raises ``Problem`` where a job could not be restored, before anything is asked or spent."""
    for job in request.jobs:
        if restored_before(file, request, job) is not None:
            continue
        target = request.target(job)
        check_place(target)
        if working_folder(target).is_occupied:
            raise Problem(
                f"{shown_path(str(target))} is there already; restore into another folder: --to DIR",
                ExitCode.TARGET,
            )


def _heading(job: WantedJob, number: int, jobs: Sequence[WantedJob], plans: JobPlans) -> str:
    """``2018 (3 of 12, 45.0/180.2 GB before it):`` as far as the bytes are known."""
    if len(jobs) == 1:
        return f"{shown_path(job.folder)}:"
    sizes = {each.wanted.folder: each.size_bytes for each in plans.jobs}
    done = sum(sizes.get(each.folder, 0) for each in jobs[: number - 1])
    total = sum(sizes.get(each.folder, 0) for each in jobs)
    bytes_text = f", {part_text(done, total)} before it" if total else ""
    return f"{shown_path(job.folder)} ({number} of {len(jobs)}{bytes_text}):"


def progress_file(settings: Settings, family: str) -> ProgressFile:
    """Of the restores of a family: each job is recorded by where it was restored to."""
    return ProgressFile(settings.places.state / settings.machine / f"restores-{family}.json")


def ended(
    problems: Mapping[str, Problem], jobs: int, options: ThawOptions
) -> tuple[Iterator[str], Problem | None]:
    """A line for each job that is not back as backed up, and how the command ends: to be tried again, if one of them
    is, else by what was not in the backup, else incomplete."""
    codes = {problem.exit_code for problem in problems.values()}
    lines = (
        f"{shown_path(folder)}: {str(problem).partition('; then run again: ')[0]}"
        for folder, problem in problems.items()
    )
    if not problems:
        return lines, None
    count, names = len(problems), ", ".join(shown_path(folder) for folder in problems)
    what = f"{count} of {jobs} folders {'is' if count == 1 else 'are'} not restored as backed up: {names}"
    if ExitCode.TRY_LATER in codes:
        return lines, Problem(f"{what}; then run again: {options.command_line}", ExitCode.TRY_LATER)
    if codes == {ExitCode.NOT_FOUND}:
        return lines, Problem(f"{what}; all else is restored", ExitCode.NOT_FOUND)
    return lines, Problem(
        f"{what}; all else is; to try these again: {options.command_line}", ExitCode.RESTORE_INCOMPLETE
    )
