"""The plans of several jobs, and what they cost together."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from panicroom.api import Api
from panicroom.duplicity_run import process as duplicity_process
from panicroom.exit_codes import ExitCode, Problem
from panicroom.reading.files import missing_path
from panicroom.restore.paths import nothing_found
from panicroom.restore.plan import Plan, make_plan
from panicroom.restore.selected_backup import SelectedBackup, opened_backup
from panicroom.restore.several.family_paths import WantedJob
from panicroom.secrets import token_of
from panicroom.settings import Settings
from panicroom.terminal.reporter import Reporter
from panicroom.thaw.months import InMonths, Part, in_months
from panicroom.thaw.quote import is_begun, quote
from panicroom.thaw.together import together
from panicroom.thaw.volumes import FREE_BYTES_A_MONTH, is_archived
from panicroom.wire import ListedFile, ThawPlan

END_ALL = (ExitCode.INTERRUPTED, ExitCode.NOT_AUTHORIZED, ExitCode.SPACE)
"""Exit codes after which no other job is tried."""


@dataclass(frozen=True)
class JobPlan:
    """What a restore of a job fetches. ``thaw`` is its price, None where nobody asked for it; ``is_begun``: a thaw for
    it was agreed to before."""

    wanted: WantedJob
    backup: SelectedBackup
    plan: Plan
    volumes: tuple[ListedFile, ...]
    line_bytes_a_second: int | None
    thaw: ThawPlan | None = None
    is_begun: bool = False

    @property
    def size_bytes(self) -> int:
        """Of the volumes."""
        return sum(file.size for file in self.volumes)


@dataclass(frozen=True)
class JobPlans:
    """``problems`` are those of jobs that cannot be planned, by folder."""

    jobs: tuple[JobPlan, ...]
    problems: Mapping[str, Problem]

    @property
    def size_bytes(self) -> int:
        return sum(job.size_bytes for job in self.jobs)

    @property
    def together(self) -> ThawPlan | None:
        """All prices as one; None where nothing has a price."""
        thaws = [job.thaw for job in self.jobs if job.thaw is not None]
        return together(thaws) if thaws else None

    def shares(self) -> dict[str, float]:
        """Of all bytes, those of each job, by job: the part of the line that it has."""
        total = self.size_bytes
        if len(self.jobs) < 2 or not total:
            return {}
        return {job.wanted.job.job: job.size_bytes / total for job in self.jobs}

    def months(self, now: datetime) -> InMonths | None:
        """How it costs less in parts: each job one, else what lies directly in the only one."""
        plan = self.together
        if plan is None:
            return None
        priced = [job for job in self.jobs if job.thaw is not None]
        if len(priced) == 1:
            return in_months(plan, parts_of(priced[0].plan), now)
        return in_months(plan, [Part(job.wanted.folder, job.size_bytes) for job in priced], now)


def open_plans(
    settings: Settings, wanted: Sequence[WantedJob], time: str | None, reporter: Reporter
) -> JobPlans:
    """Opens the backup of each job; nothing is asked about prices. Raises ``Problem`` where no other job could be."""
    duplicity_process.require_gpg()
    found: list[JobPlan] = []
    problems: dict[str, Problem] = {}
    for each in wanted:
        try:
            found.append(_opened(settings, each, time, reporter))
        except Problem as problem:
            if problem.exit_code in END_ALL:
                raise
            problems[each.folder] = problem
    return JobPlans(tuple(found), problems)


def priced(settings: Settings, plans: JobPlans, *, always: bool = False) -> JobPlans:
    """With the price of each job that has to be agreed to; of all of them where something is archived, where more than
    what is free in a month would leave AWS, or ``always``."""
    shares = plans.shares()
    with Api(settings.url, token_of(settings)) as api:
        jobs = [
            dataclasses.replace(job, is_begun=_is_begun(settings, api, job) and not always)
            for job in plans.jobs
        ]
        left = [job for job in jobs if job.volumes and not job.is_begun]
        archived = any(is_archived(file) for job in left for file in job.volumes)
        if not always and not archived and sum(job.size_bytes for job in left) <= FREE_BYTES_A_MONTH:
            return JobPlans(tuple(jobs), plans.problems)
        for number, job in enumerate(jobs):
            if job in left:
                name = job.wanted.job.job
                thaw = quote(name, api, job.volumes, job.line_bytes_a_second, shares.get(name, 1.0))
                jobs[number] = dataclasses.replace(job, thaw=thaw)
    return JobPlans(tuple(jobs), plans.problems)


def parts_of(plan: Plan) -> list[Part]:
    """The files and folders that lie directly in what is restored, with the bytes of the volumes that each needs."""
    files: dict[str, list[tuple[bytes, ...]]] = {}
    for path in plan.needs:
        files.setdefault(path[0].decode("utf-8", "surrogateescape"), []).append(path)
    return [Part(name, sum(file.size for file in plan.volumes(paths))) for name, paths in files.items()]


def _opened(settings: Settings, wanted: WantedJob, time: str | None, reporter: Reporter) -> JobPlan:
    with opened_backup(settings, wanted.job, wanted.paths, time, reporter) as opened:
        backup = opened.backup
        plan = make_plan(backup.contents, backup.selection.indexes)
        if nothing_found(plan) is not None and plan.missing:
            known = {path for contents in backup.contents for path in contents.entries if path}
            raise missing_path(plan.missing[0], known)
        line = opened.metadata.line.bytes_a_second
        return JobPlan(wanted, backup, plan, tuple(plan.volumes()), line)


def _is_begun(settings: Settings, api: Api, job: JobPlan) -> bool:
    return any(map(is_archived, job.volumes)) and is_begun(settings, job.wanted.job.job, api, job.volumes)
