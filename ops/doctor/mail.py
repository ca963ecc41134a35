"""Whether mail can be sent, and whether it was."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.owner_wire import ReportStatus, moment_of
from ops.doctor.mail_refusals import refusals
from ops.doctor.patient import Patient, admin
from ops.resources.mail_identities import unverified_addresses

MAIL_OVERDUE = timedelta(days=8)
"""A week, and a day in which a refused mail is tried again."""


def mail(patient: Patient) -> list[str]:
    ses, stage = patient.aws.client("sesv2"), patient.stage
    account = ses.get_account()
    # Out of the sandbox SES asks for nobody's consent but the sender's.
    needed = [stage.sender] if account["ProductionAccessEnabled"] else [stage.sender, *stage.recipients]
    wrong = [
        f"{address} is not confirmed: follow the link in the mail from Amazon Web Services (a day old at most;"
        f" `aws sesv2 delete-email-identity --email-identity {address}` and a deploy send another)"
        for address in unverified_addresses(ses, list(dict.fromkeys(needed)))
    ]
    if not account["SendingEnabled"]:
        wrong.append("SES has stopped this account's mail: its page in the AWS console says why")
    client = admin(patient.aws, stage)
    status = client.ask(ReportStatus, "report_status")
    overdue = _overdue(status.last_sent_at, patient.now) if client.machines() else []
    return wrong + refusals(ses, status, stage) + overdue


def _overdue(last_sent_at: str | None, now: datetime) -> list[str]:
    if last_sent_at is None:
        return []
    sent_at = moment_of(last_sent_at)
    if now - sent_at < MAIL_OVERDUE:
        return []
    return [f"the newest weekly mail went out on {sent_at:%Y-%m-%d}: Failures or Schedules here say why"]
