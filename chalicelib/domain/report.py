"""What the weekly mail says, before anybody decides how it looks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from chalicelib.domain.anomalies import Finding, Severity
from chalicelib.domain.freshness import NEEDS_ATTENTION, Freshness, State
from chalicelib.domain.machines import Job
from chalicelib.domain.notices import Notice

_ORDER = [State.OVERDUE, State.FAILING, State.NEVER, State.DUE, State.PAUSED, State.FRESH]

_MEANING = {
    State.OVERDUE: "No complete backup within its period and grace. Start one, or look why none runs.",
    State.FAILING: "The last run failed. Its log on the machine says why.",
    State.NEVER: "The first backup is not finished, so nothing can be restored yet.",
    State.DUE: "A new backup is due.",
    State.PAUSED: "Paused by you.",
    State.FRESH: "",
}


@dataclasses.dataclass(frozen=True)
class ReportLine:
    """One job; ``advice`` is empty where nothing needs to be done."""

    machine: str
    job: str
    state: str
    needs_attention: bool
    age: str
    newest: str
    stored: str
    last_run: str
    advice: str


@dataclasses.dataclass(frozen=True)
class ReportNotice:
    at: str
    machine: str
    job: str
    message: str


@dataclasses.dataclass(frozen=True)
class Report:
    """Texts ready to be shown, in the owner's time zone; problems come first."""

    subject: str
    headline: str
    all_well: bool
    lines: tuple[ReportLine, ...]
    findings: tuple[Finding, ...]
    notices: tuple[ReportNotice, ...]
    stored: str
    written_at: str
    next_issue: str


@dataclasses.dataclass(frozen=True)
class JudgedJob:
    job: Job
    freshness: Freshness


def compose_report(
    judged: Sequence[JudgedJob],
    findings: Sequence[Finding],
    notices: Sequence[Notice],
    *,
    now: datetime,
    next_issue: datetime,
    zone: tzinfo,
) -> Report:
    ordered = sorted(
        judged, key=lambda one: (_ORDER.index(one.freshness.state), one.job.machine, one.job.name)
    )
    lines = tuple(_line(one, now, zone) for one in ordered)
    broken = {(one.machine, one.job) for one in findings if one.severity is Severity.CRITICAL}
    in_need = sum(line.needs_attention or (line.machine, line.job) in broken for line in lines)
    stored = format_bytes(sum(one.freshness.stored_bytes for one in judged))
    headline = _headline([one.freshness.state for one in judged], in_need)
    return Report(
        subject=f"{headline} - {stored}",
        headline=headline,
        all_well=not (in_need or findings or notices),
        lines=lines,
        findings=tuple(sorted(findings, key=lambda one: (one.severity.value, one.machine, one.job))),
        notices=tuple(
            ReportNotice(_moment(notice.at, zone), notice.machine, notice.job, notice.message)
            for notice in notices
        ),
        stored=stored,
        written_at=_moment(now, zone),
        next_issue=_moment(next_issue, zone),
    )


def _headline(states: Sequence[State], in_need: int) -> str:
    total = len(states)
    if not total:
        return "No backups are set up yet"
    if in_need:
        return f"{in_need} of {total} backups {'needs' if in_need == 1 else 'need'} you"
    waiting = sum(state is State.NEVER for state in states)
    if waiting:
        return f"{waiting} of {total} backups {'is' if waiting == 1 else 'are'} not complete yet"
    return "Your backup is well" if total == 1 else f"All {total} backups are well"


def _line(judged: JudgedJob, now: datetime, zone: tzinfo) -> ReportLine:
    freshness, job = judged.freshness, judged.job
    newest = freshness.newest_complete_at
    return ReportLine(
        machine=job.machine,
        job=job.name,
        state=freshness.state.value,
        needs_attention=freshness.state in NEEDS_ATTENTION,
        age=format_age(now - newest) if newest else "never",
        newest=_moment(newest, zone) if newest else "",
        stored=_stored(freshness),
        last_run=_last_run(job, now),
        advice=_MEANING[freshness.state],
    )


def _stored(freshness: Freshness) -> str:
    size = format_bytes(freshness.stored_bytes)
    if not freshness.chain_length:
        return f"{size} so far"
    return f"{size}, chain of {freshness.chain_length} set{'' if freshness.chain_length == 1 else 's'}"


def _last_run(job: Job, now: datetime) -> str:
    run = job.last_run
    if run is None:
        return "none"
    if run.ended_at is None or run.exit_code is None:
        return f"{run.kind}, started {format_age(now - run.started_at)} ago"
    outcome = "done" if run.exit_code == 0 else f"failed (exit {run.exit_code})"
    return f"{run.kind}, {outcome} {format_age(now - run.ended_at)} ago"


def format_age(age: timedelta) -> str:
    """In the unit that people would use: ``40 minutes``, ``5 hours``, ``9 days``."""
    minutes = max(0, int(age.total_seconds() // 60))
    for unit, size in (("day", 1440), ("hour", 60)):
        # A unit is used from twice its size on: "36 hours" tells more than "1 day".
        if minutes >= 2 * size:
            return f"{minutes // size} {unit}s"
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def format_bytes(size: int) -> str:
    """In the binary units that AWS bills by: a GB is 2^30 bytes."""
    if size < 1000:
        return f"{size} bytes"
    value = float(size)
    for unit in ("KB", "MB", "GB"):
        value /= 1024
        if value < 1000:
            return f"{value:.3g} {unit}"
    return f"{value / 1024:.3g} TB"


def _moment(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%a %d %b %Y, %H:%M")
