"""The weekly reconcile of all jobs, as much of it as one call has time for.

How far it has come stands in each job's row, and the next call goes on from there: no call makes another one, which
Lambda takes for a loop and ends after sixteen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from chalicelib.domain.backups.machines import Job, ReconcileProgress
from chalicelib.domain.backups.reconciles import reconciles_due
from chalicelib.journeys.catalogue.catalogue_context import CatalogueContext
from chalicelib.journeys.catalogue.reconcile_job import reconcile_job


def reconcile_in_turn(
    context: CatalogueContext, has_time: Callable[[], bool]
) -> tuple[list[Job], list[tuple[Job, Exception]]]:
    """The jobs that were reconciled to their end, and those that failed, each with its error."""
    compared: list[Job] = []
    failed: list[tuple[Job, Exception]] = []
    for job in reconciles_due(context.machines.jobs(), context.now):
        if not has_time():
            break
        try:
            if _go_on(context, job, has_time):
                compared.append(job)
        except Exception as error:
            # One job's trouble must not keep the others from their turn; the next call tries it again.
            failed.append((job, error))
    return compared, failed


def _go_on(context: CatalogueContext, job: Job, has_time: Callable[[], bool]) -> bool:
    """Whether the reconcile came to its end."""
    known = job.reconcile or ReconcileProgress(context.now)
    begun = dataclasses.replace(known, begun_at=context.now)
    context.runs.record_reconcile(job, begun)
    done = reconcile_job(context, job, known.after, has_time)
    is_done = done.next is None
    done_at = context.now if is_done else known.done_at
    context.runs.record_reconcile(job, dataclasses.replace(begun, after=done.next or "", done_at=done_at))
    machine = context.machines.machine(job.machine)
    if is_done and machine is not None:
        stored = context.catalogue.stored_bytes(context.machines.jobs(job.machine))
        context.caps.recount(machine, stored, context.now)
    return is_done
