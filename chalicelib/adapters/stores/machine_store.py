"""Machines, jobs, the places of adopted ones, and enrolment codes in the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from chalicelib.adapters.stores import machine_rows, rows
from chalicelib.adapters.table import Item, Table, attempted
from chalicelib.domain.backups.machines import EnrolmentCode, Job, LastCheck, LastDrill, Machine, OldChange
from chalicelib.domain.fleet.following import Kind
from chalicelib.domain.photos.family import Family

LAST_USE_GRAIN = timedelta(hours=1)
"""A machine's last use is stored to the hour: one write an hour instead of one a request, and one when its
client is of another version."""


class MachineStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    # ------------------------------------------------------------ machines and jobs

    def machine(self, name: str) -> Machine | None:
        item = self._table.get("MACHINES", name)
        return machine_rows.machine_of(item) if item else None

    def machines(self) -> list[Machine]:
        return [machine_rows.machine_of(item) for item in self._table.query("MACHINES")]

    def machines_named(self, names: Iterable[str]) -> dict[str, Machine]:
        """Those among these that exist."""
        found = self._table.get_many([("MACHINES", name) for name in names])
        return {name: machine_rows.machine_of(item) for (_, name), item in found.items()}

    def jobs(self, machine: str | None = None) -> list[Job]:
        prefix = f"{machine}/" if machine else ""
        return [machine_rows.job_of(item) for item in self._table.query("JOBS", prefix)]

    def jobs_named(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Job]:
        """The jobs among these ``(machine, job)`` that exist."""
        keys = [("JOBS", rows.job_sort_key(machine, job)) for machine, job in names]
        found = map(machine_rows.job_of, self._table.get_many(keys).values())
        return {(job.machine, job.name): job for job in found}

    def families(self, machine: str | None = None) -> list[Family]:
        """The families of photo jobs, of one machine or of all."""
        prefix = f"{machine}/" if machine else ""
        return [machine_rows.family_of(item) for item in self._table.query(machine_rows.FAMILIES, prefix)]

    def put_family(self, family: Family) -> None:
        """A new one, or one with other settings: its jobs keep theirs."""
        self._table.put(machine_rows.family_item(family))

    def record_checks(self, checks: Mapping[str, LastCheck], machine: str) -> None:
        """By job; nothing for one that was removed. Never over a newer one."""
        for job, check in checks.items():
            attempted(
                self._table.update,
                "JOBS",
                rows.job_sort_key(machine, job),
                {"last_check": machine_rows.last_check_map(check)},
                condition="attribute_exists(pk) AND"
                " (attribute_not_exists(last_check) OR last_check.#at <= :at)",
                values={":at": rows.format_instant(check.at)},
                names={"#at": "at"},
            )

    def record_old_change(self, job: Job, change: OldChange | None) -> None:
        """``None``: the owner has seen it."""
        changes = {"old_change": machine_rows.old_change_map(change) if change else None}
        self._change_job(job, changes, "attribute_exists(pk)")

    def pause_job(self, job: Job, since: datetime | None) -> None:
        """``None``: its backups are expected again."""
        self._change_job(job, {"paused_at": rows.format_instant(since)}, "attribute_exists(pk)")

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
        return attempted(self._table.put, machine_rows.machine_item(machine), "attribute_not_exists(pk)")

    def create_job(self, job: Job) -> bool:
        """False if the machine has a job of that name already."""
        return attempted(self._table.put, machine_rows.job_item(job), "attribute_not_exists(pk)")

    def set_token(self, code: EnrolmentCode, token_sha256: str, now: datetime, *, is_new: bool) -> bool:
        """From now on this token counts and no other; lifts a revocation. One that ``is_new`` was never used.

        False if the code is older than the machine, than its revocation, or than the code of its present token:
        whoever kept an old code must not undo what the owner has done since.
        """
        issued_at = rows.format_instant(code.issued_at)
        changes = {"token_sha256": token_sha256, "code_issued_at": issued_at, "revoked_at": None}
        if is_new:
            changes["last_used_at"] = None
        # Before the token counts: an enrolment that is missing here could let a chain go that should wait.
        self._table.put(machine_rows.enrolment_item(code.machine, now))
        return attempted(
            self._table.update,
            "MACHINES",
            code.machine,
            changes,
            condition="attribute_exists(pk) AND attribute_not_exists(dropping_at) AND created_at <= :issued"
            " AND (attribute_not_exists(revoked_at) OR revoked_at < :issued)"
            " AND (attribute_not_exists(code_issued_at) OR code_issued_at <= :issued)",
            values={":issued": issued_at},
        )

    def enrolments(self) -> dict[str, tuple[datetime, ...]]:
        """Every enrolment that is known, by the machine's name, also of machines that were removed."""
        return machine_rows.enrolments_of(self._table.query(machine_rows.ENROLMENTS))

    def revoke(self, machine: str, now: datetime) -> None:
        changes = {"token_sha256": None, "revoked_at": rows.format_instant(now)}
        self._table.update("MACHINES", machine, changes, condition="attribute_exists(pk)")

    def pause(self, machine: str, since: datetime | None, until: datetime | None) -> None:
        changes = {"paused_at": rows.format_instant(since), "paused_until": rows.format_instant(until)}
        self._table.update("MACHINES", machine, changes, condition="attribute_exists(pk)")

    def change_settings(self, before: Kind, after: Kind) -> bool:
        """Writes what differs, as one write. False where the row was removed since ``before`` was read, or somebody
        has changed what it follows."""
        old, new = machine_rows.item_of(before), machine_rows.item_of(after)
        changes = machine_rows.changes_between(old, new)
        if not changes:
            return True
        # Always written: a row of before there were groups says what it follows by the values that are changed here.
        return attempted(
            self._table.update,
            new["pk"],
            new["sk"],
            {**changes, "follows": new["follows"]},
            condition="attribute_exists(pk) AND (attribute_not_exists(#follows) OR #follows = :known)",
            values={":known": old["follows"]},
        )

    def begin_drop(self, machine: Machine, now: datetime) -> None:
        """Nothing comes any more, and no backup is expected: its token ends, and it is paused, before its jobs say that
        their files go."""
        at = rows.format_instant(now)
        changes = {"token_sha256": None, "revoked_at": at, "paused_at": at, "paused_until": None}
        begun_at = rows.format_instant(machine.dropping_at or now)
        self._table.update(
            "MACHINES", machine.name, {**changes, "dropping_at": begun_at}, condition="attribute_exists(pk)"
        )
        for job in self.jobs(machine.name):
            self._change_job(job, {"is_dropping": True}, "attribute_exists(pk)")

    def hold_drop(self, name: str, until: datetime | None) -> None:
        """What is left of a machine that is being removed is locked until then."""
        changes = {"held_until": rows.format_instant(until)}
        self._table.update("MACHINES", name, changes, condition="attribute_exists(pk)")

    def remove_machine(self, name: str) -> None:
        """Forgets the machine, its jobs and its recovery code; what they stored stays in bucket and catalogue."""
        for job in self.jobs(name):
            self._table.delete("JOBS", rows.job_sort_key(name, job.name))
            self._table.delete(f"LOCATIONS#{job.location.bucket}", f"{job.location.prefix}#")
            self._table.delete("LEASES", rows.job_sort_key(name, job.name))
        for family in self.families(name):
            self._table.delete(machine_rows.FAMILIES, rows.job_sort_key(name, family.name))
        self._table.delete("RECOVERIES", name)
        self._table.delete("MACHINES", name)

    def record_use(self, machine: Machine, version: str | None, now: datetime) -> None:
        """``version`` is the client's, None where it is not known: the one that is stored stays."""
        is_due = machine.last_used_at is None or now - machine.last_used_at >= LAST_USE_GRAIN
        known = version or machine.client_version
        if is_due or known != machine.client_version:
            changes = {"last_used_at": rows.format_instant(now), "client_version": known}
            self._table.update("MACHINES", machine.name, changes, condition="attribute_exists(pk)")

    # ------------------------------------------------------------ enrolment codes

    def put_code(self, code: EnrolmentCode) -> None:
        self._table.put(machine_rows.code_item(code))

    def code(self, code_sha256: str) -> EnrolmentCode | None:
        item = self._table.get("CODES", code_sha256)
        return machine_rows.code_of(item) if item else None

    def use_code(self, code: EnrolmentCode, secret_sha256: str, address: str, now: datetime) -> bool:
        """Marks the code as used for that secret; False if it was used for another one first."""
        use = {"secret_sha256": secret_sha256, "used_at": rows.format_instant(now), "used_from": address}
        return attempted(
            self._table.update,
            "CODES",
            code.code_sha256,
            use,
            condition="attribute_exists(pk) AND "
            "(attribute_not_exists(secret_sha256) OR secret_sha256 = :mine)",
            values={":mine": secret_sha256},
        )

    # ------------------------------------------------------------ proofs of origin

    def set_proofs_since(self, job: Job, since: datetime) -> None:
        """Moves the job's ``proofs_since`` back to ``since``, never forth; nothing for a job that was removed."""
        text = rows.format_instant(since)
        attempted(
            self._table.update,
            "JOBS",
            rows.job_sort_key(job.machine, job.name),
            {"proofs_since": text},
            condition="attribute_exists(pk) AND (attribute_not_exists(proofs_since) OR proofs_since > :since)",
            values={":since": text},
        )

    def set_false_proofs(self, job: Job, set_names: Iterable[str]) -> None:
        """Replaces what the job's client has found; nothing for a job that was removed."""
        changes = {"false_proofs": sorted(set_names)}
        key = rows.job_sort_key(job.machine, job.name)
        attempted(self._table.update, "JOBS", key, changes, condition="attribute_exists(pk)")

    # ------------------------------------------------------------ drills

    def record_drill(self, job: Job, drill: LastDrill) -> None:
        """Nothing for a job that was removed."""
        self._change_job(job, {"last_drill": machine_rows.last_drill_map(drill)}, "attribute_exists(pk)")

    def begin_drills(self, job: Job, now: datetime) -> None:
        """Notes since when drills are wanted of a job that has no such note."""
        condition = "attribute_exists(pk) AND attribute_not_exists(drills_since)"
        self._change_job(job, {"drills_since": rows.format_instant(now)}, condition)

    def _change_job(self, job: Job, changes: Item, condition: str) -> None:
        key = rows.job_sort_key(job.machine, job.name)
        attempted(self._table.update, "JOBS", key, changes, condition=condition)
