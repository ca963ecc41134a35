"""The line of the weekly mail about one job, or about a family of photo jobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
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
from chalicelib.domain.photos.summary import FamilySummary, looked_at, summarize_family
from chalicelib.wire import DrillOutcome

_NOT_BEGUN = "No backup has begun. Enrol the machine, and start `panicroom backup` there."

_NEVER_CAME = (
    "No backup has come since it was added. Enrol the machine and start `panicroom backup` there, or remove"
    " the machine."
)

_NO_FOLDER = (
    "None of the pictures has been backed up. Enrol the machine and start `panicroom backup` there, or remove the"
    " machine."
)

_DROPPING = "Being removed with all that it stored: `machine drop` goes on until nothing is left."

FOLDERS_NAMED = 3

_MEANING = {
    State.OVERDUE: "No backup within its period and grace. Start one, or find out why none runs.",
    State.FAILING: "The last run failed. The machine's log has the reason.",
    State.NEVER: "The first backup is not finished, so nothing can be restored yet.",
    State.DUE: "A new backup is due.",
    State.PAUSED: "Paused by you.",
    State.SETTLED: "",
    State.FRESH: "",
}


def lines_shown(
    evaluated: Sequence[EvaluatedJob], lines: Sequence[ReportLine], now: datetime
) -> list[ReportLine]:
    """A line a job, but one for all jobs of a family, where the worst of them stood. ``lines`` are those of
    ``evaluated``, the worst first."""
    together: dict[tuple[str, str | None, str], list[tuple[EvaluatedJob, ReportLine]]] = {}
    for one, line in zip(evaluated, lines, strict=True):
        group = one.job.machine, one.job.family, "" if one.job.family else one.job.name
        together.setdefault(group, []).append((one, line))
    return [_family_line(family, of, now) if family else of[0][1] for (_, family, _), of in together.items()]


def _family_line(family: str, of: Sequence[tuple[EvaluatedJob, ReportLine]], now: datetime) -> ReportLine:
    """Its worst job's, with what all of them come to."""
    worst = min((line for _, line in of), key=lambda line: (not line.needs_attention, line.label != AT_RISK))
    if worst.job == family:  # none of its folders has come
        return dataclasses.replace(worst, advice=_NO_FOLDER if worst.advice else "")
    summary = summarize_family(family, [(one.job, one.freshness) for one, _ in of])
    newest = next((line for one, line in of if _is_newest(one, summary)), worst)
    ran = max(of, key=lambda each: _began(each[0].job))[1]
    begun = next((line for _, line in of if line.progress), worst)
    drilled = sorted((line.drill for _, line in of if line.drill), key=_is_no_failure)
    return dataclasses.replace(
        worst,
        job=" ".join(filter(None, (family, summary.years))),
        age=newest.age,
        newest=newest.newest,
        stored=f"{format_bytes(summary.stored_bytes)} in {count(len(of), 'folder')}",
        last_run=ran.last_run,
        advice=_advice_about([line for _, line in of], worst),
        progress=f"{begun.job}, {begun.progress}" if begun.progress else "",
        progress_percent=begun.progress_percent,
        drill=drilled[0] if drilled else "",
        looked=_ago(summary.looked_at, now),
    )


def _is_newest(one: EvaluatedJob, summary: FamilySummary) -> bool:
    newest = summary.newest_complete_at
    return newest is not None and one.freshness.newest_complete_at == newest


def _began(job: Job) -> str:
    """To be compared."""
    return job.last_run.started_at.isoformat() if job.last_run else ""


def _is_no_failure(drill: str) -> bool:
    """What failed comes first."""
    return not drill.startswith("failed")


def _advice_about(lines: Sequence[ReportLine], worst: ReportLine) -> str:
    """Which folders it is about, where it is not about all."""
    named = [line.job for line in lines if line.label == worst.label]
    if not worst.advice or len(named) == len(lines):
        return worst.advice
    more = f" and {len(named) - FOLDERS_NAMED} more" if len(named) > FOLDERS_NAMED else ""
    return f"{', '.join(named[:FOLDERS_NAMED])}{more}: {worst.advice}"


def _ago(moment: datetime | None, now: datetime) -> str:
    return f"{format_age(now - moment)} ago" if moment else ""


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
        looked=_ago(looked_at(job, newest), now) if job.family else "",
    )


def _advice(evaluated: EvaluatedJob, at_risk: bool) -> str:
    if at_risk and evaluated.job.family:
        return "The pictures on the disk, or their backup, are not as they were: see “What is wrong”."
    if at_risk:
        return "It may not come back whole: see “What is wrong”."
    freshness = evaluated.freshness
    if freshness.state is State.NEVER and evaluated.job.last_run is None and not freshness.stored_bytes:
        return _NOT_BEGUN
    if freshness.state is State.OVERDUE and freshness.newest_complete_at is None:
        return _NEVER_CAME
    return _DROPPING if evaluated.job.is_dropping else _MEANING[freshness.state]


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
