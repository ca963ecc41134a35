"""What the owner chose for a stage: stored as the parameters of its resources' stack, and read from there.

So a new clone, or a cloud shell that lost its files, continues with what was chosen before.
"""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import ClientError

from ops.aws import Aws
from ops.resources.cloudformation import described_stack, parameters_of
from ops.stages import APP_NAME, Stage, Webhook


def stack_parameters(stage: Stage) -> dict[str, str]:
    """The parameters of ``resources.yaml`` for the stage."""
    return {
        "Stage": stage.name,
        "Sender": stage.sender,
        "Recipients": ",".join(stage.recipients),
        "TimeZone": stage.time_zone,
        "ReportWeekday": stage.report_weekday,
        "ReportHour": str(stage.report_hour),
        "MonthlyBudget": stage.monthly_budget,
        "LockDays": str(stage.lock_days),
        "LockMode": stage.lock_mode,
        "AlertWebhook": f"{stage.webhook.host} {stage.webhook.fingerprint}".strip(),
        "JobMetrics": "yes" if stage.job_metrics else "",
        "BucketPolicyForm": "none" if stage.on_local_stack else "full",
    }


def stage_from_parameters(
    parameters: Mapping[str, str], *, account: str, region: str, on_local_stack: bool
) -> Stage:
    """The reverse of ``stack_parameters``."""
    return Stage(
        name=parameters["Stage"],
        account=account,
        region=region,
        sender=parameters["Sender"],
        recipients=tuple(parameters["Recipients"].split(",")),
        time_zone=parameters["TimeZone"],
        report_weekday=parameters["ReportWeekday"],
        report_hour=int(parameters["ReportHour"]),
        monthly_budget=parameters["MonthlyBudget"],
        lock_days=int(parameters["LockDays"]),
        lock_mode=parameters["LockMode"],
        webhook=webhook_of(parameters),
        job_metrics=parameters.get("JobMetrics") == "yes",
        on_local_stack=on_local_stack,
    )


def webhook_of(parameters: Mapping[str, str]) -> Webhook:
    """Without its URL; that of no webhook where an older version made the stack."""
    host, _, fingerprint = parameters.get("AlertWebhook", "").partition(" ")
    return Webhook(host, fingerprint)


def chosen_before(aws: Aws, stage_name: str, account: str) -> Stage | None:
    """The stage as it was deployed last, or begun; None if its stack does not exist in this region."""
    try:
        stack = described_stack(aws.client("cloudformation"), f"{APP_NAME}-{stage_name}-resources")
    except ClientError as error:
        if error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"):
            return None  # the rights are checked next, all of them together
        raise
    if stack is None or not stack.get("Parameters"):
        return None
    try:
        return stage_from_parameters(
            parameters_of(stack),
            account=account,
            region=str(aws.region),
            on_local_stack=aws.endpoint is not None,
        )
    except (KeyError, ValueError):
        return None  # made by a version with other settings: they are asked for again


# ---------------------------------------------------------------- what a person types
