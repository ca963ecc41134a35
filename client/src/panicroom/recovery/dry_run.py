"""``panicroom recover --dry-run``: what would be fetched of each job, and what all of it together would cost."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from panicroom.recovery.run import JobsToRecover, first_command
from panicroom.restore.dry_run import PricedPlan, plan_lines
from panicroom.restore.several.plans import open_plans, priced
from panicroom.restore.several.text import advice_lines, plans_lines
from panicroom.settings import Settings
from panicroom.terminal.reporter import Reporter


def recovery_plan_lines(
    settings: Settings, request: JobsToRecover, reporter: Reporter, now: datetime
) -> Iterator[str]:
    """Raises ``Problem`` if the backup of a job cannot be read."""
    for name in request.opened.empty:
        yield f"{name}: it has no backup yet"
    for name in request.opened.closed:
        yield f"{name}: another passphrase opens its backups, an earlier one"
    plans = open_plans(settings, request.openable(), None, reporter)
    for problem in plans.problems.values():
        raise problem
    plans = priced(settings, plans)
    if len(plans.jobs) == 1:
        job = plans.jobs[0]
        yield from plan_lines(PricedPlan(job.backup, job.plan, job.thaw))
        yield from advice_lines(plans, now, first_command)
    elif plans.jobs:
        yield from plans_lines(plans, now, first_command)
