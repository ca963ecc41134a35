"""What the owner chose for a stage: kept as the parameters of its resources' stack, and read back from there.

So a clone made anew, or a cloud shell that forgot its files, goes on with what was chosen before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from zoneinfo import available_timezones

import boto3
from botocore.exceptions import ClientError, UnknownRegionError

from chalicelib.domain.backups.names import is_identifier
from ops.aws import Aws
from ops.errors import OpsError
from ops.resources.cloudformation import described_stack, parameters_of
from ops.stages import APP_NAME, LOCAL, Stage

STAGE_NAME = re.compile(r"[a-z][a-z0-9]{0,15}")
"""Without a hyphen, which joins the parts of a name: ``home-admin`` would be called as a function of ``home`` is."""

ADDRESS = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")
SERVICE_ADDRESSES = 5
"""More recipients of a household's mail than this are a mistake."""


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
        "BucketGuards": "none" if stage.on_stand_in else "full",
    }


def stage_from_parameters(
    parameters: Mapping[str, str], *, account: str, region: str, on_stand_in: bool
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
        on_stand_in=on_stand_in,
    )


def chosen_before(aws: Aws, stage_name: str, account: str) -> Stage | None:
    """The stage as it was deployed last, or begun; None if its stack does not exist in this region."""
    try:
        stack = described_stack(aws.client("cloudformation"), f"{APP_NAME}-{stage_name}-resources")
    except ClientError as error:
        if error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"):
            return None  # the rights are looked at next, all of them at once
        raise
    if stack is None or not stack.get("Parameters"):
        return None
    try:
        return stage_from_parameters(
            parameters_of(stack),
            account=account,
            region=str(aws.region),
            on_stand_in=aws.endpoint is not None,
        )
    except (KeyError, ValueError):
        return None  # made by a version that kept other settings: they are asked for again


# ---------------------------------------------------------------- what a person types


def check_stage_name(name: str) -> str:
    """Raises ``OpsError`` for a name that AWS or the local stack would not take."""
    if name == LOCAL.name:
        raise OpsError("The stage `local` is the local stack: name your own, for example --stage home.")
    if not STAGE_NAME.fullmatch(name):
        raise OpsError(f"{name!r} cannot be a stage's name: up to 16 of a-z and 0-9, a letter first.")
    return name


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


def read_region(text: str) -> str:
    """A region's name as AWS writes them; raises ``ValueError`` with a sentence."""
    try:
        boto3.Session().get_partition_for_region(text)
    except UnknownRegionError:
        raise ValueError(
            f"{text!r} is no AWS region; eu-central-1 (Frankfurt) and us-east-1 (Virginia) are two"
        ) from None
    return text


def read_machine_name(text: str) -> str:
    """Raises ``ValueError`` with a sentence."""
    if not is_identifier(text):
        raise ValueError(f"{text!r} cannot be a machine's name: up to 41 of a-z, 0-9 and -, not - first")
    return text


def read_endpoint(text: str) -> str:
    """The URL of a stand-in; raises ``ValueError`` with a sentence."""
    if not re.fullmatch(r"https?://[^/\s]+", text):
        raise ValueError(f"{text!r} is no address of a stand-in, such as http://127.0.0.1:4566")
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
