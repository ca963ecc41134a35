"""Creating or updating one CloudFormation stack, whichever it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, WaiterError

from ops.errors import OpsError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
TIMEOUT_SECONDS = 600


def deploy_stack(
    cloudformation: CloudFormationClient,
    *,
    name: str,
    template: str,
    parameters: dict[str, str] | None = None,
    poll_seconds: float = 5,
) -> None:
    """Brings the stack to what the template says and waits for it; no change is no error.

    Raises ``OpsError`` with CloudFormation's first reason where it fails.
    """
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()]
    arguments = {
        "StackName": name,
        "TemplateBody": template,
        "Parameters": given,
        "Capabilities": CAPABILITIES,
    }
    if _exists(cloudformation, name):
        waiter_name = "stack_update_complete"
        try:
            cloudformation.update_stack(**arguments)  # type: ignore[arg-type]
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return
            raise
    else:
        waiter_name = "stack_create_complete"
        cloudformation.create_stack(**arguments)  # type: ignore[arg-type]
    waiter = cloudformation.get_waiter(waiter_name)  # type: ignore[call-overload]
    try:
        waiter.wait(
            StackName=name,
            WaiterConfig={"Delay": poll_seconds, "MaxAttempts": int(TIMEOUT_SECONDS / poll_seconds)},
        )
    except WaiterError as error:
        raise OpsError(
            f"The stack {name} could not be made: {_first_reason(cloudformation, name)}"
        ) from error


def physical_id(cloudformation: CloudFormationClient, stack_name: str, logical_id: str) -> str:
    """What a resource of a stack is really called."""
    answer = cloudformation.describe_stack_resource(StackName=stack_name, LogicalResourceId=logical_id)
    return answer["StackResourceDetail"]["PhysicalResourceId"]


def _exists(cloudformation: CloudFormationClient, name: str) -> bool:
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return False
        raise
    return bool(stacks) and stacks[0]["StackStatus"] != "DELETE_COMPLETE"


def _first_reason(cloudformation: CloudFormationClient, name: str) -> str:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failures = [event for event in events if event.get("ResourceStatus", "").endswith("FAILED")]
    if not failures:
        return "CloudFormation names no reason."
    first = failures[-1]  # the newest event comes first, and the others follow from the oldest
    return f"{first.get('LogicalResourceId')}: {first.get('ResourceStatusReason', 'no reason given')}"
