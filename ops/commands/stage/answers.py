"""What the owner chooses for a stage: read from flags, known from before, or asked."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import click

from chalicelib.domain.backups.names import is_identifier
from chalicelib.domain.weekly import Weekday
from ops.aws import Aws
from ops.commands.arguments.options import Read
from ops.commands.stage.target import asked, stage_without_answers
from ops.deploy.access import AwsCaller
from ops.errors import OpsError
from ops.resources.webhook_subscription import read_webhook
from ops.stages import Stage, Webhook

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Answers:
    """What was given by flags; None for what was not."""

    mail: tuple[str, ...] | None
    sender: str | None
    budget: str | None
    time_zone: str | None
    mail_day: str | None
    mail_hour: int | None
    lock_days: int | None
    lock_mode: str | None
    alert_webhook: Webhook | None
    job_metrics: bool | None


def stage_from_answers(
    name: str, aws: Aws, who: AwsCaller, before: Stage | None, given: Answers, ask: bool
) -> Stage:
    """The stage's settings: a flag first, then what was chosen before, then what the owner answers."""
    mail = _answer(
        "--mail",
        given.mail,
        before.recipients if before else None,
        read_addresses,
        "Your mail address, for the weekly mail and alarms" if ask else None,
    )
    budget = _answer(
        "--budget",
        given.budget,
        before.monthly_budget if before else None,
        read_budget,
        "What it may cost a month, in USD (none: no budget)" if ask else None,
    )
    time_zone = _answer(
        "--time-zone",
        given.time_zone,
        before.time_zone if before else None,
        read_time_zone,
        "Your time zone, such as Europe/Berlin" if ask else None,
    )
    stage = before or stage_without_answers(name, aws, who)
    webhook = stage.webhook if given.alert_webhook is None else given.alert_webhook
    check_webhook(stage, webhook)
    return dataclasses.replace(
        stage,
        sender=given.sender or stage.sender or mail[0],
        recipients=mail,
        time_zone=time_zone,
        monthly_budget=budget,
        report_weekday=given.mail_day or stage.report_weekday,
        report_hour=stage.report_hour if given.mail_hour is None else given.mail_hour,
        lock_days=stage.lock_days if given.lock_days is None else given.lock_days,
        lock_mode=given.lock_mode.upper() if given.lock_mode else stage.lock_mode,
        webhook=webhook,
        job_metrics=stage.job_metrics if given.job_metrics is None else given.job_metrics,
    )


def check_webhook(stage: Stage, webhook: Webhook) -> None:
    if urlsplit(webhook.url).scheme == "http" and not stage.on_local_stack:
        raise OpsError(
            "A webhook's URL begins with https://: anybody on the way could read what http:// carries."
        )


def _answer(
    flag: str, given: T | None, before: T | None, read: Callable[[str], T], question: str | None
) -> T:
    """``question`` is None where nobody is to be asked."""
    known = given if given is not None else before
    if known is not None:
        return known
    if question is None:
        raise OpsError(f"{flag} is needed where nothing is asked.")
    return asked(question, read)


def check_lock(before: Stage | None, lock_days: int | None, lock_mode: str | None) -> None:
    days = before.lock_days if before else 0
    if lock_mode is not None and not (days or lock_days):
        raise OpsError("--lock-mode needs a lock: set its days with --lock-days.")
    if before is None or not days:
        return
    if lock_days == 0:
        raise OpsError("Object Lock cannot be switched off again; the days of new objects can be changed.")
    if before.lock_mode == "COMPLIANCE" and lock_mode == "governance":
        raise OpsError("A lock in compliance mode cannot be weakened: leave --lock-mode as it is.")


ADDRESS = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")


SERVICE_ADDRESSES = 5
"""More recipients of a household's mail than this are a mistake."""


def read_addresses(text: str) -> tuple[str, ...]:
    """``"ada@example.org, grace@example.org"``; raises ``ValueError`` with a sentence."""
    addresses = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    wrong = [address for address in addresses if not ADDRESS.fullmatch(address)]
    if wrong or not addresses:
        raise ValueError(f"{wrong[0] if wrong else 'nothing'!r} is no mail address")
    if len(addresses) > SERVICE_ADDRESSES:
        raise ValueError(f"{SERVICE_ADDRESSES} addresses at most")
    return addresses


def read_address(text: str) -> str:
    """One of them; raises ``ValueError`` with a sentence."""
    [address, *more] = read_addresses(text)
    if more:
        raise ValueError("mail comes from one address")
    return address


def read_machine_name(text: str) -> str:
    """Raises ``ValueError`` with a sentence."""
    if not is_identifier(text):
        raise ValueError(f"{text!r} cannot be a machine's name: up to 41 of a-z, 0-9 and -, not - first")
    return text


def read_time_zone(text: str) -> str:
    """A name of the IANA time zones, ``Europe/Berlin``; raises ``ValueError`` with a sentence."""
    if text not in available_timezones():
        raise ValueError(f"{text!r} is no time zone; Europe/Berlin or America/New_York are two")
    return text


def read_budget(text: str) -> str:
    """USD a month as decimal text, empty for none; raises ``ValueError`` with a sentence."""
    cleaned = text.strip().removeprefix("$").strip()
    if cleaned.lower() in ("", "none"):
        return ""
    try:
        amount = Decimal(cleaned)
    except InvalidOperation:
        amount = Decimal(-1)
    if not (amount.is_finite() and 0 < amount < 1_000_000):
        raise ValueError(f"{text!r} is no amount of USD, such as 5 or 12.50; `none` for no budget")
    return f"{amount:f}"


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that set what the stage remembers: the fields of ``Answers``."""
    for option in reversed(SETTINGS):
        command = option(command)
    return command


SETTINGS = (
    click.option(
        "--mail",
        type=Read("addresses", read_addresses),
        metavar="ADDRESS[,ADDRESS]",
        help="Recipients of the weekly mail; the first also gets the alarms.",
    ),
    click.option(
        "--sender",
        type=Read("address", read_address),
        metavar="ADDRESS",
        help="The sender of all mail.  [default: the first of --mail]",
    ),
    click.option(
        "--budget",
        type=Read("amount", read_budget),
        metavar="USD",
        help="What it may cost a month; `none` for no budget.",
    ),
    click.option(
        "--time-zone",
        type=Read("time zone", read_time_zone),
        metavar="ZONE",
        help="Your time zone, such as Europe/Berlin.",
    ),
    click.option(
        "--mail-day",
        type=click.Choice([day.name.lower() for day in Weekday]),
        help="The day of the weekly mail.  [default: monday]",
    ),
    click.option(
        "--mail-hour",
        type=click.IntRange(0, 23),
        help="The hour of the weekly mail, in your time zone.  [default: 7]",
    ),
    click.option(
        "--lock-days",
        type=click.IntRange(0, 3650),
        help="Object Lock: for this many days S3 lets nobody delete what was stored.  [default: no lock]",
    ),
    click.option(
        "--lock-mode",
        type=click.Choice(["governance", "compliance"]),
        help="With --lock-days: whether a special right can end the lock.  [default: governance]",
    ),
    click.option(
        "--alert-webhook",
        type=Read("URL", read_webhook),
        metavar="URL",
        help="An https:// URL that gets each alert as JSON, by SNS; `none` ends it. The URL is kept by SNS alone.",
    ),
    click.option(
        "--job-metrics/--no-job-metrics",
        default=None,
        help="The age of each job's newest backup as a metric in CloudWatch, at $0.30 a job and month.  [default: no]",
    ),
)
