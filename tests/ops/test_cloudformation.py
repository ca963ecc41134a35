"""What is done with a stack that a broken-off command left, by the state that it is in."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.errors import OpsError
from ops.resources.cloudformation import settled_stack


class CloudFormation:
    """One stack, which is gone once it is deleted."""

    def __init__(self, status: str) -> None:
        self.status: str | None = status
        self.is_protected = True

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        if self.status is None:
            answer: Any = {"Error": {"Code": "ValidationError", "Message": f"{StackName} does not exist"}}
            raise ClientError(answer, "DescribeStacks")
        return {"Stacks": [{"StackName": StackName, "StackStatus": self.status}]}

    def describe_stack_events(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"StackEvents": []}

    def update_termination_protection(self, *, StackName: str, EnableTerminationProtection: bool) -> None:  # noqa: N803
        self.is_protected = EnableTerminationProtection

    def delete_stack(self, *, StackName: str) -> None:  # noqa: N803
        assert not self.is_protected
        self.status = None

    def get_waiter(self, name: str) -> CloudFormation:
        assert name == "stack_delete_complete"
        return self

    def wait(self, *, StackName: str, WaiterConfig: dict[str, float]) -> None:  # noqa: N803
        assert self.status is None


def settled(cloudformation: Any) -> dict[str, Any] | None:
    return settled_stack(cloudformation, "panicroom-home-resources")


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"])
def test_a_stack_that_can_be_updated_is_left_as_it_is(status: str) -> None:
    cloudformation = CloudFormation(status)
    stack = settled(cloudformation)
    assert stack is not None
    assert cloudformation.status == stack["StackStatus"] == status


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE", "DELETE_FAILED"])
def test_a_stack_with_nothing_in_it_is_cleared_away_so_that_it_can_be_made_anew(status: str) -> None:
    cloudformation = CloudFormation(status)
    assert settled(cloudformation) is None
    assert cloudformation.status is None


def test_a_stack_that_only_a_person_can_free_is_named() -> None:
    with pytest.raises(OpsError, match=r"stuck in UPDATE_ROLLBACK_FAILED.*Continue its rollback"):
        settled(CloudFormation("UPDATE_ROLLBACK_FAILED"))
