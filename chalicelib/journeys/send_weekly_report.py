"""The weekly mail: judge every job, compose, send once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

from chalicelib.adapters.catalogue_store import CatalogueStore
from chalicelib.adapters.finding_store import FindingStore
from chalicelib.adapters.machine_store import MachineStore
from chalicelib.adapters.report_store import ReportStore
from chalicelib.adapters.ses_mailer import Mailer
from chalicelib.domain.freshness import judge
from chalicelib.domain.report import JudgedJob, Report, compose_report
from chalicelib.domain.weekly import WeeklyTime
from chalicelib.rendering import Mail, render

NOTICES_SHOWN = timedelta(days=8)
"""A day more than a week, so that nothing falls between two mails."""


@dataclasses.dataclass(frozen=True)
class ReportDesk:
    machines: MachineStore
    catalogue: CatalogueStore
    findings: FindingStore
    reports: ReportStore
    mailer: Mailer
    weekly_time: WeeklyTime
    recipients: Sequence[str]
    now: datetime


def write_report(desk: ReportDesk) -> Report:
    machines = {machine.name: machine for machine in desk.machines.machines()}
    judged = [
        JudgedJob(job, judge(machines[job.machine], job, desk.catalogue.visible_sets(job), desk.now))
        for job in desk.machines.jobs()
        if job.machine in machines
    ]
    return compose_report(
        judged,
        desk.findings.findings(),
        desk.machines.notices_since(desk.now - NOTICES_SHOWN),
        now=desk.now,
        next_issue=desk.weekly_time.next_issue(desk.now),
        zone=desk.weekly_time.zone,
    )


def send_if_due(desk: ReportDesk) -> str | None:
    """Sends the latest issue unless it went out; answers with SES's message id, or ``None``.

    A first mail waits for the first weekly hour after the first machine was added.
    """
    issue = desk.weekly_time.latest_issue(desk.now)
    added = [machine.created_at for machine in desk.machines.machines()]
    if not added or min(added) > issue or not desk.reports.claim(issue, desk.now):
        return None
    try:
        message_id = desk.mailer.send(render(write_report(desk)), desk.recipients)
    except Exception:
        desk.reports.release(issue)
        raise
    desk.reports.mark_sent(issue, message_id, desk.now)
    return message_id


def send_now(desk: ReportDesk, recipients: Sequence[str]) -> tuple[Mail, str]:
    """The owner asked for it; the weekly issue still comes."""
    mail = render(write_report(desk))
    return mail, desk.mailer.send(mail, recipients)
