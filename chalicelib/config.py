"""Settings of the deployed functions, from their environment, checked once."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from chalicelib.domain.weekly import Weekday, WeeklyTime

NEWEST_CLIENT_VERSION = "0.2.0"
OLDEST_CLIENT_VERSION = "0.1.0"
"""The release before: one version apart they work together (tests/upgrades), and an older client backs up no more."""

OLDEST_CLIENT_THAT_SIGNS = "0.2.0"
"""Where a job has had a proof of origin, an older client would upload a whole set and then be refused its manifest."""

LOCAL_STAGE = "local"
"""What the local stack's stage is called; `ops deploy` refuses the name."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the service lives, as a recovery sheet names it. ``account`` is the AWS account's number."""

    region: str
    stage: str
    account: str


@dataclasses.dataclass(frozen=True)
class ServiceConfig:
    """Where the service stores its data, and when and to whom it sends mail."""

    stage: str
    region: str
    bucket: str
    table: str
    queue_arn: str
    dead_letter_queue: str
    sender: str
    recipients: tuple[str, ...]
    weekly_time: WeeklyTime
    discard_function: str
    thaw_function: str
    let_go_function: str
    has_job_metrics: bool = False
    """Whether each job has a metric of its own, which costs $0.30 a month."""
    monthly_budget: Decimal | None = None
    """USD a month; a forecast over it is reported, and stops nothing."""

    @property
    def alerts_topic_arn(self) -> str:
        """In the account and region of the queue, as ``ops/stages.py`` calls it."""
        return f"arn:aws:sns:{self.region}:{self.place.account}:panicroom-{self.stage}-alerts"

    @property
    def place(self) -> Place:
        """The queue is in the service's own account, and its name has the number."""
        return Place(self.region, self.stage, self.queue_arn.split(":")[4])


def read_settings(environment: Mapping[str, str] = os.environ) -> ServiceConfig:
    """Raises ``KeyError`` or ``ValueError`` naming the variable; ``ops doctor`` and the logs show it."""
    clock_ahead(environment)
    recipients = tuple(
        part.strip() for part in environment["PANICROOM_RECIPIENTS"].split(",") if part.strip()
    )
    return ServiceConfig(
        stage=environment["PANICROOM_STAGE"],
        region=environment["AWS_REGION"],
        bucket=environment["PANICROOM_BUCKET"],
        table=environment["PANICROOM_TABLE"],
        queue_arn=environment["PANICROOM_QUEUE_ARN"],
        dead_letter_queue=environment["PANICROOM_DEAD_LETTER_QUEUE"],
        sender=environment["PANICROOM_SENDER"],
        recipients=recipients,
        weekly_time=WeeklyTime(
            weekday=Weekday[environment["PANICROOM_REPORT_WEEKDAY"].upper()],
            hour=int(environment["PANICROOM_REPORT_HOUR"]),
            zone=ZoneInfo(environment["PANICROOM_TIME_ZONE"]),
        ),
        discard_function=environment["PANICROOM_DISCARD_FUNCTION"],
        # A deploy gives a function its new code some seconds before its new settings.
        thaw_function=environment.get(
            "PANICROOM_THAW_FUNCTION", f"panicroom-{environment['PANICROOM_STAGE']}-thaw"
        ),
        let_go_function=environment.get(
            "PANICROOM_LET_GO_FUNCTION", f"panicroom-{environment['PANICROOM_STAGE']}-let_go"
        ),
        has_job_metrics=environment.get("PANICROOM_JOB_METRICS", "") == "yes",
        monthly_budget=read_budget(environment.get("PANICROOM_MONTHLY_BUDGET", "")),
    )


def clock_ahead(environment: Mapping[str, str] = os.environ) -> timedelta:
    """How far the service's clock is set ahead, to see what it does in half a year: on the local stack alone.

    Raises ``ValueError`` anywhere else: nothing that was stored may look older than it is.
    """
    seconds = int(environment.get("PANICROOM_CLOCK_AHEAD_SECONDS") or 0)
    if seconds and environment["PANICROOM_STAGE"] != LOCAL_STAGE:
        raise ValueError(
            f"PANICROOM_CLOCK_AHEAD_SECONDS is {seconds}, and this is no local stack: remove the variable."
        )
    return timedelta(seconds=seconds)


def read_budget(text: str) -> Decimal | None:
    """``5`` or ``4.50``, in USD; nothing for none. Raises ``ValueError``."""
    if not text.strip():
        return None
    try:
        budget = Decimal(text.strip())
    except InvalidOperation:
        budget = Decimal(0)
    if not budget.is_finite() or budget <= 0:
        raise ValueError(f"PANICROOM_MONTHLY_BUDGET is {text!r}: write dollars a month such as 5 or 4.50.")
    return budget
