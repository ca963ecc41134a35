"""``panicroom drill``: choose, thaw, restore into a folder that goes away, prove, report. The next call carries on."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from panicroom.api import Api
from panicroom.drill.archive import DrillArchive, open_archive
from panicroom.drill.choice import Pick, choose
from panicroom.drill.listing_check import scopes_of
from panicroom.drill.memory import DrillMemory
from panicroom.drill.outcome import DrilledFile, DrillFailed, DrillResult, DrillSkipped
from panicroom.drill.proof import PlannedPick, Proof, planned, volumes_of
from panicroom.duplicity_run import process as duplicity_process
from panicroom.exit_codes import ExitCode, Problem
from panicroom.private_files import private_folder
from panicroom.secrets import token_of
from panicroom.settings import JobSettings, Settings
from panicroom.terminal.fetching import shown_fetch
from panicroom.terminal.reporter import Reporter
from panicroom.thaw.consent import ThawOptions
from panicroom.thaw.thawer import Thawer, ThawNotAllowed, ThawUnderWay
from panicroom.thaw.waiting import Clock
from panicroom.transfer.measured_line import MeasuredLine
from panicroom.wire import DrillOutcome, JobStatus, ListedFile, ThawTier

_FAILED = (ExitCode.PASSPHRASE, ExitCode.RESTORE_INCOMPLETE, ExitCode.DUPLICITY)
"""What a restore ends with that nobody can repeat with more luck."""

_SKIPPED = (ExitCode.SPACE, ExitCode.GPG, ExitCode.TARGET)
"""What this computer lacks."""


def drill(
    settings: Settings,
    job: JobSettings,
    reporter: Reporter,
    clock: Clock | None = None,
    chance: Random | None = None,
) -> DrillResult:
    """Begins a drill of the job, or goes on with the one that waits, and reports how it went.

    Raises ``Problem`` where there is nothing to report: without the network, or where another one is running.
    """
    clock = clock or Clock()
    with _alone(settings.job_state(job.job)), Api(settings.url, token_of(settings)) as api:
        status = _status(api, job.job)
        memory = DrillMemory.read(settings.job_state(job.job) / "drill.json")
        running = _Drill(settings, job.job, api, memory, reporter, clock, chance or Random())  # noqa: S311
        result = running.run(status)
        api.report_drill(job.job, result.report())
        running.remember(result)
        return result


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Ends with the process."""
    with (private_folder(state) / "drill.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("another drill of this job is running", ExitCode.TRY_LATER) from None
        yield


def _status(api: Api, job: str) -> JobStatus:
    known = next((each for each in api.machine().jobs if each.job == job), None)
    if known is None:
        raise Problem(
            f"the service knows no job {job!r} of this machine; ask the owner to add it", ExitCode.SETTINGS
        )
    if known.drill is None:
        raise Problem(
            "the service is older than this client and has no drills yet; ask its owner to upgrade it",
            ExitCode.REFUSED,
        )
    return known


def _needs_other_picks(problem: Problem | None) -> bool:
    """Whether the next drill has more luck with others: cheaper ones, or names that this computer can write."""
    return isinstance(problem, ThawNotAllowed) or (
        problem is not None and problem.exit_code == ExitCode.TARGET
    )


class SlowLine(MeasuredLine):
    """As if fetching took a whole period: the service keeps thawed copies for as long as that takes, and a scheduled
    backup comes back after a period at the latest."""

    def __init__(self, volumes: Iterable[ListedFile], period_seconds: int) -> None:
        super().__init__()
        self._a_second = max(1, sum(file.size for file in volumes) // max(1, period_seconds))

    @property
    def bytes_a_second(self) -> int:
        return self._a_second


@dataclass
class _Drill:
    """One call. ``archive`` is there once it could be opened, and so are ``plans``."""

    settings: Settings
    job: str
    api: Api
    memory: DrillMemory
    reporter: Reporter
    clock: Clock
    chance: Random
    archive: DrillArchive | None = None
    plans: list[PlannedPick] = field(default_factory=list)
    drilled: list[DrilledFile] = field(default_factory=list)

    def run(self, status: JobStatus) -> DrillResult:
        try:
            self._prove(status)
        except ThawUnderWay as problem:
            asked = len(volumes_of(self.plans))
            return DrillResult(self.job, DrillOutcome.ASKED, problem, asked_volumes=asked)
        except (DrillSkipped, ThawNotAllowed) as problem:
            return DrillResult(self.job, DrillOutcome.SKIPPED, problem)
        except DrillFailed as problem:
            return DrillResult(self.job, DrillOutcome.FAILED, problem)
        except Problem as problem:
            if problem.exit_code in _FAILED:
                return DrillResult(self.job, DrillOutcome.FAILED, problem)
            if problem.exit_code in _SKIPPED:
                return DrillResult(self.job, DrillOutcome.SKIPPED, problem)
            raise
        return DrillResult(self.job, DrillOutcome.PASSED, drilled=tuple(self.drilled))

    def remember(self, result: DrillResult) -> None:
        """What has failed stays picked until it has passed: a damaged volume must not be forgotten by luck."""
        if result.outcome is DrillOutcome.PASSED:
            assert self.archive is not None
            stored = {file.name for file in self.archive.volumes}
            time = self.clock.now().isoformat(timespec="seconds")
            self.memory.passed(result.volumes, time, stored).write()
        elif result.outcome is DrillOutcome.FAILED:
            dataclasses.replace(self.memory, failed=True).write()
        elif not self.memory.failed and _needs_other_picks(result.problem):
            self.memory.with_picks(()).write()

    def _prove(self, status: JobStatus) -> None:
        duplicity_process.require_gpg()
        with shown_fetch(self.reporter, "what the backups hold") as on_event:
            self.archive = open_archive(self.settings, self.api, status, on_event)
            self.plans = self._picked_before(self.archive) or self._pick_anew(self.archive)
        line = SlowLine(volumes_of(self.plans), status.period_seconds)
        thawer = Thawer(
            self.settings, self.job, self.api, self._options(), self.reporter, clock=self.clock, line=line
        )
        self.drilled.extend(Proof(self.settings, self.job, thawer, self.reporter).run(self.plans))

    def _picked_before(self, archive: DrillArchive) -> list[PlannedPick]:
        """Empty if there is nothing, or some of it is gone."""
        found = [planned(archive, pick) for pick in self.memory.picks]
        plans = [item for item in found if item is not None]
        return plans if len(plans) == len(found) else []

    def _pick_anew(self, archive: DrillArchive) -> list[PlannedPick]:
        scopes = scopes_of(archive.stored, archive.manifests)
        picks = choose(scopes, self.memory.drilled, archive.contents, self.chance)
        self._store(picks)
        return [item for item in (planned(archive, pick) for pick in picks) if item is not None]

    def _store(self, picks: tuple[Pick, ...]) -> None:
        """Before anything is asked for: a call after a kill asks for the same volumes."""
        self.memory = self.memory.with_picks(picks)
        self.memory.write()

    def _options(self) -> ThawOptions:
        named = ("--job", self.job) if len(self.settings.jobs) > 1 else ()
        return ThawOptions(("panicroom", "drill", *named), tier=ThawTier.BULK, yes=True, drill=True)
