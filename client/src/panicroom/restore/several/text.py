"""Plans of several jobs for people and as JSON. Pure: ``now`` is passed in."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from panicroom.restore.cost import cost_as_json
from panicroom.restore.dry_run import PricedPlan, plan_as_json
from panicroom.restore.several.family_paths import WantedJob
from panicroom.restore.several.plans import JobPlan, JobPlans
from panicroom.settings import JobSettings
from panicroom.shown import shown_path
from panicroom.stored.times import time_text
from panicroom.terminal.amounts import size_text
from panicroom.thaw.months import month_lines, months_as_json
from panicroom.thaw.plan_text import archived_text, money_text, offer_lines, plan_lines, volumes_text
from panicroom.wire import ThawPlan, to_json

FirstCommand = Callable[[Sequence[str]], str]
"""The command that restores only the folders that it is given."""


def plans_lines(plans: JobPlans, now: datetime, first_command: FirstCommand) -> Iterator[str]:
    """What all of them would fetch, what it costs together, and how it costs less."""
    for job in plans.jobs:
        yield _job_line(job)
    yield _all_line(plans)
    price = plans.together
    if price is not None:
        yield from plan_lines(price) if price.archived else _readable_lines(price)
    yield from advice_lines(plans, now, first_command)


def cost_plans_lines(plans: JobPlans, now: datetime, first_command: FirstCommand) -> Iterator[str]:
    """What keeping all of it costs, and what bringing it back would."""
    for job in plans.jobs:
        yield _job_line(job)
    yield _all_line(plans)
    price = plans.together
    if price is None:
        return
    yield f"Keeping them: {money_text(price.month_usd)} a month"
    yield f"Bringing them back: {archived_text(price)}"
    yield from offer_lines(price) if price.archived else _readable_lines(price)
    yield from advice_lines(plans, now, first_command)


def advice_lines(plans: JobPlans, now: datetime, first_command: FirstCommand) -> Iterator[str]:
    advice = plans.months(now)
    if advice is not None:
        yield from month_lines(advice, first_command(advice.first))


def job_advice_lines(
    job: JobSettings, priced: PricedPlan, now: datetime, first_command: FirstCommand
) -> Iterator[str]:
    """How a single job costs less: by what lies directly in its folder."""
    volumes = tuple(priced.plan.volumes())
    one = JobPlan(WantedJob(job, job.job), priced.backup, priced.plan, volumes, None, priced.thaw)
    yield from advice_lines(JobPlans((one,), {}), now, first_command)


def plans_as_json(plans: JobPlans, now: datetime, *, of_costs: bool = False) -> dict[str, Any]:
    """``together`` is the price of all, ``months`` how it costs less; null where there is no such."""
    price, one = plans.together, cost_as_json if of_costs else plan_as_json
    return {
        "jobs": [
            {
                "job": job.wanted.job.job,
                "folder": job.wanted.folder,
                **one(PricedPlan(job.backup, job.plan, job.thaw)),
            }
            for job in plans.jobs
        ],
        "problems": [
            {"folder": folder, "exit_code": int(problem.exit_code), "message": str(problem)}
            for folder, problem in plans.problems.items()
        ],
        "bytes": plans.size_bytes,
        "together": None if price is None else to_json(price),
        "months": months_as_json(plans.months(now)),
    }


def _job_line(job: JobPlan) -> str:
    count = len(job.plan.needs)
    begun = "; its thaw was begun" if job.is_begun else ""
    return (
        f"  {shown_path(job.wanted.folder)}: {count:,} file{'s' if count != 1 else ''} as of "
        f"{time_text(job.backup.as_of)}, {volumes_text(len(job.volumes))} ({size_text(job.size_bytes)}){begun}"
    )


def _all_line(plans: JobPlans) -> str:
    files = sum(len(job.plan.needs) for job in plans.jobs)
    volumes = sum(len(job.volumes) for job in plans.jobs)
    folders = f"{len(plans.jobs)} folder{'s' if len(plans.jobs) != 1 else ''}"
    return (
        f"{folders} with {files:,} files: to fetch: {volumes_text(volumes)} ({size_text(plans.size_bytes)})"
    )


def _readable_lines(price: ThawPlan) -> Iterator[str]:
    for offer in price.tiers[:1]:
        yield f"  fetching costs {money_text(offer.usd)}, without a thaw"
        if offer.transfer_usd:
            yield f"  {money_text(offer.transfer_usd)} of it is for what leaves AWS."
