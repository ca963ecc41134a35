"""The owner's commands about findings, alerts and the weekly mail."""

from __future__ import annotations

import dataclasses

from chalicelib.adapters.ses_mailer import MailRefused
from chalicelib.journeys.admin.request import (
    AdminDesk,
    Answer,
    Arguments,
    bad_request,
    read_time,
    time_or_none,
)
from chalicelib.journeys.audit_buckets import audit_buckets
from chalicelib.journeys.send_alerts import AlertDesk, preview_alerts, send_alerts
from chalicelib.journeys.send_weekly_report import preview, send_now

MOST_FINDINGS = 2_000


def findings(desk: AdminDesk, _: Arguments) -> Answer:
    """What is kept as wrong, as the last events and the last audit left it."""
    return {"findings": [dataclasses.asdict(finding) for finding in desk.report.findings.findings()]}


def audit(desk: AdminDesk, _: Arguments) -> Answer:
    """Audits every bucket now; what is wrong, worst first."""
    found = [dataclasses.asdict(finding) for finding in audit_buckets(desk.audit)]
    return {"findings": found[:MOST_FINDINGS], "left_off": max(0, len(found) - MOST_FINDINGS)}


def alerts_preview(desk: AdminDesk, request: Arguments) -> Answer:
    """The alert that would be mailed now, or ``at`` another time; nothing is sent."""
    mail = preview_alerts(_alerts_at(desk, request))
    return {"mail": dataclasses.asdict(mail) if mail else None}


def alerts_send(desk: AdminDesk, request: Arguments) -> Answer:
    """Sends what is due now, as the schedule would within a minute, or what were due ``at`` another time."""
    return {"message_id": send_alerts(_alerts_at(desk, request))}


def _alerts_at(desk: AdminDesk, request: Arguments) -> AlertDesk:
    at = request.get("at")
    return dataclasses.replace(desk.alerts, now=read_time(at, "at")) if at else desk.alerts


def report_preview(desk: AdminDesk, _: Arguments) -> Answer:
    return dataclasses.asdict(preview(desk.report))


def report_status(desk: AdminDesk, _: Arguments) -> Answer:
    """When the newest weekly mail reached anybody, and whom it could not reach, with SES's reasons."""
    reports = desk.report.reports
    return {"last_sent_at": time_or_none(reports.last_sent_at()), "refused": reports.refused()}


def report_send(desk: AdminDesk, request: Arguments) -> Answer:
    recipients = list(request.get("to") or desk.report.recipients)
    try:
        mail, message_id = send_now(desk.report, recipients)
    except MailRefused as refusal:
        raise bad_request(
            f"SES refused the mail to {', '.join(recipients)}: {refusal} `python -m ops doctor` says more."
        ) from refusal
    return {"sent_to": recipients, "subject": mail.subject, "message_id": message_id}
