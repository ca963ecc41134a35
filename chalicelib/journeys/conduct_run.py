"""A run takes its job's lease, renews it while it works, and releases it at its end."""

from __future__ import annotations

import dataclasses
import secrets
from datetime import datetime, timezone
from typing import Any

from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.run_store import RunStore
from chalicelib.domain.audit.notices import SECOND_RUN, Notice
from chalicelib.domain.backups.leases import LEASE_LIFE, Lease, clock_is_wrong, is_run_id, may_take
from chalicelib.domain.backups.machines import Job, LastRun
from chalicelib.domain.photos.settled import old_change, was_settled
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.authenticate import Caller
from chalicelib.journeys.catalogue.catalogue_changes import refresh_photo_findings
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.wire import ErrorCode, RunStart, RunStarted, RunUpdate, new_run_id, to_json

MAX_MESSAGE_LENGTH = 1000
MAX_STATISTICS = 50
MAX_STATISTIC_NAME_LENGTH = 50
"""duplicity reports some twenty numbers; what is beyond these limits is dropped."""

KINDS = ("full", "incremental")
CHECK = "check"
"""Of a request that is no run: photo jobs were looked at."""


def start_run(
    runs: RunStore, notices: NoticeStore, caller: Caller, request: RunStart, now: datetime
) -> RunStarted:
    """Takes the lease; raises ``Refusal`` if another run holds it, or if the laptop's clock is wrong.

    Asked twice for the same run, as happens when an answer is lost, it answers the same.
    """
    if request.kind not in KINDS:
        raise Refusal(ErrorCode.BAD_REQUEST, "kind must be full or incremental.")
    check_clock(request.clock, now)
    job = caller.job
    run = _checked_run(request.run, job.last_run) or new_run_id(now, secrets.token_bytes(8))
    free = may_take(caller.lease, run, request.resumes, now)
    if not free or not runs.take_lease(job, run, now, instead_of=request.resumes):
        notices.put(
            Notice(
                SECOND_RUN,
                job.machine,
                job.name,
                f"A second backup of {job.machine}/{job.name} was started while one was running, and refused. "
                "If you have no second computer with this set-up, somebody may have its token: revoke it.",
                now,
            )
        )
        raise Refusal(
            ErrorCode.RUN_IN_PROGRESS,
            "Another backup of this job is running, or stopped without reporting it. Wait for it, or try again later.",
            retry_after_seconds=_seconds_left(caller.lease, now),
        )
    if job.last_run is None or job.last_run.run != run:
        runs.record_run(job, _new_run(run, request, job, now), {})
    return RunStarted(run, format_wire_time(now), int(LEASE_LIFE.total_seconds()))


def check_clock(clock: str, now: datetime) -> None:
    """Raises ``Refusal`` where the laptop's clock is wrong."""
    if clock_is_wrong(read_instant(clock, "clock"), now):
        raise Refusal(
            ErrorCode.CLOCK_WRONG,
            f"This computer's clock shows {clock}, but it is {format_wire_time(now)}. Set the clock first.",
        )


def _checked_run(run: str | None, last_run: LastRun | None) -> str | None:
    """The id that the client made, if it made one; a start that arrives after its run's end is refused, as
    nobody would give that lease back."""
    if run is not None and not is_run_id(run):
        raise Refusal(ErrorCode.BAD_REQUEST, "run must be an id such as 20261122t205000z-0123456789abcdef.")
    if run is not None and last_run is not None and last_run.run == run and last_run.ended_at is not None:
        raise Refusal(ErrorCode.UNKNOWN_RUN, "That run is over. Start a new backup.")
    return run


def _new_run(run: str, request: RunStart, job: Job, now: datetime) -> LastRun:
    earlier = job.last_run
    return LastRun(
        run,
        request.kind,
        now,
        # What a run that was cut short has not reported is reported by the one that carries on with it.
        of_settled=was_settled(job, now)
        or (earlier is not None and earlier.of_settled and earlier.exit_code != 0),
        estimated_bytes=request.estimated_bytes,
        source_files=request.source_files,
        source_bytes=request.source_bytes,
        # A run that did not report its source's size must not hide what the run before it reported.
        earlier_source_files=earlier.known_source_files if earlier else None,
        earlier_source_bytes=earlier.known_source_bytes if earlier else None,
    )


def update_run(
    runs: RunStore,
    machines: MachineStore,
    findings: FindingStore,
    caller: Caller,
    run: str,
    request: RunUpdate,
    now: datetime,
) -> None:
    """Renews the lease; with an exit code, ends the run and releases the lease. What it has changed in a settled photo
    job is a finding at once."""
    if not is_run_id(run):
        raise Refusal(ErrorCode.UNKNOWN_RUN, "There is no such run.")
    if request.exit_code is None:
        require_lease(runs, caller, run, now)
        return
    if not runs.release_lease(caller.job, run):
        raise lease_lost()
    last_run = caller.job.last_run
    if last_run is None or last_run.run != run:
        raise Refusal(ErrorCode.UNKNOWN_RUN, "There is no such run.")
    ended = dataclasses.replace(last_run, ended_at=now, exit_code=request.exit_code)
    runs.record_run(caller.job, ended, _details(request))
    change = old_change(ended, request.statistics or {}, now)
    if change is not None:
        machines.record_old_change(caller.job, change)
        refresh_photo_findings(findings, dataclasses.replace(caller.job, old_change=change), now)


def _details(request: RunUpdate) -> dict[str, Any]:
    """What the run's row stores of its end, within a row's size."""
    message = request.message[:MAX_MESSAGE_LENGTH] if request.message else None
    details = to_json(
        dataclasses.replace(request, exit_code=None, statistics=None, false_proofs=None, message=message)
    )
    statistics = {
        name: round(value)
        for name, value in (request.statistics or {}).items()
        if 0 < len(name) <= MAX_STATISTIC_NAME_LENGTH
    }
    details["statistics"] = dict(list(statistics.items())[:MAX_STATISTICS])
    return details


def require_lease(runs: RunStore, caller: Caller, run: str, now: datetime) -> None:
    """Renews the run's lease, at most once a minute; raises ``Refusal`` if it is another's.

    A lapsed lease that nobody took is still the run's: laptops sleep.
    """
    lease = caller.lease
    if lease is None or lease.run != run:
        raise lease_lost()
    fresh_enough = (lease.expires_at - now) > LEASE_LIFE * 0.95
    if not fresh_enough and not runs.renew_lease(caller.job, run, now):
        raise lease_lost()


def lease_lost() -> Refusal:
    return Refusal(
        ErrorCode.LEASE_LOST,
        "This run no longer holds its job's lease: another began or it was ended. Start a new backup.",
    )


def _seconds_left(lease: Lease | None, now: datetime) -> int | None:
    return max(1, int((lease.expires_at - now).total_seconds()) + 1) if lease else None


def read_instant(text: str, field: str) -> datetime:
    """Raises ``Refusal``."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise Refusal(
            ErrorCode.BAD_REQUEST, f"{field} must be a time such as 2026-11-22T20:50:00Z."
        ) from None
