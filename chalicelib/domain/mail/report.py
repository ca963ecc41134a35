"""The content of the weekly mail; ``rendering`` gives it its form."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from enum import Enum

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding, worst_first
from chalicelib.domain.audit.notices import Notice
from chalicelib.domain.backups.freshness import NEEDS_ATTENTION, Freshness, State
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.mail.cost_section import CostSection
from chalicelib.domain.mail.phrases import (
    count,
    format_age,
    format_bytes,
    format_change,
    format_day,
    format_moment,
    format_time_left,
)
from chalicelib.domain.shown import shown_cell

PROBLEMS_SHOWN = 20
OTHERS_SHOWN = 30
FINDINGS_SHOWN = 12
NOTICES_SHOWN = 12
"""Gmail cuts a mail at 102 KB: what is beyond these is in the attached tables."""

_ORDER = [State.OVERDUE, State.FAILING, State.NEVER, State.DUE, State.PAUSED, State.FRESH]

AT_RISK = "at risk"
"""Shown instead of the state of a job that is in time, but of which a critical finding is open."""

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


@dataclasses.dataclass(frozen=True)
class ReportLine:
    """One job; ``label`` is its state, or ``AT_RISK``; ``advice`` is empty where nothing needs to be done.

    ``progress`` is there, and ``progress_percent`` where it is known, while a first backup is on its way.
    """

    machine: str
    job: str
    label: str
    needs_attention: bool
    age: str
    newest: str
    stored: str
    last_run: str
    advice: str
    progress: str = ""
    progress_percent: int | None = None


class Tone(str, Enum):
    """The colour at the top of the mail."""

    WELL = "well"
    LOOK = "look"
    BAD = "bad"


@dataclasses.dataclass(frozen=True)
class StateCount:
    """``percent`` is the share of all backups, for a bar; the shares add up to 100."""

    label: str
    count: int
    percent: int


@dataclasses.dataclass(frozen=True)
class ReportNotice:
    at: str
    about: str
    message: str


@dataclasses.dataclass(frozen=True)
class Attachment:
    """A table beside the mail; the text is CSV."""

    name: str
    text: str


@dataclasses.dataclass(frozen=True)
class Report:
    """Texts ready to be shown, in the owner's time zone; problems come first.

    The ``more_`` texts count what is left out here and is in the attached tables; empty where nothing is.
    """

    subject: str
    headline: str
    tone: Tone
    states: tuple[StateCount, ...]
    problems: tuple[ReportLine, ...]
    more_problems: str
    others: tuple[ReportLine, ...]
    more_others: str
    findings: tuple[Finding, ...]
    more_findings: str
    notices: tuple[ReportNotice, ...]
    more_notices: str
    stored: str
    since_last: str
    costs: CostSection | None
    written_at: str
    next_issue: str
    attachments: tuple[Attachment, ...]


@dataclasses.dataclass(frozen=True)
class EvaluatedJob:
    """``error`` is why the job could not be evaluated."""

    job: Job
    freshness: Freshness
    error: Exception | None = None


def failed_job(job: Job, error: Exception) -> EvaluatedJob:
    """A job that cannot be evaluated is one line that says so, not the end of everybody's mail."""
    return EvaluatedJob(job, Freshness(State.FAILING, None, 0, 0), error)


@dataclasses.dataclass(frozen=True)
class LastIssue:
    """What was stored at the last mail."""

    written_at: datetime
    stored_bytes: int


