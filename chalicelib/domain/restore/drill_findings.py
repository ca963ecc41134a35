"""What drills show to be wrong: one has failed, or none has passed for long."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from chalicelib.domain.audit.findings import Finding, new_finding
from chalicelib.domain.backups.machines import Job, LastDrill, Machine, is_paused
from chalicelib.wire import DrillOutcome

FIRST_WITHIN = timedelta(days=15)
"""What a job has, beyond the time between two drills, for its first one to pass."""


def find_drill_trouble(
    machine: Machine, job: Job, first_complete_at: datetime | None, now: datetime
) -> list[Finding]:
    failed = find_failed_drill(job)
    if failed or is_paused(machine, job, now) or not _is_overdue(machine, job, first_complete_at, now):
        return failed
    return [_overdue(job, now)]


def speaking(jobs: Iterable[Job]) -> frozenset[Job]:
    """The jobs of which it matters that no drill has passed for long. Of a family, whose folders take turns, it is the
    one of which one has passed last."""
    found, families = set[Job](), dict[tuple[str, str], list[Job]]()
    for job in jobs:
        if job.family is None:
            found.add(job)
        elif job.paused_at is None:
            families.setdefault((job.machine, job.family), []).append(job)
    return frozenset(found | {max(sorted(of, key=_name), key=_passed) for of in families.values()})


def _name(job: Job) -> str:
    return job.name


def _passed(job: Job) -> float:
    """Seconds since 1970; 0 for never."""
    passed_at = job.last_drill.passed_at if job.last_drill else None
    return passed_at.timestamp() if passed_at else 0


def find_failed_drill(job: Job) -> list[Finding]:
    drill = job.last_drill
    if drill is None or drill.failed_at is None:
        return []
    return [
        _finding(
            "drill_failed",
            job,
            f"A drill of {job.machine}/{job.name} has failed: {drill.failure or 'it gave no reason.'}",
            f"reported at {drill.failed_at:%Y-%m-%d %H:%M} UTC; {_last_passed(drill)}",
            f"panicroom drill --job {job.name}",
            f"panicroom verify --job {job.name}",
        )
    ]


def _is_overdue(machine: Machine, job: Job, first_complete_at: datetime | None, now: datetime) -> bool:
    """Counted from when drills are wanted so, at the earliest: an upgrade of the service, a job that was added with its
    old backups, or a shorter time between two drills, must not be an alarm on the day after."""
    if not job.drill_every_seconds or first_complete_at is None or job.drills_since is None:
        return False
    every = timedelta(seconds=job.drill_every_seconds)
    since = max(first_complete_at, job.drills_since, machine.paused_until or job.drills_since)
    passed_at = job.last_drill.passed_at if job.last_drill else None
    if passed_at is None:
        return now - since > every + FIRST_WITHIN
    return now - since > every + FIRST_WITHIN and now - max(since, passed_at) > 2 * every


def _overdue(job: Job, now: datetime) -> Finding:
    drill, place = job.last_drill, job.full_name
    days = job.drill_every_seconds // 86_400
    if drill is None:
        last = "its client has never reported one: it may be too old to"
    else:
        message = f": {drill.message}" if drill.message else ""
        last = f"{_OUTCOMES[drill.outcome]} at {drill.reported_at:%Y-%m-%d %H:%M} UTC{message}"
    if drill is not None and drill.passed_at is not None:
        passed = f"No drill of {place} has passed for {(now - drill.passed_at).days} days."
    else:
        passed = f"No drill of {place} has passed yet."
    wanted = f"one every {days} days is wanted" if days > 1 else "one a day is wanted"
    return _finding(
        "drill_overdue",
        job,
        passed,
        f"{wanted}; {last}",
        "panicroom --version",
        f"panicroom drill --job {job.name}",
    )


_OUTCOMES = {
    DrillOutcome.ASKED: "it has waited for archived volumes since its last report",
    DrillOutcome.PASSED: "the last one passed",
    DrillOutcome.FAILED: "the last one failed",
    DrillOutcome.SKIPPED: "the last one could not be tried",
}


def _last_passed(drill: LastDrill) -> str:
    if drill.passed_at is None:
        return "none has passed yet"
    return f"the last one that passed was at {drill.passed_at:%Y-%m-%d %H:%M} UTC"


def _finding(code: str, job: Job, message: str, evidence: str, *commands: str) -> Finding:
    return new_finding(
        code,
        machine=job.machine,
        job=job.name,
        subject=job.name,
        message=message,
        evidence=evidence,
        commands=commands,
    )
