"""``python -m ops deploy``: the stage, step by step, each of which first looks what there is to do.

A step looks at AWS and at nothing that an earlier deploy remembered. So it can be repeated, broken off
anywhere and begun again: what is done already has no changes, and is left alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from ops.app_package import REQUEST_BURST, REQUESTS_PER_SECOND, run_chalice
from ops.aws import Aws
from ops.chalice_config import config_differences, write_config_files
from ops.chalice_record import find_rest_api, found_record, write_record
from ops.client_wheel import offer_wheel, offered_wheel
from ops.compare_service import (
    LOG_RETENTION_DAYS,
    finish_differences,
    function_differences,
    log_retention,
    wanted_service,
)
from ops.queue_mappings import remove_surplus_mappings, report_single_failures
from ops.resources import changed_resources, deploy_resources
from ops.stages import API_STAGE, Stage
from ops.stand_in_api import importing_api_gateway
from ops.steps import Say, Steps


@dataclasses.dataclass(frozen=True)
class Deployment:
    """What is deployed, from where, to where."""

    aws: Aws
    stage: Stage
    project: Path
    poll_seconds: float = 5


class Step(Protocol):
    """One part of a deploy."""

    title: str

    def changes(self) -> list[str]:
        """What ``carry_out`` would do, a line each; empty if there is nothing to do."""

    def carry_out(self, say: Say) -> None:
        """Does it, however much of it was done before. Raises ``OpsError``."""


class Resources:
    title = "Bucket, queues, table, alarms, mail identities"

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def changes(self) -> list[str]:
        return changed_resources(self._deployment.aws, self._deployment.stage)

    def carry_out(self, say: Say) -> None:
        say("CloudFormation takes some minutes the first time")
        deployment = self._deployment
        deploy_resources(deployment.aws, deployment.stage, poll_seconds=deployment.poll_seconds)


class Configuration:
    title = "Configuration and policy files for Chalice"

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def changes(self) -> list[str]:
        files = config_differences(self._deployment.stage, self._deployment.project / ".chalice")
        return [f"write .chalice/{name}" for name in files]

    def carry_out(self, say: Say) -> None:
        say("from the stage's settings")
        write_config_files(self._deployment.stage, self._deployment.project / ".chalice")


class Functions:
    title = "Functions, schedules, queue mapping and API"

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def changes(self) -> list[str]:
        aws, stage = self._deployment.aws, self._deployment.stage
        return function_differences(aws, stage, wanted_service(stage, self._deployment.project))

    def carry_out(self, say: Say) -> None:
        aws, stage, project = self._deployment.aws, self._deployment.stage, self._deployment.project
        say("seeing what an earlier deploy left")
        remove_surplus_mappings(aws, stage, self._deployment.poll_seconds)
        write_record(found_record(aws, stage), stage, project)
        say("`chalice deploy` takes two minutes the first time")
        chalice(aws, stage, project, "deploy")


class Finish:
    title = "What Chalice leaves out"

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def changes(self) -> list[str]:
        return finish_differences(self._deployment.aws, self._deployment.stage)

    def carry_out(self, say: Say) -> None:
        say("partial batch failures, throttling, log retention")
        finish(self._deployment.aws, self._deployment.stage, self._deployment.poll_seconds)


class Client:
    title = "The client, to be fetched by the machines"

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def changes(self) -> list[str]:
        wheel = offered_wheel(self._deployment.aws, self._deployment.stage)
        return [] if wheel else ["put this version of the client into the bucket"]

    def carry_out(self, say: Say) -> None:
        say("building the wheel")
        offer_wheel(self._deployment.aws, self._deployment.stage)


STEPS: tuple[Callable[[Deployment], Step], ...] = (Resources, Configuration, Functions, Finish, Client)
"""In this order: each stands on what the one before it made."""


def plan(deployment: Deployment) -> dict[str, list[str]]:
    """What a deploy would do, by the titles of the steps; changes nothing.

    Where the resources are not there yet, all that comes after is new as well, and nobody is asked.
    """
    changes = {}
    for make in STEPS:
        step = make(deployment)
        changes[step.title] = step.changes()
    return changes


def carry_out(deployment: Deployment, steps: Steps) -> dict[str, list[str]]:
    """Brings the stage to what the repository says; what was done, by the titles of the steps."""
    done = {}
    for make in STEPS:
        step = make(deployment)
        with steps.step(step.title) as say:
            done[step.title] = step.changes()
            if done[step.title]:
                step.carry_out(say)
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


def finish(aws: Aws, stage: Stage, poll_seconds: float) -> None:
    """Sets what Chalice has no word for; harmless to repeat. Raises ``OpsError``."""
    report_single_failures(aws, stage, "catalogue", poll_seconds)
    _throttle(aws, stage)
    _limit_logs(aws, stage)


def _throttle(aws: Aws, stage: Stage) -> None:
    api = find_rest_api(aws, stage)
    limits: dict[str, Any] = {"rateLimit": REQUESTS_PER_SECOND, "burstLimit": REQUEST_BURST}
    aws.client("apigateway").update_stage(
        restApiId=api,
        stageName=API_STAGE,
        patchOperations=[
            {"op": "replace", "path": f"/*/*/throttling/{name}", "value": str(value)}
            for name, value in limits.items()
        ],
    )


def _limit_logs(aws: Aws, stage: Stage) -> None:
    # Chalice has a setting for this, and gives it to a group of another name than the API handler's.
    logs, kept = aws.client("logs"), log_retention(aws, stage)
    for short_name in stage.functions:
        group = stage.log_group(short_name)
        if group not in kept:
            logs.create_log_group(logGroupName=group)
        if kept.get(group) != LOG_RETENTION_DAYS:
            logs.put_retention_policy(logGroupName=group, retentionInDays=LOG_RETENTION_DAYS)