def compose_report(
    evaluated: Sequence[EvaluatedJob],
    findings: Sequence[Finding],
    notices: Sequence[Notice],
    *,
    now: datetime,
    next_issue: datetime,
    zone: tzinfo,
    stored_bytes: int | None = None,
    costs: CostSection | None = None,
    monthly: Mapping[str, Decimal] | None = None,
    last: LastIssue | None = None,
) -> Report:
    """``stored_bytes`` counts older versions too; ``monthly`` is what each ``machine/job`` costs, for the table."""
    ordered = sorted(
        evaluated,
        key=lambda evaluated_job: (
            _ORDER.index(evaluated_job.freshness.state),
            evaluated_job.job.machine,
            evaluated_job.job.name,
        ),
    )
    broken = broken_jobs(findings)
    lines = [_line_or_failure(evaluated_job, broken, now, zone) for evaluated_job in ordered]
    problems = [line for line in lines if line.needs_attention]
    others = [line for line in lines if not line.needs_attention]
    size = (
        sum(evaluated_job.freshness.stored_bytes for evaluated_job in evaluated)
        if stored_bytes is None
        else stored_bytes
    )
    stored = format_bytes(size)
    headline = _headline(ordered, len(problems))
    sorted_findings = worst_first(findings)
    shown_notices = [_notice(notice, zone) for notice in notices]
    report = Report(
        subject=f"{headline} - {stored}{f', {costs.this_month} this month' if costs else ''}",
        headline=headline,
        tone=_tone(lines, findings, notices, costs),
        states=_state_counts([line.label for line in lines]),
        problems=_some_of_each(problems),
        more_problems=_more(problems, len(_some_of_each(problems)), "more that need you"),
        others=tuple(others[:OTHERS_SHOWN]) if len(others) <= OTHERS_SHOWN else (),
        more_others=_more_others(others),
        findings=(chosen := _chosen(sorted_findings)),
        more_findings=_more_findings(sorted_findings, chosen),
        notices=tuple(shown_notices[:NOTICES_SHOWN]),
        more_notices=_more(shown_notices, NOTICES_SHOWN, "more"),
        stored=stored,
        since_last=_since_last(size, last, zone),
        costs=costs,
        written_at=format_moment(now, zone),
        next_issue=format_moment(next_issue, zone),
        attachments=(),
    )
    tables = _tables(report, ordered, lines, sorted_findings, shown_notices, monthly or {}, now, zone)
    return dataclasses.replace(report, attachments=tables)


def broken_jobs(findings: Sequence[Finding]) -> frozenset[tuple[str, str]]:
    """The ``(machine, job)`` whose backups cannot be relied upon, whatever their age."""
    return frozenset(
        (finding.machine, finding.job) for finding in findings if finding.severity is Severity.CRITICAL
    )


def needs_owner(evaluated: EvaluatedJob, broken: frozenset[tuple[str, str]]) -> bool:
    job = evaluated.job
    return evaluated.freshness.state in NEEDS_ATTENTION or (job.machine, job.name) in broken


def _tone(
    lines: Sequence[ReportLine],
    findings: Sequence[Finding],
    notices: Sequence[Notice],
    costs: CostSection | None,
) -> Tone:
    if any(line.needs_attention for line in lines) or any(
        finding.severity is Severity.CRITICAL for finding in findings
    ):
        return Tone.BAD
    waiting = not lines or any(line.label == State.NEVER.value for line in lines)
    return Tone.LOOK if waiting or findings or notices or (costs and costs.over_budget) else Tone.WELL


def _headline(evaluated: Sequence[EvaluatedJob], in_need: int) -> str:
    total = len(evaluated)
    if not total:
        return "No backups are set up yet"
    if in_need:
        if total == 1:
            return "Your backup needs you"
        return f"{in_need:,} of {total:,} backups {'needs' if in_need == 1 else 'need'} you"
    waiting = sum(evaluated_job.freshness.state is State.NEVER for evaluated_job in evaluated)
    if waiting and total == 1:
        progress = evaluated[0].freshness.progress
        if progress is not None and progress.percent is not None:
            return f"Your first backup is at {_progress(evaluated[0].freshness)}"
        return "Your first backup is not complete yet"
    if waiting:
        return f"{waiting:,} of {total:,} backups {'is' if waiting == 1 else 'are'} not complete yet"
    return "Your backup is well" if total == 1 else f"All {total:,} backups are well"


