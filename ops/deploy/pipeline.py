"""``python -m ops deploy``: the stage, step by step. Each step first finds out what there is to do.

A step compares with AWS itself and not with a record of an earlier deploy. So a deploy can be repeated, and stopped
anywhere and started again: what is done already has no changes and is left alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ops.aws import Aws
from ops.buckets.adopt import plans_for_adopted
from ops.client.offer import client_changes, offer_client
from ops.errors import OpsError
from ops.functions.boundary import boundary_changes, make_roles
from ops.functions.chalice_config import config_differences, write_config_files
from ops.functions.chalice_record import (
    RECORD_FILE,
    find_rest_api,
    found_record,
    record_differs,
    write_record,
)
from ops.functions.compare_functions import (
    LOG_RETENTION_DAYS,
    finish_differences,
    function_differences,
    log_retention,
    wanted_service,
)
from ops.functions.concurrency import limit_concurrency
from ops.functions.package import REQUEST_BURST, REQUESTS_PER_SECOND, run_chalice
from ops.functions.queue_mappings import finish_mapping, remove_surplus_mappings
from ops.functions.roles import remove_foreign_rights
from ops.local.ministack_api import importing_api_gateway
from ops.resources.stack import changed_resources, deploy_resources
from ops.service.deployed_stage import DeployedStage
from ops.stages import API_STAGE, Stage
from ops.steps import Say, Steps


@dataclasses.dataclass(frozen=True)
class Deployment:
    """What is deployed, from where, to where."""

    aws: Aws
    stage: Stage
    project: Path
    poll_seconds: float = 5


@dataclasses.dataclass(frozen=True)
class DeployStep:
    """One part of a deploy."""

    title: str
    changes: Callable[[Deployment], list[str]]
    """What ``carry_out`` would do, a line each; empty if there is nothing to do."""
    carry_out: Callable[[Deployment, Say], None]
    """Does it, however much of it was done before. Raises ``OpsError``."""


def _resource_changes(deployment: Deployment) -> list[str]:
    return changed_resources(deployment.aws, deployment.stage)


def _deploy_resources(deployment: Deployment, say: Say) -> None:
    say("CloudFormation takes some minutes the first time")
    deploy_resources(deployment.aws, deployment.stage, poll_seconds=deployment.poll_seconds)


def _role_changes(deployment: Deployment) -> list[str]:
    return boundary_changes(deployment.aws, deployment.stage)


def _make_roles(deployment: Deployment, say: Say) -> None:
    say("before Chalice writes their policies")
    make_roles(deployment.aws, deployment.stage)


def _file_changes(deployment: Deployment) -> list[str]:
    aws, stage, project = deployment.aws, deployment.stage, deployment.project
    files = config_differences(stage, project / ".chalice")
    if record_differs(found_record(aws, stage), stage, project):
        files.append(RECORD_FILE.format(stage=stage.name))
    return [f"write .chalice/{name}" for name in files]


def _write_files(deployment: Deployment, say: Say) -> None:
    say("from the stage's settings, and from what an earlier deploy left")
    aws, stage, project = deployment.aws, deployment.stage, deployment.project
    write_config_files(stage, project / ".chalice")
    write_record(found_record(aws, stage), stage, project)


def _function_changes(deployment: Deployment) -> list[str]:
    stage = deployment.stage
    return function_differences(deployment.aws, stage, wanted_service(stage, deployment.project))


def _deploy_functions(deployment: Deployment, say: Say) -> None:
    aws, stage = deployment.aws, deployment.stage
    say("removing what an earlier deploy left")
    remove_surplus_mappings(aws, stage, deployment.poll_seconds)
    remove_foreign_rights(aws, stage)
    say("`chalice deploy` takes two minutes the first time")
    chalice(aws, stage, deployment.project, "deploy")


def _finish_changes(deployment: Deployment) -> list[str]:
    return finish_differences(deployment.aws, deployment.stage)


def _finish(deployment: Deployment, say: Say) -> None:
    say("partial batch failures, throttling, limits of concurrency, log retention")
    aws, stage = deployment.aws, deployment.stage
    finish_mapping(aws, stage, "catalogue", deployment.poll_seconds)
    _throttle(aws, stage)
    limit_concurrency(aws, stage)
    limit_logs(aws, stage)


def _adopted_changes(deployment: Deployment) -> list[str]:
    try:
        plans = list(plans_for_adopted(DeployedStage(deployment.aws, deployment.stage)))
    except OpsError:
        return []  # the service does not answer, which another step may fix
    # What these credentials cannot read, the doctor reports.
    found = [one for one in plans if not isinstance(one, OpsError)]
    return list(dict.fromkeys(f"{one.bucket}: {line}" for one in found for line in one.changes))


def _renew_adopted(deployment: Deployment, say: Say) -> None:
    say("roles that were made anew, rights and rules that this version wants")
    for one in plans_for_adopted(DeployedStage(deployment.aws, deployment.stage)):
        if not isinstance(one, OpsError) and one.changes:
            one.carry_out()


def _client_changes(deployment: Deployment) -> list[str]:
    return client_changes(deployment.aws, deployment.stage)


def _offer_client(deployment: Deployment, say: Say) -> None:
    say("building the wheel")
    offer_client(deployment.aws, deployment.stage)


RESOURCES = DeployStep("Bucket, queues, table, alarms, mail identities", _resource_changes, _deploy_resources)
ROLES = DeployStep("The functions' roles and their boundary", _role_changes, _make_roles)
FILES = DeployStep("Configuration, policies and record for Chalice", _file_changes, _write_files)
FUNCTIONS = DeployStep("Functions, schedules, queue mapping and API", _function_changes, _deploy_functions)
FINISH = DeployStep("What Chalice leaves out", _finish_changes, _finish)
ADOPTED = DeployStep("Rights, rules and events in adopted buckets", _adopted_changes, _renew_adopted)
CLIENT = DeployStep("The client, to be fetched by the machines", _client_changes, _offer_client)

STEPS = (RESOURCES, ROLES, FILES, FUNCTIONS, FINISH, ADOPTED, CLIENT)
"""In this order: each stands on what the one before it made."""


def plan(deployment: Deployment) -> dict[str, list[str]]:
    """What a deploy would do, by the titles of the steps; changes nothing.

    Every step is asked, also where nothing is there yet: what it needs from the one before it is new as well.
    """
    return {step.title: step.changes(deployment) for step in STEPS}


def carry_out(deployment: Deployment, steps: Steps) -> dict[str, list[str]]:
    """Updates the stage to this repository's version. Returns what was done, by the titles of the steps."""
    done = {}
    for step in STEPS:
        with steps.step(step.title) as say:
            done[step.title] = step.changes(deployment)
            if done[step.title]:
                step.carry_out(deployment, say)
            else:
                say("nothing to do")
    return done


