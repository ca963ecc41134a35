"""A stage of the service in one AWS account: its settings, and what each of its parts is called.

Every name that is deployed comes from here, so that template, policies, configuration and commands agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

APP_NAME = "panicroom"

LAMBDA_FUNCTIONS = (
    "api_handler",
    "authorizer",
    "catalogue",
    "weekly_report",
    "alerts",
    "daily_audit",
    "discard",
    "thaw",
    "let_go",
    "reconcile",
    "weekly_reconcile",
    "admin",
    "admin_read",
)
"""Short names, as Chalice knows them; ``api_handler`` is the one behind the REST API."""

API_STAGE = "api"
"""The stage of API Gateway, which is the last part of the API's URL on AWS."""


@dataclass(frozen=True)
class Webhook:
    """Where alerts go by HTTPS. The URL is a secret, which only SNS keeps: what is stored of it here tells nobody."""

    host: str = ""
    """Empty for no webhook."""
    fingerprint: str = ""
    """Of the URL, so that its subscription is found again."""
    url: str = field(default="", repr=False, compare=False)
    """Known to the deploy that was given it."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The settings of one deployment; everything else follows from them."""

    name: str
    account: str
    region: str
    sender: str
    recipients: tuple[str, ...]
    time_zone: str = "UTC"
    report_weekday: str = "monday"
    report_hour: int = 7
    monthly_budget: str = ""
    """USD before tax as decimal text, ``"12.50"``; empty for none."""
    lock_days: int = 0
    """For so many days S3 itself lets nobody delete a version (Object Lock); 0 for no lock."""
    lock_mode: str = "GOVERNANCE"
    """``GOVERNANCE``: who has a special right may end the lock; ``COMPLIANCE``: nobody may, the root included."""
    webhook: Webhook = Webhook()
    job_metrics: bool = False
    """Whether each job has a metric of its own, which costs."""
    on_local_stack: bool = False
    """Deployed to the local stack, which lacks some conditions that AWS knows."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every one that mail comes from or goes to."""
        return tuple(dict.fromkeys([self.sender, *self.recipients]))

    @property
    def prefix(self) -> str:
        return f"{APP_NAME}-{self.name}"

    @property
    def bucket(self) -> str:
        return f"{self.prefix}-{self.account}-{self.region}"

    @property
    def table(self) -> str:
        return self.prefix

    @property
    def queue(self) -> str:
        return f"{self.prefix}-events"

    @property
    def dead_letter_queue(self) -> str:
        return f"{self.queue}-dead"

    @property
    def boundary(self) -> str:
        """The IAM policy that bounds what any of the functions' roles may do."""
        return f"{self.prefix}-boundary"

    @property
    def boundary_arn(self) -> str:
        return f"arn:aws:iam::{self.account}:policy/{self.boundary}"

    @property
    def resources_stack(self) -> str:
        """The CloudFormation stack of what holds data: bucket, queues, table, alarms."""
        return f"{self.prefix}-resources"

    @property
    def alarms_topic(self) -> str:
        """What AWS tells of the service's own failures."""
        return f"{self.prefix}-alarms"

    @property
    def alerts_topic(self) -> str:
        """What the service tells of backups that are wrong, as it mails it."""
        return f"{self.prefix}-alerts"

    def log_group(self, short_name: str) -> str:
        return f"/aws/lambda/{self.function(short_name)}"

    def function(self, short_name: str) -> str:
        """The deployed name of a Lambda function, as ``chalice deploy`` gives it."""
        return self.prefix if short_name == "api_handler" else f"{self.prefix}-{short_name}"

    @property
    def functions(self) -> dict[str, str]:
        return {short_name: self.function(short_name) for short_name in LAMBDA_FUNCTIONS}

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


LOCAL = Stage(
    name="local",
    account="000000000000",
    region="us-east-1",
    sender="panicroom@example.com",
    recipients=("owner@example.com",),
    time_zone="Europe/Berlin",
    on_local_stack=True,
)
