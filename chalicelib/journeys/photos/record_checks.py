"""A laptop looked at photo jobs, and nothing in them has changed since their newest backups."""

from __future__ import annotations

from datetime import datetime

from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.domain.backups.machines import LastCheck
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.authenticate import Bearer, refuse_readers
from chalicelib.journeys.conduct_run import check_clock, read_instant
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.wire import ErrorCode, JobCheck, RunStart, RunStarted


def record_checks(
    machines: MachineStore, bearer: Bearer, named: str, request: RunStart, now: datetime
) -> RunStarted:
    """``named`` is a family, or one of its jobs. It takes no lease: nothing is stored in the bucket. Raises
    ``Refusal``."""
    refuse_readers(bearer)
    check_clock(request.clock, now)
    machine = bearer.machine.name
    jobs = {
        job.name
        for job in machines.jobs(machine)
        if job.family is not None and named in (job.family, job.name)
    }
    checks = request.checks or ()
    strange = [check.job for check in checks if check.job not in jobs]
    if not checks or strange:
        what = strange[0] if strange else named
        raise Refusal(ErrorCode.UNKNOWN_JOB, f"{machine} has no photo job called {what}.")
    machines.record_checks({check.job: _last_check(check, now) for check in checks}, machine)
    return RunStarted("", format_wire_time(now), 0)


def _last_check(check: JobCheck, now: datetime) -> LastCheck:
    return LastCheck(
        now,
        check.files,
        check.bytes,
        check.hashed_files,
        check.hashed_bytes,
        read_instant(check.hashed_since, "hashed_since") if check.hashed_since else None,
        check.rotted,
    )
