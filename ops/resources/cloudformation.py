"""One CloudFormation stack: creating it, updating it, taking over what an earlier one left, and ending it.

A stack that a broken-off command left in the middle is waited for, and one that could not be made at all is
cleared away first, so that each of these can be repeated after whatever happened before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, WaiterError

from ops.errors import OpsError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
TIMEOUT_SECONDS = 600
NEVER_MADE = (
    "CREATE_FAILED",
    "DELETE_FAILED",
    "IMPORT_ROLLBACK_COMPLETE",
    "IMPORT_ROLLBACK_FAILED",
    "REVIEW_IN_PROGRESS",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
)
"""States of a stack that holds nothing of worth: it is deleted and created again. An import is how a stack begins here,
so that one that was rolled back left an empty one; what failed to be deleted was on its way out."""


def deploy_stack(
    cloudformation: CloudFormationClient,
    *,
    name: str,
    template: dict[str, str],
    parameters: dict[str, str] | None = None,
    poll_seconds: float = 5,
) -> None:
    """Updates the stack to the template and waits for it; no change is no error.

    ``template`` is ``TemplateBody`` with its text, of at most 51,200 bytes, or ``TemplateURL`` with the address of an
    object in S3, of at most 1 MB. Raises ``OpsError`` with CloudFormation's first reason where it fails.
    """
    arguments = {
        "StackName": name,
        **template,
        "Parameters": _listed(parameters),
        "Capabilities": CAPABILITIES,
    }
    if settled_stack(cloudformation, name, poll_seconds=poll_seconds):
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
    _wait(cloudformation, waiter_name, name, poll_seconds, "could not be made")


def settled_stack(
    cloudformation: CloudFormationClient, name: str, *, poll_seconds: float = 5
) -> dict[str, Any] | None:
    """The stack from DescribeStacks, once no operation is running; None where there is none to update."""
    stack = described_stack(cloudformation, name)
    if stack is None:
        return None
    status = str(stack["StackStatus"])
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        _wait_until_settled(cloudformation, name, status, poll_seconds)
        stack = described_stack(cloudformation, name)
        status = str(stack["StackStatus"]) if stack else ""
    if status in NEVER_MADE:
        delete_stack(cloudformation, name, poll_seconds=poll_seconds)
        return None
    if status.endswith("_FAILED"):
        raise OpsError(
            f"The stack {name} is stuck in {status}: {_first_reason(cloudformation, name)} Continue its"
            " rollback on CloudFormation's page in the AWS console, and type the command again."
        )
    return stack


def described_stack(cloudformation: CloudFormationClient, name: str) -> dict[str, Any] | None:
    """The stack, in whatever state it is; None if there is none."""
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    if not stacks or stacks[0]["StackStatus"] == "DELETE_COMPLETE":
        return None
    return dict(stacks[0])


def parameters_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Values by name, of a stack from ``described_stack``."""
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}


def deployed_template(cloudformation: CloudFormationClient, name: str) -> str:
    """The text of the template that the stack was made from."""
    body: Any = cloudformation.get_template(StackName=name)["TemplateBody"]
    return body if isinstance(body, str) else json.dumps(body)


def import_into_new_stack(
    cloudformation: CloudFormationClient,
    *,
    name: str,
    template: str,
    parameters: dict[str, str],
    identifiers: dict[str, tuple[str, dict[str, str]]],
    poll_seconds: float = 5,
) -> None:
    """Makes a stack of resources that exist: ``identifiers`` has type and identifier by logical name."""
    change_set = "take-over"
    cloudformation.create_change_set(
        StackName=name,
        ChangeSetName=change_set,
        ChangeSetType="IMPORT",
        TemplateBody=template,
        Parameters=_listed(parameters),  # type: ignore[arg-type]
        ResourcesToImport=[
            {"LogicalResourceId": logical_id, "ResourceType": kind, "ResourceIdentifier": identifier}
            for logical_id, (kind, identifier) in identifiers.items()
        ],
    )
    waiter = cloudformation.get_waiter("change_set_create_complete")
    _wait_by(waiter, name, poll_seconds, "could not take over what is there", ChangeSetName=change_set)
    cloudformation.execute_change_set(StackName=name, ChangeSetName=change_set)
    _wait(cloudformation, "stack_import_complete", name, poll_seconds, "could not take over what is there")


def delete_stack(cloudformation: CloudFormationClient, name: str, *, poll_seconds: float = 5) -> None:
    """Ends the stack, its termination protection first; what its template retains stays."""
    if described_stack(cloudformation, name) is None:
        return
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    cloudformation.delete_stack(StackName=name)
    _wait(cloudformation, "stack_delete_complete", name, poll_seconds, "could not be deleted")


def physical_id(cloudformation: CloudFormationClient, stack_name: str, logical_id: str) -> str:
    """What a resource of a stack is really called."""
    answer = cloudformation.describe_stack_resource(StackName=stack_name, LogicalResourceId=logical_id)
    return answer["StackResourceDetail"]["PhysicalResourceId"]


def _listed(parameters: dict[str, str] | None) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()]


def _wait_until_settled(
    cloudformation: CloudFormationClient, name: str, status: str, poll_seconds: float
) -> None:
    waiters = {
        "CREATE_IN_PROGRESS": "stack_create_complete",
        "ROLLBACK_IN_PROGRESS": "stack_create_complete",
        "DELETE_IN_PROGRESS": "stack_delete_complete",
        "IMPORT_IN_PROGRESS": "stack_import_complete",
    }
    waiter = cloudformation.get_waiter(waiters.get(status, "stack_update_complete"))  # type: ignore[call-overload]
    try:
        waiter.wait(StackName=name, WaiterConfig=_pace(poll_seconds))
    except WaiterError as error:
        # It came to rest in another state than hoped for, which the caller looks at; or it did not.
        stack = described_stack(cloudformation, name)
        if stack and str(stack["StackStatus"]).endswith("_IN_PROGRESS"):
            raise OpsError(
                f"The stack {name} is still busy ({status}): type the command again later."
            ) from error


def _wait(
    cloudformation: CloudFormationClient, waiter_name: str, name: str, poll_seconds: float, failure: str
) -> None:
    waiter = cloudformation.get_waiter(waiter_name)  # type: ignore[call-overload]
    try:
        waiter.wait(StackName=name, WaiterConfig=_pace(poll_seconds))
    except WaiterError as error:
        raise OpsError(f"The stack {name} {failure}: {_first_reason(cloudformation, name)}") from error


def _wait_by(waiter: Any, name: str, poll_seconds: float, failure: str, **arguments: str) -> None:
    try:
        waiter.wait(StackName=name, **arguments, WaiterConfig=_pace(poll_seconds))
    except WaiterError as error:
        reason = error.last_response.get("StatusReason", "no reason given")
        raise OpsError(f"The stack {name} {failure}: {reason}") from error


def _pace(poll_seconds: float) -> dict[str, float]:
    return {"Delay": poll_seconds, "MaxAttempts": int(TIMEOUT_SECONDS / poll_seconds)}


def _first_reason(cloudformation: CloudFormationClient, name: str) -> str:
    try:
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    except ClientError:
        return "CloudFormation names no reason."
    failures = [event for event in events if event.get("ResourceStatus", "").endswith("FAILED")]
    if not failures:
        return "CloudFormation names no reason."
    first = failures[-1]  # the newest event comes first, and the others follow from the oldest
    return f"{first.get('LogicalResourceId')}: {first.get('ResourceStatusReason', 'no reason given')}"
