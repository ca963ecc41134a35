"""Why somebody should look at a fleet: each reason a sentence, with the command to type."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding, at_stage, command
from chalicelib.domain.backups.freshness import State
from chalicelib.domain.backups.machines import Machine
from chalicelib.domain.fleet.verdict import (
    EXIT_CODES,
    THAW_WAITING,
    FleetVerdict,
    Reason,
    verdict_of_state,
    worst_verdict,
)
from chalicelib.domain.mail.job_line import format_progress
from chalicelib.domain.mail.phrases import count, format_age, format_bytes, format_small_money
from chalicelib.domain.mail.report_parts import EvaluatedJob
from chalicelib.domain.photos.summary import looked_at
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.wire import ThawState

OF_SEVERITIES = {Severity.CRITICAL: FleetVerdict.BAD, Severity.WARNING: FleetVerdict.LOOK}

JOBS_NAMED = 3


def reasons_of(
    machines: Mapping[str, Machine],
    evaluated: Sequence[EvaluatedJob],
    findings: Sequence[Finding],
    thaws: Sequence[Thaw],
    *,
    now: datetime,
    stage: str,
) -> tuple[Reason, ...]:
    """The worst first. ``findings`` are all that are open, ``thaws`` any, ``machines`` by name."""
    found = [
        *_about_states(machines, evaluated, now),
        *_about_findings(
            findings, {(one.job.machine, one.job.name) for one in evaluated if _is_overdue(one)}
        ),
        *(_about_thaw(thaw) for thaw in thaws if thaw.state is ThawState.WAITING),
        *_about_drops(machines.values(), now),
    ]
    found.sort(key=lambda reason: (-EXIT_CODES[reason.verdict], reason.machine, reason.job))
    return tuple(dataclasses.replace(one, commands=at_stage(one.commands, stage)) for one in found)


def _is_overdue(evaluated: EvaluatedJob) -> bool:
    return evaluated.freshness.state is State.OVERDUE


# ---------------------------------------------------------------- states


def _about_states(
    machines: Mapping[str, Machine], evaluated: Sequence[EvaluatedJob], now: datetime
) -> Iterable[Reason]:
    """One for all jobs of a machine that has no token, one for those of a family that are in the same state."""
    absent = {name: FleetVerdict.LOOK for name, machine in machines.items() if _is_awaited(machine, now)}
    together: dict[tuple[str, str, State], list[EvaluatedJob]] = {}
    for one in evaluated:
        job, state = one.job, one.freshness.state
        verdict = verdict_of_state(state)
        if verdict is FleetVerdict.WELL:
            continue
        if machines[job.machine].token_sha256 is None:
            absent[job.machine] = worst_verdict([verdict, absent.get(job.machine, verdict)])
        else:
            together.setdefault((job.machine, job.family or job.name, state), []).append(one)
    yield from (_about_absent(machines[name], verdict, now) for name, verdict in absent.items())
    yield from (_about_jobs(name, jobs, state, now) for (_, name, state), jobs in together.items())


def _is_awaited(machine: Machine, now: datetime) -> bool:
    """Nobody has enrolled it yet. One whose token was revoked is as its jobs are."""
    return machine.token_sha256 is None and machine.revoked_at is None and not machine.is_paused(now)


def _about_absent(machine: Machine, verdict: FleetVerdict, now: datetime) -> Reason:
    again = command("python", "-m", "ops", "machine", "add", machine.name)
    if machine.revoked_at is not None:
        ago = format_age(now - machine.revoked_at)
        message = f"Its token was revoked {ago} ago: give it a new code, or remove it."
        gone = command("python", "-m", "ops", "machine", "remove", machine.name)
        return Reason(verdict, machine.name, "", message, (again, gone), "revoked")
    since = format_age(now - machine.created_at)
    message = f"It was added {since} ago and is not enrolled. If its code has expired, make another."
    return Reason(verdict, machine.name, "", message, (again,), "not_enrolled")


def _about_jobs(name: str, jobs: Sequence[EvaluatedJob], state: State, now: datetime) -> Reason:
    """``jobs`` are one job, or those of a family that are in this state."""
    oldest = min(jobs, key=lambda one: _newest(one) or one.job.added_at or now)
    if state is State.OVERDUE:
        message, line = _overdue(oldest, now)
    else:
        message, line = _failing(oldest, now) if state is State.FAILING else _never(oldest)
    if [job.job.name for job in jobs] != [name]:
        message = f"{_named(jobs)}: {message}"
    return Reason(verdict_of_state(state), oldest.job.machine, name, message, (line,), state.value)


def _named(jobs: Sequence[EvaluatedJob]) -> str:
    names = [job.job.name for job in jobs]
    more = f" and {len(names) - JOBS_NAMED} more" if len(names) > JOBS_NAMED else ""
    return f"{', '.join(names[:JOBS_NAMED])}{more}"


def _newest(evaluated: EvaluatedJob) -> datetime | None:
    return looked_at(evaluated.job, evaluated.freshness.newest_complete_at)


def _overdue(evaluated: EvaluatedJob, now: datetime) -> tuple[str, str]:
    newest, job = _newest(evaluated), evaluated.job
    if newest is None:
        return "No backup is complete yet, and one is overdue.", "panicroom doctor"
    age, expected = format_age(now - newest), f"after {format_age(job.late_after)} it is overdue"
    if job.family is not None:
        return f"Nobody has looked at it for {age}; {expected}. Attach its disk.", "panicroom backup"
    return f"Its newest backup is {age} old; {expected}.", "panicroom doctor"


def _failing(evaluated: EvaluatedJob, now: datetime) -> tuple[str, str]:
    if evaluated.error is not None:
        reason = type(evaluated.error).__name__
        return (
            f"Its state could not be worked out ({reason}): the service's log says more.",
            "python -m ops doctor",
        )
    run, newest = evaluated.job.last_run, _newest(evaluated)
    age = f" Its newest backup is {format_age(now - newest)} old." if newest else ""
    return f"Its last run failed with exit code {run.exit_code if run else None}.{age}", "panicroom doctor"


def _never(evaluated: EvaluatedJob) -> tuple[str, str]:
    progress = format_progress(evaluated.freshness)
    if progress:
        return f"Its first backup is on its way: {progress}.", "panicroom status"
    return "No backup is complete yet.", "panicroom backup"


# ---------------------------------------------------------------- findings and thaws


def _about_findings(findings: Sequence[Finding], overdue: set[tuple[str, str]]) -> Iterable[Reason]:
    """One for all of a code that a job has. That nothing has come of an overdue job is a reason already."""
    together: dict[tuple[str, str, str, Severity], list[Finding]] = {}
    for finding in findings:
        is_repeated = finding.code == "no_backup_yet" and (finding.machine, finding.job) in overdue
        if finding.severity in OF_SEVERITIES and not is_repeated:
            kind = finding.machine, finding.job, finding.code, finding.severity
            together.setdefault(kind, []).append(finding)
    for (machine, job, code, severity), alike in together.items():
        more = f" ({len(alike) - 1:,} more like this)" if len(alike) > 1 else ""
        commands = alike[0].commands if len(alike) == 1 and alike[0].commands else ("python -m ops audit",)
        yield Reason(OF_SEVERITIES[severity], machine, job, f"{alike[0].message}{more}", commands, code)


def _about_thaw(thaw: Thaw) -> Reason:
    price = format_small_money(thaw.usd) if thaw.usd is not None else "a price that is not known"
    message = f"A thaw of {format_bytes(thaw.size_bytes)} in {count(thaw.volumes, 'volume')} waits for you: {price}."
    line = command("python", "-m", "ops", "thaw", "approve", thaw.id)
    return Reason(FleetVerdict.LOOK, thaw.machine, thaw.job, message, (line,), THAW_WAITING)


def _about_drops(machines: Iterable[Machine], now: datetime) -> Iterable[Reason]:
    """Nobody else would think of one that was interrupted, or whose lock has ended; until then nothing can be done."""
    for one in machines:
        if one.dropping_at is None or (one.held_until is not None and now < one.held_until):
            continue
        what = "What Object Lock held back can go now" if one.held_until else "Some of it is left"
        message = f"You began to remove it {format_age(now - one.dropping_at)} ago. {what}: the same command goes on."
        line = command("python", "-m", "ops", "machine", "drop", one.name)
        yield Reason(FleetVerdict.LOOK, one.name, "", message, (line,), "dropping")
