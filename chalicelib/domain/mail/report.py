"""The content of the weekly mail; ``rendering`` gives it its form."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding, worst_first
from chalicelib.domain.audit.notices import Notice, added_together
from chalicelib.domain.backups.freshness import NEEDS_ATTENTION, WORST_FIRST, State
from chalicelib.domain.mail.cost_parts import CostSection
from chalicelib.domain.mail.job_line import line_or_failure, lines_shown
from chalicelib.domain.mail.phrases import (
    format_bytes,
    format_change,
    format_day,
    format_moment,
    in_zone,
)
from chalicelib.domain.mail.report_parts import (
    AT_RISK,
    EvaluatedJob,
    LastIssue,
    LettingGoSection,
    Report,
    ReportLine,
    ReportNotice,
    StateCount,
    ThawSection,
    Tone,
)
from chalicelib.domain.mail.report_tables import attached_tables
from chalicelib.domain.mail.shortened import (
    NOTICES_SHOWN,
    chosen_findings,
    how_many_more,
    more_findings,
    more_others,
    more_problems,
    some_others,
    some_problems,
)


def compose_report(
    evaluated: Sequence[EvaluatedJob],
    findings: Sequence[Finding],
    notices: Sequence[Notice],
    *,
    now: datetime,
    next_issue: datetime,
    zone: tzinfo,
    stored_bytes: int | None = None,
    thaws: ThawSection | None = None,
    letting_go: LettingGoSection | None = None,
    costs: CostSection | None = None,
    monthly: Mapping[str, Decimal] | None = None,
    last: LastIssue | None = None,
) -> Report:
    """``stored_bytes`` counts older versions too; ``monthly`` is what each ``machine/job`` costs, for the table.
    What is let go, or waits for a look at it, does not colour the mail: not looking costs money only."""
    ordered = sorted(evaluated, key=_order)
    broken = broken_jobs(findings)
    of_each = [line_or_failure(job, broken, now, zone) for job in ordered]
    lines = lines_shown(ordered, of_each, now)
    size = sum(job.freshness.stored_bytes for job in evaluated) if stored_bytes is None else stored_bytes
    sorted_findings = worst_first(
        dataclasses.replace(finding, message=in_zone(finding.message, zone)) for finding in findings
    )
    shown_notices = [_notice(notice, zone) for notice, _ in added_together(notices)]
    shown_findings = chosen_findings(sorted_findings)
    report = Report(
        headline=_headline(lines),
        tone=_tone(lines, findings, bool(notices or (thaws and thaws.waiting)), costs),
        states=_state_counts([line.label for line in lines]),
        problems=some_problems(lines),
        more_problems=more_problems(lines),
        others=some_others(lines),
        more_others=more_others(lines),
        findings=shown_findings,
        more_findings=more_findings(sorted_findings, shown_findings),
        notices=tuple(shown_notices[:NOTICES_SHOWN]),
        more_notices=how_many_more(shown_notices, NOTICES_SHOWN, "more"),
        stored=format_bytes(size),
        since_last=_since_last(size, last, zone),
        thaws=thaws,
        letting_go=letting_go,
        costs=costs,
        written_at=format_moment(now, zone),
        next_issue=format_moment(next_issue, zone),
    )
    tables = attached_tables(
        report, ordered, of_each, sorted_findings, shown_notices, monthly or {}, now, zone
    )
    return dataclasses.replace(report, attachments=tables)


def _order(evaluated: EvaluatedJob) -> tuple[int, str, str]:
    return WORST_FIRST.index(evaluated.freshness.state), evaluated.job.machine, evaluated.job.name


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
    something_happened: bool,
    costs: CostSection | None,
) -> Tone:
    if any(line.needs_attention for line in lines) or any(
        finding.severity is Severity.CRITICAL for finding in findings
    ):
        return Tone.BAD
    waiting = not lines or any(line.label == State.NEVER.value for line in lines)
    return (
        Tone.LOOK if waiting or findings or something_happened or (costs and costs.over_budget) else Tone.WELL
    )


def _headline(lines: Sequence[ReportLine]) -> str:
    """A family of photo jobs counts as one backup, as it is shown."""
    total, in_need = len(lines), sum(line.needs_attention for line in lines)
    if not total:
        return "No backups are set up yet"
    if in_need:
        if total == 1:
            return "Your backup needs you"
        return f"{in_need:,} of {total:,} backups {'needs' if in_need == 1 else 'need'} you"
    waiting = sum(line.label == State.NEVER.value for line in lines)
    if waiting and total == 1:
        if lines[0].progress_percent is not None:
            return f"Your first backup is at {lines[0].progress}"
        return "Your first backup is not complete yet"
    if waiting:
        return f"{waiting:,} of {total:,} backups {'is' if waiting == 1 else 'are'} not complete yet"
    few = {1: "Your backup is well", 2: "Both backups are well"}
    return few.get(total, f"All {total:,} backups are well")


def _state_counts(labels: Sequence[str]) -> tuple[StateCount, ...]:
    counts = Counter(labels)
    order = [AT_RISK, *(state.value for state in WORST_FIRST)]
    percents = {label: max(1, number * 100 // len(labels)) for label, number in counts.items()}
    if percents:
        largest = max(percents, key=lambda label: percents[label])
        percents[largest] += 100 - sum(percents.values())
    return tuple(StateCount(label, counts[label], percents[label]) for label in order if label in counts)


def _since_last(size: int, last: LastIssue | None, zone: tzinfo) -> str:
    if last is None:
        return ""
    change = f"{format_change(size - last.stored_bytes)} since {format_day(last.written_at, zone)}"
    if not last.removed_bytes:
        return change
    return f"{change}, {format_bytes(last.removed_bytes)} of old backups removed"


def _notice(notice: Notice, zone: tzinfo) -> ReportNotice:
    about = "/".join(filter(None, (notice.machine, notice.job))) or "panicroom"
    return ReportNotice(format_moment(notice.at, zone), about, in_zone(notice.message, zone))
