"""A laptop looked at photo jobs, and nothing in them has changed since their newest backups."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.domain.backups.machines import LastCheck
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.authenticate import Bearer, refuse_readers
from chalicelib.journeys.catalogue.catalogue_changes import refresh_photo_findings
from chalicelib.journeys.conduct_run import check_clock, read_instant
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.wire import ErrorCode, JobCheck, RunStart, RunStarted

LONGEST_READING = timedelta(days=3660)
"""From the first picture of a pile that is read for rot to the last."""


def record_checks(
    machines: MachineStore,
    findings: FindingStore,
    bearer: Bearer,
    named: str,
    request: RunStart,
    now: datetime,
) -> RunStarted:
    """``named`` is a family, or one of its jobs. It takes no lease: nothing is stored in the bucket. What has rotted is
    a finding at once, and none any more once nothing has. Raises ``Refusal``."""
    refuse_readers(bearer)
    check_clock(request.clock, now)
    machine = bearer.machine.name
    jobs = {
        job.name: job
        for job in machines.jobs(machine)
        if job.family is not None and named in (job.family, job.name)
    }
    checks = request.checks or ()
    strange = [check.job for check in checks if check.job not in jobs]
    if not checks or strange:
        what = strange[0] if strange else named
        raise Refusal(ErrorCode.UNKNOWN_JOB, f"{machine} has no photo job called {what}.")
    found = {check.job: _last_check(check, jobs[check.job].last_check, now) for check in checks}
    machines.record_checks(found, machine)
    for name, check in found.items():
        known = jobs[name].last_check
        if check.rotted != (known.rotted if known else 0):
            refresh_photo_findings(findings, dataclasses.replace(jobs[name], last_check=check), now)
    return RunStarted("", format_wire_time(now), 0)


def _last_check(check: JobCheck, known: LastCheck | None, now: datetime) -> LastCheck:
    """One that has read no pictures for rot says nothing of it: what was known of that holds."""
    if check.hashed_since is None:
        before = known or LastCheck(now, 0, 0)
        return dataclasses.replace(before, at=now, files=check.files, size_bytes=check.bytes)
    return LastCheck(
        now,
        check.files,
        check.bytes,
        check.hashed_files,
        check.hashed_bytes,
        # Whatever a laptop says: a time of which no text can be made again would hide every job of its row's kind.
        max(now - LONGEST_READING, min(now, read_instant(check.hashed_since, "hashed_since"))),
        check.rotted,
    )