def chalice(aws: Aws, stage: Stage, project: Path, command: str) -> str:
    """Runs ``chalice deploy`` or ``chalice delete`` for the stage, with the credentials of ``aws``."""
    arguments = [command, "--stage", stage.name]
    if aws.endpoint is None:
        return run_chalice(arguments, project, aws.environment())
    with importing_api_gateway(aws) as gateway:
        settings: Mapping[str, str] = {**aws.environment(), "AWS_ENDPOINT_URL_API_GATEWAY": gateway}
        return run_chalice(arguments, project, settings)


def _throttle(aws: Aws, stage: Stage) -> None:
    api = find_rest_api(aws, stage)
    if api is None:
        raise OpsError("The API that Chalice made is not found: deploy again.")
    limits: dict[str, Any] = {"rateLimit": REQUESTS_PER_SECOND, "burstLimit": REQUEST_BURST}
    aws.client("apigateway").update_stage(
        restApiId=api,
        stageName=API_STAGE,
        patchOperations=[
            {"op": "replace", "path": f"/*/*/throttling/{name}", "value": str(value)}
            for name, value in limits.items()
        ],
    )


def limit_logs(aws: Aws, stage: Stage) -> None:
    """Limits every function's log to ``LOG_RETENTION_DAYS``; creates log groups that do not exist yet."""
    # Chalice has a setting for this, and gives it to a group of another name than the API handler's.
    logs, kept = aws.client("logs"), log_retention(aws, stage)
    for short_name in stage.functions:
        group = stage.log_group(short_name)
        if group not in kept:
            # A function that runs each minute may be quicker.
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_group(logGroupName=group)
        if kept.get(group) != LOG_RETENTION_DAYS:
            logs.put_retention_policy(logGroupName=group, retentionInDays=LOG_RETENTION_DAYS)
