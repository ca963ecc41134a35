"""Machines, jobs, codes, leases, runs and notices in the table."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from chalicelib.adapters import rows
from chalicelib.adapters.table import ConditionFailed, Table
from chalicelib.domain.audit.notices import Notice
from chalicelib.domain.backups.leases import LEASE_LIFE, Lease
from chalicelib.domain.backups.machines import EnrolmentCode, Job, LastRun, Machine, ReconcileProgress

LAST_USE_GRAIN = timedelta(hours=1)
"""A machine's last use is stored to the hour: one write an hour instead of one a request."""


@dataclasses.dataclass(frozen=True)
class LeaseState:
    """What a request about one job needs to know, read at once."""

    machine: Machine | None
    job: Job | None
    lease: Lease | None


class MachineStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    # ------------------------------------------------------------ machines and jobs

    def machine(self, name: str) -> Machine | None:
        item = self._table.get("MACHINES", name)
        return rows.machine_of(item) if item else None

    def machines(self) -> list[Machine]:
        return [rows.machine_of(item) for item in self._table.query("MACHINES")]

    def jobs(self, machine: str | None = None) -> list[Job]:
        prefix = f"{machine}/" if machine else ""
        return [rows.job_of(item) for item in self._table.query("JOBS", prefix)]

    def jobs_named(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Job]:
        """The jobs among these ``(machine, job)`` that exist."""
        keys = [("JOBS", rows.job_sort_key(machine, job)) for machine, job in names]
        found = map(rows.job_of, self._table.get_many(keys).values())
        return {(job.machine, job.name): job for job in found}

    def lease_state(self, machine: str, job: str) -> LeaseState:
        sort_key = rows.job_sort_key(machine, job)
        keys = [("MACHINES", machine), ("JOBS", sort_key), ("LEASES", sort_key)]
        found = self._table.get_many(keys)
        machine_item, job_item, lease_item = (found.get(key) for key in keys)
        return LeaseState(
            rows.machine_of(machine_item) if machine_item else None,
            rows.job_of(job_item) if job_item else None,
            rows.lease_of(lease_item) if lease_item else None,
        )

    def adopt_location(self, job: Job) -> None:
        """Has keys of a bucket that is not the service's own belong to that job."""
        self._table.put(
            {
                "pk": f"LOCATIONS#{job.location.bucket}",
                "sk": f"{job.location.prefix}#",  # a sort key cannot be empty, a prefix can
                "schema": rows.SCHEMA_VERSION,
                "machine": job.machine,
                "job": job.name,
            }
        )

    def adopted_jobs(self, bucket: str) -> list[Job]:
        """The jobs that were adopted with this bucket."""
        found = list(self._table.query(f"LOCATIONS#{bucket}"))
        return list(self.jobs_named([(item["machine"], item["job"]) for item in found]).values())

    def create_machine(self, machine: Machine) -> bool:
        """False if there is one of that name already."""
        try:
            self._table.put(rows.machine_item(machine), "attribute_not_exists(pk)")
        except ConditionFailed:
            return False
        return True

    def create_job(self, job: Job) -> bool:
        """False if the machine has a job of that name already."""
        try:
            self._table.put(rows.job_item(job), "attribute_not_exists(pk)")
        except ConditionFailed:
            return False
        return True

    def set_token(self, code: EnrolmentCode, token_sha256: str) -> bool:
        """From now on this token counts and no other; lifts a revocation.

        False if the code is older than the machine, than its revocation, or than the code of its present token:
        whoever kept an old code must not undo what the owner has done since.
        """
        issued_at = rows.format_instant(code.issued_at)
        changes = {"token_sha256": token_sha256, "code_issued_at": issued_at, "revoked_at": None}
        try:
            self._table.update(
                "MACHINES",
                code.machine,
                changes,
                condition="attribute_exists(pk) AND created_at <= :issued"
                " AND (attribute_not_exists(revoked_at) OR revoked_at < :issued)"
                " AND (attribute_not_exists(code_issued_at) OR code_issued_at <= :issued)",
                values={":issued": issued_at},
            )
        except ConditionFailed:
            return False
        return True

    def revoke(self, machine: str, now: datetime) -> None:
        changes = {"token_sha256": None, "revoked_at": rows.format_instant(now)}
        self._table.update("MACHINES", machine, changes, condition="attribute_exists(pk)")

    def pause(self, machine: str, since: datetime | None, until: datetime | None) -> None:
        changes = {"paused_at": rows.format_instant(since), "paused_until": rows.format_instant(until)}
        self._table.update("MACHINES", machine, changes, condition="attribute_exists(pk)")

    def set_caps(self, machine: Machine) -> None:
        changes = {
            "storage_cap_bytes": machine.storage_cap_bytes,
            "download_cap_bytes": machine.download_cap_bytes,
        }
        self._table.update("MACHINES", machine.name, changes, condition="attribute_exists(pk)")

    def set_owner_mail(self, machine: str, owner_mail: str | None) -> None:
        changes = {"owner_mail": owner_mail}
        self._table.update("MACHINES", machine, changes, condition="attribute_exists(pk)")

    def set_period(self, job: Job) -> None:
        changes = {"period_seconds": job.period_seconds, "grace_seconds": job.grace_seconds}
        key = rows.job_sort_key(job.machine, job.name)
        self._table.update("JOBS", key, changes, condition="attribute_exists(pk)")

    def remove_machine(self, name: str) -> None:
        """Forgets the machine and its jobs; what they stored stays in the bucket and in the catalogue."""
        for job in self.jobs(name):
            self._table.delete("JOBS", rows.job_sort_key(name, job.name))
            self._table.delete(f"LOCATIONS#{job.location.bucket}", f"{job.location.prefix}#")
            self._table.delete("LEASES", rows.job_sort_key(name, job.name))
        self._table.delete("MACHINES", name)

    def record_use(self, machine: Machine, now: datetime) -> None:
        if machine.last_used_at is None or now - machine.last_used_at >= LAST_USE_GRAIN:
            changes = {"last_used_at": rows.format_instant(now)}
            self._table.update("MACHINES", machine.name, changes, condition="attribute_exists(pk)")

    # ------------------------------------------------------------ enrolment codes

    def put_code(self, code: EnrolmentCode) -> None:
        self._table.put(rows.code_item(code))

    def code(self, code_sha256: str) -> EnrolmentCode | None:
        item = self._table.get("CODES", code_sha256)
        return rows.code_of(item) if item else None

    def use_code(self, code: EnrolmentCode, secret_sha256: str) -> bool:
        """Marks the code as used for that secret; False if it was used for another one first."""
        try:
            self._table.update(
                "CODES",
                code.code_sha256,
                {"secret_sha256": secret_sha256},
                condition="attribute_exists(pk) AND "
                "(attribute_not_exists(secret_sha256) OR secret_sha256 = :mine)",
                values={":mine": secret_sha256},
            )
        except ConditionFailed:
            return False
        return True

    # ------------------------------------------------------------ leases and runs

    def take_lease(self, job: Job, run: str, now: datetime, *, instead_of: str | None) -> bool:
        """False if another run than ``instead_of``, or ``run`` itself, holds the lease."""
        item = {
            "pk": "LEASES",
            "sk": rows.job_sort_key(job.machine, job.name),
            "schema": rows.SCHEMA_VERSION,
            "run": run,
            "expires_at": rows.format_instant(now + LEASE_LIFE),
        }
        try:
            self._table.put(
                item,
                "attribute_not_exists(pk) OR expires_at <= :now OR run = :old OR run = :run",
                {":now": rows.format_instant(now), ":old": instead_of or "", ":run": run},
            )
        except ConditionFailed:
            return False
        return True

    def renew_lease(self, job: Job, run: str, now: datetime) -> bool:
        """False if the run has no lease any more."""
        try:
            self._table.update(
                "LEASES",
                rows.job_sort_key(job.machine, job.name),
                {"expires_at": rows.format_instant(now + LEASE_LIFE)},
                condition="run = :run",
                values={":run": run},
            )
        except ConditionFailed:
            return False
        return True

    def release_lease(self, job: Job, run: str) -> bool:
        """False if it was not this run's any more."""
        try:
            key = rows.job_sort_key(job.machine, job.name)
            self._table.delete("LEASES", key, "run = :run", {":run": run})
        except ConditionFailed:
            return False
        return True

    def record_run(self, job: Job, last_run: LastRun, details: rows.Item) -> None:
        """Keeps the run's own row, and the summary in its job's row unless a newer run is there already."""
        summary = rows.last_run_map(last_run)
        self._table.put(
            {
                "pk": rows.job_partition(job),
                "sk": f"RUN#{last_run.run}",
                "schema": rows.SCHEMA_VERSION,
                **summary,
                **details,
            }
        )
        with contextlib.suppress(ConditionFailed):  # a superseded run may report its end late
            self._table.update(
                "JOBS",
                rows.job_sort_key(job.machine, job.name),
                {"last_run": summary},
                condition="attribute_not_exists(last_run) OR last_run.started_at <= :started_at",
                values={":started_at": summary["started_at"]},
            )

    def record_reconcile(self, job: Job, comparison: ReconcileProgress) -> None:
        """How far the job's reconcile has come; nothing for a job that was removed meanwhile."""
        key, changes = (
            rows.job_sort_key(job.machine, job.name),
            {"reconcile": rows.reconcile_map(comparison)},
        )
        with contextlib.suppress(ConditionFailed):
            self._table.update("JOBS", key, changes, condition="attribute_exists(pk)")

    # ------------------------------------------------------------ proofs of origin

    def set_proofs_since(self, job: Job, since: datetime) -> None:
        """Moves the job's ``proofs_since`` back to ``since``, never forth; nothing for a job that was removed."""
        text = rows.format_instant(since)
        with contextlib.suppress(ConditionFailed):
            self._table.update(
                "JOBS",
                rows.job_sort_key(job.machine, job.name),
                {"proofs_since": text},
                condition="attribute_exists(pk)"
                " AND (attribute_not_exists(proofs_since) OR proofs_since > :since)",
                values={":since": text},
            )

    def set_false_proofs(self, job: Job, set_names: Iterable[str]) -> None:
        """Replaces what the job's client has found; nothing for a job that was removed."""
        changes = {"false_proofs": sorted(set_names)}
        key = rows.job_sort_key(job.machine, job.name)
        with contextlib.suppress(ConditionFailed):
            self._table.update("JOBS", key, changes, condition="attribute_exists(pk)")

    # ------------------------------------------------------------ caps and notices

    def count_upload(self, machine: Machine, size_bytes: int) -> bool:
        """False if that would exceed what the machine may store.

        Every permission counts, used or not, and nothing is ever taken off, so the count errs towards refusing;
        ``set_stored_bytes`` corrects it from the bucket.
        """
        try:
            self._table.add(
                f"STORED#{machine.name}",
                "bytes",
                "permitted_bytes",
                size_bytes,
                at_most=machine.storage_cap_bytes,
            )
        except ConditionFailed:
            return False
        return True

    def set_stored_bytes(self, machine: Machine, size_bytes: int) -> None:
        self._table.update(f"STORED#{machine.name}", "bytes", {"permitted_bytes": size_bytes})

    def count_download(self, machine: Machine, size_bytes: int, now: datetime) -> bool:
        """False if that would exceed the machine's daily cap (UTC days)."""
        try:
            self._table.add(
                f"DOWNLOADS#{machine.name}",
                f"{now:%Y-%m-%d}",
                "handed_out_bytes",
                size_bytes,
                at_most=machine.download_cap_bytes,
            )
        except ConditionFailed:
            return False
        return True

    def put_notice(self, notice: Notice) -> None:
        """Once a day for each kind and job: a flood of requests must not fill the owner's mail."""
        key = f"{notice.at:%Y-%m-%d}#{notice.machine}/{notice.job}#{notice.code}"
        item = {
            "pk": "NOTICES",
            "sk": key,
            "schema": rows.SCHEMA_VERSION,
            "code": notice.code,
            "machine": notice.machine,
            "job": notice.job,
            "message": notice.message,
            "noticed_at": rows.format_instant(notice.at),
        }
        with contextlib.suppress(ConditionFailed):
            self._table.put(item, "attribute_not_exists(pk)")

    def notices_since(self, since: datetime) -> list[Notice]:
        """Newest first."""
        notices: list[Notice] = []
        for item in self._table.query("NOTICES", newest_first=True):
            if item["sk"] < f"{since:%Y-%m-%d}":
                break
            at = rows.instant_of(item["noticed_at"])
            notices.append(Notice(item["code"], item["machine"], item["job"], item["message"], at))
        return [notice for notice in notices if notice.at >= since]
