"""Leases and runs, and how far the weekly reconcile of each job has come."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from chalicelib.adapters.stores import catalogue_rows, machine_rows, rows
from chalicelib.adapters.table import Item, Table, attempted
from chalicelib.domain.backups.leases import LEASE_LIFE, Lease
from chalicelib.domain.backups.machines import Job, LastRun, Machine, ReconcileProgress


@dataclasses.dataclass(frozen=True)
class LeaseState:
    """What a request about one job needs, read at once."""

    machine: Machine | None
    job: Job | None
    lease: Lease | None


class RunStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def lease_state(self, machine: str, job: str) -> LeaseState:
        sort_key = rows.job_sort_key(machine, job)
        keys = [("MACHINES", machine), ("JOBS", sort_key), ("LEASES", sort_key)]
        found = self._table.get_many(keys)
        machine_item, job_item, lease_item = (found.get(key) for key in keys)
        return LeaseState(
            machine_rows.machine_of(machine_item) if machine_item else None,
            machine_rows.job_of(job_item) if job_item else None,
            machine_rows.lease_of(lease_item) if lease_item else None,
        )

    def leases(self) -> dict[tuple[str, str], Lease]:
        """Of all jobs, by ``(machine, job)``; those that have lapsed among them."""
        found = {}
        for item in self._table.query("LEASES"):
            machine, _, job = item["sk"].partition("/")
            found[machine, job] = machine_rows.lease_of(item)
        return found

    def take_lease(self, job: Job, run: str, now: datetime, *, instead_of: str | None) -> bool:
        """False if another run than ``instead_of``, or ``run`` itself, holds the lease."""
        key = rows.job_sort_key(job.machine, job.name)
        item = rows.new_row("LEASES", key, run=run, expires_at=rows.format_instant(now + LEASE_LIFE))
        return attempted(
            self._table.put,
            item,
            "attribute_not_exists(pk) OR expires_at <= :now OR run = :old OR run = :run",
            {":now": rows.format_instant(now), ":old": instead_of or "", ":run": run},
        )

    def renew_lease(self, job: Job, run: str, now: datetime) -> bool:
        """False if the run has no lease any more."""
        changes = {"expires_at": rows.format_instant(now + LEASE_LIFE)}
        key = rows.job_sort_key(job.machine, job.name)
        only = {"condition": "run = :run", "values": {":run": run}}
        return attempted(self._table.update, "LEASES", key, changes, **only)

    def release_lease(self, job: Job, run: str) -> bool:
        """False if it was not this run's any more."""
        key = rows.job_sort_key(job.machine, job.name)
        return attempted(self._table.delete, "LEASES", key, "run = :run", {":run": run})

    def record_run(self, job: Job, last_run: LastRun, details: Item) -> None:
        """Stores the run's own row, and the summary in its job's row unless a newer run is there already."""
        summary = machine_rows.last_run_map(last_run)
        key = rows.new_row(catalogue_rows.job_partition(job), f"RUN#{last_run.run}")
        self._table.put({**key, **summary, **details})
        attempted(  # a superseded run may report its end late
            self._table.update,
            "JOBS",
            rows.job_sort_key(job.machine, job.name),
            {"last_run": summary},
            condition="attribute_exists(pk)"  # of a machine that was removed meanwhile nothing is made anew
            " AND (attribute_not_exists(last_run) OR last_run.started_at <= :started_at)",
            values={":started_at": summary["started_at"]},
        )

    def record_reconcile(self, job: Job, reconcile: ReconcileProgress) -> None:
        """How far the job's reconcile has come; nothing for a job that was removed meanwhile."""
        key, changes = (
            rows.job_sort_key(job.machine, job.name),
            {"reconcile": machine_rows.reconcile_map(reconcile)},
        )
        attempted(self._table.update, "JOBS", key, changes, condition="attribute_exists(pk)")