def _state_counts(labels: Sequence[str]) -> tuple[StateCount, ...]:
    counts = Counter(labels)
    order = [AT_RISK, *(state.value for state in _ORDER)]
    percents = {label: max(1, number * 100 // len(labels)) for label, number in counts.items()}
    if percents:
        largest = max(percents, key=lambda label: percents[label])
        percents[largest] += 100 - sum(percents.values())
    return tuple(StateCount(label, counts[label], percents[label]) for label in order if label in counts)


def _some_of_each(problems: Sequence[ReportLine]) -> tuple[ReportLine, ...]:
    """The first ones; where there are too many, the first of each kind, so that none hides another."""
    kinds = list(dict.fromkeys(line.label for line in problems))
    if len(problems) <= PROBLEMS_SHOWN:
        return tuple(problems)
    places = dict.fromkeys(kinds, PROBLEMS_SHOWN // len(kinds))
    shown = []
    for line in problems:
        if places[line.label]:
            places[line.label] -= 1
            shown.append(line)
    return tuple(shown)


def _chosen(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Every safety finding, then one of each code, then others, worst first: a hundred of one code hide no other."""
    by_code = Counter[str]()
    ranks = []
    for finding in findings:
        by_code[finding.code] += 1
        ranks.append((not finding.is_safety, by_code[finding.code] > 1))
    order = sorted(range(len(findings)), key=lambda index: (ranks[index], index))
    number = max(FINDINGS_SHOWN, sum(finding.is_safety for finding in findings))
    return tuple(findings[index] for index in sorted(order[:number]))


def _more_findings(findings: Sequence[Finding], chosen: Sequence[Finding]) -> str:
    left_off = Counter(finding.code for finding in findings) - Counter(finding.code for finding in chosen)
    if not left_off:
        return ""
    named = ", ".join(f"{code} {number:,}" for code, number in left_off.most_common())
    return f"{left_off.total():,} more findings ({named}): see the attached table."


def _more(items: Sequence[object], shown: int, what: str) -> str:
    left_out = len(items) - shown
    return f"{left_out:,} {what}: see the attached table." if left_out > 0 else ""


def _more_others(others: Sequence[ReportLine]) -> str:
    if len(others) <= OTHERS_SHOWN:
        return ""
    return f"{len(others):,} other backups are in the attached table."


def _since_last(size: int, last: LastIssue | None, zone: tzinfo) -> str:
    if last is None:
        return ""
    return f"{format_change(size - last.stored_bytes)} since {format_day(last.written_at, zone)}"


def _line_or_failure(
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
        progress=_progress(freshness),
        progress_percent=progress.percent if progress else None,
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


def _progress(freshness: Freshness) -> str:
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


def _notice(notice: Notice, zone: tzinfo) -> ReportNotice:
    about = "/".join(filter(None, (notice.machine, notice.job))) or "panicroom"
    return ReportNotice(format_moment(notice.at, zone), about, notice.message)


# ---------------------------------------------------------------- the attached tables


def _tables(
    report: Report,
    evaluated: Sequence[EvaluatedJob],
    lines: Sequence[ReportLine],
    findings: Sequence[Finding],
    notices: Sequence[ReportNotice],
    monthly: Mapping[str, Decimal],
    now: datetime,
    zone: tzinfo,
) -> tuple[Attachment, ...]:
    """Only where something was left out of the mail."""
    day = f"{now.astimezone(zone):%Y-%m-%d}"
    tables = []
    if report.more_problems or report.more_others or (report.costs and report.costs.more_machines):
        rows = [
            _row(evaluated_job, line, monthly) for evaluated_job, line in zip(evaluated, lines, strict=True)
        ]
        tables.append(Attachment(f"backups-{day}.csv", _csv(_BACKUP_COLUMNS, rows)))
    if report.more_findings:
        wrong = [
            [finding.severity.value, finding.machine, finding.job, finding.message, finding.advice]
            for finding in findings
        ]
        columns = ["severity", "machine", "job", "what is wrong", "what to do"]
        tables.append(Attachment(f"findings-{day}.csv", _csv(columns, wrong)))
    if report.more_notices:
        rows = [[notice.at, notice.about, notice.message] for notice in notices]
        tables.append(Attachment(f"notices-{day}.csv", _csv(["when", "backup", "what happened"], rows)))
    return tuple(tables)


_BACKUP_COLUMNS = [
    "machine",
    "job",
    "state",
    "newest complete backup",
    "age",
    "sets in its chain",
    "stored bytes",
    "USD a month",
    "last run",
    "what to do",
]


def _row(evaluated: EvaluatedJob, line: ReportLine, monthly: Mapping[str, Decimal]) -> list[str]:
    cost = monthly.get(f"{line.machine}/{line.job}")
    return [
        line.machine,
        line.job,
        line.label,
        line.newest,
        line.age,
        str(evaluated.freshness.chain_length),
        str(evaluated.freshness.stored_bytes),
        f"{cost:.4f}" if cost is not None else "",
        line.last_run,
        line.advice,
    ]


def _csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([shown_cell(cell) for cell in row] for row in rows)
    return text.getvalue()
