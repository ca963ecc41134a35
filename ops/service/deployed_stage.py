"""A stage that is deployed: its settings, as its functions have them, and the AWS that it is in."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from botocore.exceptions import ClientError

from ops.aws import Aws
from ops.errors import OpsError, for_owners
from ops.functions.chalice_config import configured_region, stage_of
from ops.functions.package import PROJECT
from ops.local.stack import running_stack
from ops.service.lambda_function import LambdaFunction
from ops.stages import APP_NAME, LOCAL, Stage


@dataclasses.dataclass(frozen=True)
class DeployedStage:
    aws: Aws
    stage: Stage

    def function(self, short_name: str) -> LambdaFunction:
        return LambdaFunction(self.aws, self.stage.function(short_name))


def aws_of(stage_name: str, state_folder: Path) -> Aws:
    """The AWS that the stage is in: where this clone has deployed it, else as boto3 finds a region.

    Raises ``OpsError`` where the local stack is asked for and does not run.
    """
    if stage_name == LOCAL.name:
        stack = running_stack(state_folder)
        return Aws(stack.region, stack.endpoint)
    return Aws(configured_region(stage_name, PROJECT / ".chalice"))


def deployed_stage(stage_name: str, state_folder: Path) -> DeployedStage:
    """Asks the deployed ``admin`` function for its settings. Raises ``OpsError`` where there is none."""
    aws = aws_of(stage_name, state_folder)
    if stage_name == LOCAL.name:
        return DeployedStage(aws, LOCAL)
    name = f"{APP_NAME}-{stage_name}-admin"
    try:
        found = aws.client("lambda").get_function_configuration(FunctionName=name)
    except ClientError as error:
        raise OpsError(f"The stage {stage_name} was not found: {error}{for_owners(error)}") from error
    return DeployedStage(aws, stage_of(found["FunctionArn"], found["Environment"]["Variables"]))
