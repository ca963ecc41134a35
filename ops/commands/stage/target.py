"""Which stage a command means: its options, its AWS account and region, and the rights that it needs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import boto3
import click
from botocore.exceptions import UnknownRegionError

from ops.aws import Aws
from ops.commands.arguments.options import Read
from ops.deploy.access import AwsCaller, caller, missing_rights
from ops.errors import OpsError
from ops.functions.chalice_config import configured_region
from ops.functions.package import PROJECT
from ops.functions.roles import region_of_roles
from ops.resources.stack_parameters import chosen_before
from ops.stages import LOCAL, Stage

T = TypeVar("T")


def read_region(text: str) -> str:
    """A region's name as AWS writes them; raises ``ValueError`` with a sentence."""
    try:
        boto3.Session().get_partition_for_region(text)
    except UnknownRegionError:
        raise ValueError(
            f"{text!r} is no AWS region; eu-central-1 (Frankfurt) and us-east-1 (Virginia) are two"
        ) from None
    return text


def read_endpoint(text: str) -> str:
    """The URL of a local stack; raises ``ValueError`` with a sentence."""
    if not re.fullmatch(r"https?://[^/\s]+", text):
        raise ValueError(f"{text!r} is no address of a local stack, such as http://127.0.0.1:4566")
    return text


stage_name_option = click.option(
    "--stage", "stage_name", required=True, help="The stage's name, such as `home`."
)


region_option = click.option(
    "--region",
    type=Read("region", read_region),
    metavar="REGION",
    help="The AWS region.  [default: where this clone deployed it, else that of your credentials]",
)


endpoint_option = click.option(
    "--endpoint",
    type=Read("URL", read_endpoint),
    metavar="URL",
    help="The local stack at this URL, instead of an AWS account.",
)


project_option = click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=PROJECT,
    hidden=True,
)


def _region_of_credentials() -> str | None:
    return boto3.Session().region_name  # None without a setting, whatever its stubs say


def target_aws(stage_name: str, region: str | None, endpoint: str | None, project: Path, ask: bool) -> Aws:
    """The region comes from the flag, else from this clone's configuration, boto3's settings or the owner's answer."""
    configured = configured_region(stage_name, project / ".chalice")
    found = region or configured or _region_of_credentials()
    if found is None and ask:
        found = asked("AWS region (eu-central-1 is Frankfurt, us-east-1 Virginia)", read_region)
    elif found is None and endpoint:
        found = "us-east-1"
    if found is None:
        raise OpsError("No AWS region is set: name one, for example --region eu-central-1.")
    # The local stack needs no credentials; where a person has set some for it, those are meant.
    return Aws(found, endpoint, own_keys=endpoint is not None and "AWS_ACCESS_KEY_ID" in os.environ)


def deployed_stage(aws: Aws, stage_name: str) -> Stage:
    """Raises ``OpsError`` where it is not there, or these credentials may not see it."""
    who = caller(aws)
    stage = chosen_before(aws, check_stage_name(stage_name), who.account)
    if stage is None:
        check_rights(aws, stage_without_answers(stage_name, aws, who), who)
        raise OpsError(
            f"There is no stage {stage_name} in {aws.region}: `python -m ops deploy --stage {stage_name}` makes"
            " it, or name its region with --region."
        )
    return stage


def stage_without_answers(name: str, aws: Aws, who: AwsCaller) -> Stage:
    """As much of a stage as is known before anybody has been asked."""
    return Stage(
        name=name,
        account=who.account,
        region=str(aws.region),
        sender="",
        recipients=(),
        on_local_stack=aws.endpoint is not None,
    )


def check_region(aws: Aws, stage_name: str, who: AwsCaller) -> None:
    found = region_of_roles(aws, stage_without_answers(stage_name, aws, who))
    if found not in (None, aws.region):
        raise OpsError(
            f"The stage {stage_name} is in {found}, and its roles serve that region alone: name another stage, or"
            f" --region {found}."
        )


def check_rights(aws: Aws, stage: Stage, who: AwsCaller) -> None:
    refused = missing_rights(aws, stage, who)
    if refused:
        raise OpsError(
            f"{who.arn} may not do what deploying needs: {', '.join(refused[:8])}"
            f"{f' and {len(refused) - 8} more' if len(refused) > 8 else ''}."
            f" `python -m ops deploy --stage {stage.name} --policy` prints the policy to give it."
        )
    if who.is_root and not stage.on_local_stack:
        click.echo(
            "You are signed in as the account's root user. It works; but let an everyday user do this, and"
            " lock the root away: docs/getting-started.md says how.",
            err=True,
        )


STAGE_NAME = re.compile(r"[a-z][a-z0-9]{0,15}")
"""Without a hyphen, which joins the parts of a name: ``home-admin`` would be called as a function of ``home`` is."""


def check_stage_name(name: str) -> str:
    """Raises ``OpsError`` for a name that AWS or the local stack would not take."""
    if name == LOCAL.name:
        raise OpsError("The stage `local` is the local stack: name your own, for example --stage home.")
    if not STAGE_NAME.fullmatch(name):
        raise OpsError(f"{name!r} cannot be a stage's name: up to 16 of a-z and 0-9, a letter first.")
    return name


POLL_SECONDS = 5


LOCAL_POLL_SECONDS = 0.1


def asked(question: str, read: Callable[[str], T]) -> T:
    """Asks until the answer can be read."""
    while True:
        try:
            return read(click.prompt(question))
        except ValueError as error:
            click.echo(f"{error}.")
