"""``panicroom recover``, once there is a token and what opens the backups: each job into a folder of its own.

All thaws are begun before any is waited for, as each takes its hours or days. A job that is back is recorded, and its
folder becomes the job's folder in the settings: ``verify`` compares with it.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.recovery.opening import OpenedJobs
from panicroom.recovery.progress import ProgressFile, RecoveryProgress, RestoredJob
from panicroom.restore.log import append_lines
from panicroom.restore.report import RestoreReport
from panicroom.restore.run import RestoreRequest, restore
from panicroom.restored_tree.working_folder import check_place, working_folder
from panicroom.settings import JobSettings, Settings
from panicroom.setup.settings_file import change_settings
from panicroom.shown import shown_path
from panicroom.terminal.reporter import Reporter
from panicroom.thaw.consent import NotAgreed, ThawOptions
from panicroom.thaw.waiting import Clock

_END_ALL = (ExitCode.INTERRUPTED, ExitCode.NOT_AUTHORIZED, ExitCode.SPACE)
"""Exit codes after which no other job is tried."""


@dataclasses.dataclass(frozen=True)
class JobsToRecover:
    """Each of ``jobs`` is restored into ``to``/job; ``opened`` is what is known of their backups."""

    to: Path
    jobs: tuple[JobSettings, ...]
    opened: OpenedJobs


def chosen_target(settings: Settings, given: Path | None) -> Path:
    """The folder that was given, the one of before, or one in the present folder."""
    return given or ProgressFile(settings).read().to or Path.cwd() / f"restored-{settings.machine}"


def check_targets(settings: Settings, jobs: Sequence[JobSettings], to: Path) -> None:
    """Raises ``Problem`` where a job could not be restored, before anything is asked or spent."""
    progress = ProgressFile(settings).read()
    for job in jobs:
        if progress.restored(job.job) is not None:
            continue
        check_place(to / job.job)
        if working_folder(to / job.job).is_occupied:
            raise Problem(
                f"{shown_path(str(to / job.job))} is there already; recover into another folder: --to DIR",
                ExitCode.TARGET,
            )


class RecoveryRun:
    """Of one command. ``problems`` are those of jobs that are not back, or not as backed up."""

    def __init__(
        self,
        settings: Settings,
        request: JobsToRecover,
        options: ThawOptions,
        reporter: Reporter,
        clock: Clock | None = None,
    ) -> None:
        self._settings, self._request, self._options = settings, request, options
        self._reporter, self._clock = reporter, clock
        self._file = ProgressFile(settings)
        self.problems: dict[str, Problem] = {}

    def run(self) -> Mapping[str, RestoredJob]:
        """The jobs that are back, now or since before. Raises ``Problem`` where no other job can be tried."""
        self._file.write_target(self._request.to)
        left = self._pass(self._request.jobs, dataclasses.replace(self._options, wait=False))
        if self._options.wait and left:
            self._pass(left, self._options)
        progress = self._file.read()
        found = {job.job: progress.restored(job.job) for job in self._request.jobs}
        return {job: restored for job, restored in found.items() if restored is not None}

    def _pass(self, jobs: Sequence[JobSettings], options: ThawOptions) -> list[JobSettings]:
        """Restores what can be; the jobs that have to be waited for."""
        progress, left = self._file.read(), []
        for job in jobs:
            try:
                self._recover(job, progress, options)
            except Problem as problem:
                if problem.exit_code in _END_ALL:
                    raise
                self.problems[job.job] = problem
                if problem.exit_code == ExitCode.TRY_LATER and not isinstance(problem, NotAgreed):
                    left.append(job)
        return left

    def _recover(self, job: JobSettings, progress: RecoveryProgress, options: ThawOptions) -> None:
        self.problems.pop(job.job, None)
        before = progress.restored(job.job)
        if before is not None:
            self._reporter.line(f"{job.job}: restored already, to {shown_path(before.to)}")
            self._set_folder(job, before.to)
            if before.problem is not None:
                raise Problem(before.problem, ExitCode(before.exit_code))
        elif job.job in self._request.opened.empty:
            self._reporter.line(f"{job.job}: it has no backup yet")
        elif job.job in self._request.opened.closed:
            raise Problem(
                "another passphrase opens its backups, an earlier one: PASSPHRASE=... panicroom recover --job "
                f"{job.job}",
                ExitCode.PASSPHRASE,
            )
        else:
            self._restore(job, options)

    def _restore(self, job: JobSettings, options: ThawOptions) -> None:
        if len(self._request.jobs) > 1:
            self._reporter.line(f"{job.job}:")
            command = (*options.command, "--job", job.job)
            options = dataclasses.replace(options, agreeing_command=command)
        to, log_file = self._request.to / job.job, self._settings.places.log_file

        def record(report: RestoreReport) -> None:
            problem = report.problem(log_file)
            text, code = (str(problem), int(problem.exit_code)) if problem else (None, 0)
            self._file.write_job(
                job.job, RestoredJob(str(report.to), report.files, report.size_bytes, text, code)
            )

        report = restore(
            self._settings,
            job,
            RestoreRequest((), None, to),
            options,
            self._reporter,
            self._clock,
            before_finish=record,
        )
        append_lines(log_file, report.log_lines())
        self._set_folder(job, str(report.to))
        for line in report.lines():
            self._reporter.line(line)
        problem = report.problem(log_file)
        if problem is not None:
            raise problem

    def _set_folder(self, job: JobSettings, to: str) -> None:
        """A path that is no text cannot be in the settings."""
        if str(job.folder) != to and to.isprintable():
            change_settings(self._settings.places, {f"jobs.{job.job}": {"source": to}})
