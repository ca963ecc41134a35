"""Limits of plans and thaws that the table keeps: apart from the prices, which most functions never load."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from chalicelib.domain.backups.machines import Job

PLAN_LIFE = timedelta(hours=24)

MAX_PLANS_A_DAY = 20
"""Of a machine without photo jobs."""


def plans_a_day(jobs: Iterable[Job]) -> int:
    """How many plans a machine may make: a restore of all of its pictures needs one for each photo job."""
    return MAX_PLANS_A_DAY + sum(job.family is not None for job in jobs)


MAX_PAGES_A_MONTH = 10_000
"""LIST requests for one machine's thaws: five cents."""

LEASE = timedelta(seconds=120)
"""How long one call of the function asks S3 without renewing; another may take over then."""
