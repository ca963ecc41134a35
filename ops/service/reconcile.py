"""Comparing the catalogue with the buckets, job by job: the ``reconcile`` function does it, call after call."""

from __future__ import annotations

import dataclasses
from typing import Any

from ops.errors import OpsError
from ops.service.admin_client import AdminClient
from ops.service.lambda_function import LambdaFunction
from ops.steps import Steps


@dataclasses.dataclass(frozen=True)
class Reconciliation:
    """Each difference has ``machine, job, key, what, settling, detail``; all of them are repaired already."""

    examined: int
    differences: list[dict[str, Any]]


def jobs_to_reconcile(admin: AdminClient, machine: str | None, job: str | None) -> list[tuple[str, str]]:
    """``(machine, job)`` of those that were asked for. Raises ``OpsError`` where a name is that of nobody."""
    found = [(place.machine, place.job) for place in admin.jobs(machine)]
    chosen = [(machine_name, name) for machine_name, name in found if job in (None, name)]
    if not chosen and (machine or job):
        named = f"{machine}/{job}" if machine and job else machine or job
        raise OpsError(f"There is nothing called {named}: `machine list` names what there is.")
    return chosen


def reconcile(function: LambdaFunction, jobs: list[tuple[str, str]], steps: Steps) -> Reconciliation:
    """Goes through all jobs. A call that runs out of time returns where the next one continues."""
    examined = 0
    differences: list[dict[str, Any]] = []
    for machine, job in jobs:
        with steps.step(f"{machine}/{job}") as say:
            after: str | None = ""
            of_job = 0
            while after is not None:
                answer = function.call({"machine": machine, "job": job, "after": after})
                differences += [{"machine": machine, "job": job, **one} for one in answer["differences"]]
                of_job += answer["examined"]
                after = answer["next"]
                say(f"{of_job:,} keys examined")
            examined += of_job
    return Reconciliation(examined, differences)
