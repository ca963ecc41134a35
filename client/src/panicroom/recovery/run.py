"""``panicroom recover``, once there is a token and what opens the backups: each job into a folder of its own.

A job that is back is recorded, and its folder becomes the job's folder in the settings: ``verify`` compares with it.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.recovery.opening import OpenedJobs
from panicroom.restore.several.family_paths import WantedJob
from panicroom.restore.several.progress import ProgressFile, RestoredJob
from panicroom.restore.several.run import SeveralRequest, SeveralRestores, check_targets
from panicroom.settings import JobSettings, Settings
from panicroom.setup.settings_file import change_settings
from panicroom.terminal.reporter import Reporter
from panicroom.thaw.consent import ThawOptions


@dataclass(frozen=True)
class JobsToRecover:
    """Each of ``jobs`` is restored into ``to``/job: nobody but the lost computer knows how the folders of a pile of
    pictures were called. ``opened`` is what is known of their backups."""

    to: Path
    jobs: tuple[JobSettings, ...]
    opened: OpenedJobs

    def openable(self) -> tuple[WantedJob, ...]:
        left = (*self.opened.empty, *self.opened.closed)
        return tuple(WantedJob(job, job.job) for job in self.jobs if job.job not in left)


def _request(to: Path, wanted: tuple[WantedJob, ...]) -> SeveralRequest:
    return SeveralRequest(
        to, wanted, lambda each: each.job.job, first_command, agrees_singly=len(wanted) == 1
    )


def first_command(jobs: Sequence[str]) -> str:
    """What recovers only these."""
    return shlex.join(["panicroom", "recover", *(word for job in jobs for word in ("--job", job))])


def recovery_file(settings: Settings) -> ProgressFile:
    return ProgressFile(settings.places.state / settings.machine / "recovery.json")


def chosen_target(settings: Settings, given: Path | None) -> Path:
    """The folder that was given, the one of before, or one in the present folder."""
    return given or recovery_file(settings).read().to or Path.cwd() / f"restored-{settings.machine}"


def check_recovery_targets(settings: Settings, jobs: Sequence[JobSettings], to: Path) -> None:
    """Raises ``Problem`` where a job could not be restored, before anything is asked or spent."""
    check_targets(recovery_file(settings), _request(to, tuple(WantedJob(job, job.job) for job in jobs)))


class RecoveryRun:
    """Of one command. ``problems`` are those of jobs that are not back, or not as backed up."""

    def __init__(
        self, settings: Settings, request: JobsToRecover, options: ThawOptions, reporter: Reporter
    ) -> None:
        self._settings, self._request, self._reporter = settings, request, reporter
        file = recovery_file(settings)
        before = file.read()
        self._closed = tuple(job for job in request.opened.closed if before.restored(job) is None)
        left = (*request.opened.empty, *self._closed)
        wanted = tuple(WantedJob(job, job.job) for job in request.jobs if job.job not in left)
        self._restores = SeveralRestores(
            settings,
            _request(request.to, wanted),
            options,
            reporter,
            file,
            on_restored=lambda each, restored: self._set_folder(each.job, restored.to),
        )
        self.problems: dict[str, Problem] = {}

    def run(self) -> Mapping[str, RestoredJob]:
        """The jobs that are back, now or since before. Raises ``Problem`` where no other job can be tried."""
        for job in self._request.opened.empty:
            self._reporter.line(f"{job}: it has no backup yet")
        restored = self._restores.run()
        found = {**self._restores.problems, **{job: _closed(job) for job in self._closed}}
        self.problems = {job.job: found[job.job] for job in self._request.jobs if job.job in found}
        return restored

    def _set_folder(self, job: JobSettings, to: str) -> None:
        """A path that is no text cannot be in the settings."""
        if str(job.folder) != to and to.isprintable():
            change_settings(self._settings.places, {f"jobs.{job.job}": {"source": to}})


def _closed(job: str) -> Problem:
    return Problem(
        f"another passphrase opens its backups, an earlier one: PASSPHRASE=... panicroom recover --job {job}",
        ExitCode.PASSPHRASE,
    )
