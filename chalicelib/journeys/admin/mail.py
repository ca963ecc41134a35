"""The owner's commands about findings, alerts and the weekly mail."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from chalicelib.adapters.ses_mailer import MailRefused
from chalicelib.domain.audit.findings import worst_first
from chalicelib.domain.costs.figures import Figures, JobFigures, figures_by_machine
from chalicelib.fleet_wire import FleetWeeks, MachineWeeks, WeekRow
from chalicelib.journeys.admin.request import (
    AdminContext,
    Arguments,
    bad_request,
    read_time,
    time_or_none,
)
from chalicelib.journeys.audit_buckets import audit_buckets
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.journeys.send_alerts import AlertContext, deliver_alerts, preview_alerts
from chalicelib.journeys.send_weekly_report import preview, send_now
from chalicelib.owner_wire import (
    AlertPreview,
    AlertSent,
    AuditAnswer,
    FindingsAnswer,
    ReportSent,
    ReportStatus,
)
from chalicelib.rendering import Mail

MOST_FINDINGS = 2_000


def findings(context: AdminContext, _: Arguments) -> FindingsAnswer:
    """What is kept as wrong, as the last events and the last audit left it; the worst first."""
    found = worst_first(context.report.findings.findings())
    return FindingsAnswer(tuple(found[:MOST_FINDINGS]), len(found[MOST_FINDINGS:]))


def audit(context: AdminContext, _: Arguments) -> AuditAnswer:
    """Audits every bucket now; what is wrong, worst first."""
    found = audit_buckets(context.audit)
    found.sort(key=lambda finding: not finding.is_safety)  # stable: worst first within each
    left_off = found[MOST_FINDINGS:]
    by_code = Counter(finding.code for finding in left_off)
    return AuditAnswer(tuple(worst_first(found[:MOST_FINDINGS])), len(left_off), dict(by_code))


def alerts_preview(context: AdminContext, request: Arguments) -> AlertPreview:
    """The alert that would be mailed now, or ``at`` another time; nothing is sent."""
    return AlertPreview(preview_alerts(_alerts_at(context, request)))


def alerts_send(context: AdminContext, request: Arguments) -> AlertSent:
    """Sends what is due now, or what were due ``at`` another time; what was refused before is tried at once."""
    delivered = deliver_alerts(_alerts_at(context, request), rests=False)
    return AlertSent(
        delivered.message_id,
        delivered.publish_id is not None,
        _reason(delivered.mail_error),
        _reason(delivered.publish_error),
    )


def _reason(error: Exception | None) -> str | None:
    return None if error is None else str(error) or type(error).__name__


def _alerts_at(context: AdminContext, request: Arguments) -> AlertContext:
    at = request.get("at")
    return dataclasses.replace(context.alerts, now=read_time(at, "at")) if at else context.alerts


def report_preview(context: AdminContext, _: Arguments) -> Mail:
    return preview(context.report)


def report_status(context: AdminContext, _: Arguments) -> ReportStatus:
    """When the newest weekly mail reached anybody, and whom it could not reach, with SES's reasons."""
    reports = context.report.reports
    return ReportStatus(dict(reports.refused()), time_or_none(reports.last_sent_at()))


WEEKS_SHOWN = 53
"""A year, and the same week of the year before."""

WEEKS_OF_MACHINES = 13
"""A quarter: of 1,000 machines half a megabyte."""


def report_weeks(context: AdminContext, _: Arguments) -> FleetWeeks:
    """What the weekly mails of the last year said of everything, those of the last quarter of each machine."""
    reports = context.report.reports
    of_machines = [
        (issue, figures_by_machine(jobs)) for issue, jobs in reports.weeks_of_jobs(WEEKS_OF_MACHINES)
    ]
    names = sorted({name for _, machines in of_machines for name in machines})
    return FleetWeeks(
        tuple(map(_week, reports.stored_figures(WEEKS_SHOWN))),
        tuple(format_wire_time(issue) for issue, _ in of_machines),
        tuple(_machine_weeks(name, [machines.get(name) for _, machines in of_machines]) for name in names),
    )


def _week(figures: Figures) -> WeekRow:
    return WeekRow(
        format_wire_time(figures.written_at),
        figures.backups,
        figures.in_need,
        figures.stored_bytes,
        float(round(figures.monthly, 6)) if figures.monthly is not None else None,
    )


def _machine_weeks(name: str, weeks: Sequence[JobFigures | None]) -> MachineWeeks:
    return MachineWeeks(
        name,
        tuple(week.current_bytes + week.noncurrent_bytes if week else None for week in weeks),
        tuple(float(week.monthly) if week else None for week in weeks),
    )


def report_send(context: AdminContext, request: Arguments) -> ReportSent:
    recipients = list(request.get("to") or context.report.recipients)
    try:
        mail, message_id = send_now(context.report, recipients)
    except MailRefused as refusal:
        raise bad_request(
            f"SES refused the mail to {', '.join(recipients)}: {refusal} `python -m ops doctor` shows more."
        ) from refusal
    return ReportSent(tuple(recipients), mail.subject, message_id)
