"""The line of the weekly mail about one job."""

from __future__ import annotations

from datetime import datetime, tzinfo

from chalicelib.domain.backups.freshness import NEEDS_ATTENTION, Freshness, State
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.mail.phrases import (
    count,
    format_age,
    format_bytes,
    format_moment,
    format_time_left,
)
from chalicelib.domain.mail.report_parts import (
    AT_RISK,
    EvaluatedJob,
    ReportLine,
)
from chalicelib.wire import DrillOutcome

_NOT_BEGUN = "No backup has begun. Enrol the machine, and start `panicroom backup` there."

_NEVER_CAME = (
    "No backup has come since it was added. Enrol the machine and start `panicroom backup` there, or remove"
    " the machine."
)

_MEANING = {
    State.OVERDUE: "No backup within its period and grace. Start one, or find out why none runs.",
    State.FAILING: "The last run failed. The machine's log has the reason.",
    State.NEVER: "The first backup is not finished, so nothing can be restored yet.",
    State.DUE: "A new backup is due.",
    State.PAUSED: "Paused by you.",
    State.FRESH: "",
}


def line_or_failure(
    evaluated: EvaluatedJob, broken: frozenset[tuple[str, str]], now: datetime, zone: tzinfo
) -> ReportLine:
    error = evaluated.error
    if error is None:
        try:
            return _line(evaluated, broken, now, zone)
        except Exception as caught:
            error = caught
    job, reason = evaluated.job, type(error).__name__
    advice = f"Its state could not be worked out ({reason}): see the service's log, `python -m ops doctor`."
    return ReportLine(job.machine, job.name, AT_RISK, True, "unknown", "", "unknown", "unknown", advice)


def _line(
    evaluated: EvaluatedJob, broken: frozenset[tuple[str, str]], now: datetime, zone: tzinfo
) -> ReportLine:
    freshness, job = evaluated.freshness, evaluated.job
    newest = freshness.newest_complete_at
    progress = freshness.progress
    at_risk = (job.machine, job.name) in broken and freshness.state not in NEEDS_ATTENTION
    return ReportLine(
        machine=job.machine,
        job=job.name,
        label=AT_RISK if at_risk else freshness.state.value,
        needs_attention=at_risk or freshness.state in NEEDS_ATTENTION,
        age=format_age(now - newest) if newest else "never",
        newest=format_moment(newest, zone) if newest else "",
        stored=_stored(freshness),
        last_run=_last_run(job, now),
        advice=_advice(evaluated, at_risk),
        progress=format_progress(freshness),
        progress_percent=progress.percent if progress else None,
        drill=_drill(job, now) if newest else "",
    )


def _advice(evaluated: EvaluatedJob, at_risk: bool) -> str:
    if at_risk:
        return "It may not come back whole: see “What is wrong”."
    freshness = evaluated.freshness
    if freshness.state is State.NEVER and evaluated.job.last_run is None and not freshness.stored_bytes:
        return _NOT_BEGUN
    if freshness.state is State.OVERDUE and freshness.newest_complete_at is None:
        return _NEVER_CAME
    return _MEANING[freshness.state]


def format_progress(freshness: Freshness) -> str:
    progress = freshness.progress
    if progress is None:
        return ""
    if progress.percent is None:
        return f"{format_bytes(progress.stored_bytes)} are there"
    if progress.time_left is None:
        return f"{progress.percent} %"
    return f"{progress.percent} %, {format_time_left(progress.time_left)}"


def _stored(freshness: Freshness) -> str:
    size = format_bytes(freshness.stored_bytes)
    if not freshness.chain_length:
        return f"{size} so far"
    return f"{size}, chain of {count(freshness.chain_length, 'set')}"


def _last_run(job: Job, now: datetime) -> str:
    run = job.last_run
    if run is None:
        return "none"
    if run.ended_at is None or run.exit_code is None:
        return f"{run.kind}, started {format_age(now - run.started_at)} ago"
    outcome = "done" if run.exit_code == 0 else f"failed (exit {run.exit_code})"
    return f"{run.kind}, {outcome} {format_age(now - run.ended_at)} ago"


def _drill(job: Job, now: datetime) -> str:
    """How the newest drill went that has ended."""
    drill = job.last_drill
    if drill is not None and drill.failed_at is not None:
        return f"failed {format_age(now - drill.failed_at)} ago"
    if drill is not None and drill.passed_at is not None:
        files = count(drill.passed_files, "file")
        return f"{files} restored and proved {format_age(now - drill.passed_at)} ago"
    if not job.drill_every_seconds:
        return ""
    waits = drill is not None and drill.outcome is DrillOutcome.ASKED
    return "the first one waits for archived files" if waits else "none yet"
