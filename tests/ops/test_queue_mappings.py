"""A queue mapping is changed when it has settled, and not before: Lambda refuses it until then."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ops.errors import OpsError
from ops.functions import queue_mappings
from ops.functions.queue_mappings import event_source_mappings, finish_mapping, remove_surplus_mappings
from ops.stages import Stage

HOME = Stage(name="home", account="123456789012", region="eu-central-1", sender="", recipients=())
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:panicroom-home-events"
FAST = 0.001
OLD, NEW = "0" * 36, "1" * 36


@dataclasses.dataclass
class Account:
    """Lambda answers exactly what it was told to, in that order."""

    functions: Any
    stub: Stubber

    def client(self, service: str) -> Any:
        assert service == "lambda"
        return self.functions

    def lists(self, *mappings: tuple[str, str], queue: str = QUEUE) -> None:
        answer = [{"UUID": uuid, "State": state, "EventSourceArn": queue} for uuid, state in mappings]
        self.stub.add_response("list_event_source_mappings", {"EventSourceMappings": answer})

    def is_asked(self, uuid: str, states: Iterable[str]) -> None:
        for state in states:
            self.stub.add_response("get_event_source_mapping", {"UUID": uuid, "State": state}, {"UUID": uuid})

    def takes(self, operation: str, **arguments: Any) -> None:
        self.stub.add_response(operation, {}, arguments)

    def is_busy(self, operation: str) -> None:
        message = "The event source mapping with UUID 0 is in use by another operation"
        self.stub.add_client_error(operation, "ResourceInUseException", message)


@pytest.fixture
def account() -> Account:
    functions = boto3.client(
        "lambda", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    stub = Stubber(functions)
    stub.activate()
    return Account(functions, stub)


FINISHED = {"Enabled": True, "FunctionResponseTypes": ["ReportBatchItemFailures"]}


def test_a_new_mapping_is_changed_when_it_is_no_longer_being_made(account: Account) -> None:
    account.lists((OLD, "Creating"))
    account.is_asked(OLD, ["Creating", "Creating", "Enabled"])
    account.takes("update_event_source_mapping", UUID=OLD, **FINISHED)
    finish_mapping(account, HOME, "catalogue", FAST)  # type: ignore[arg-type]
    account.stub.assert_no_pending_responses()


def test_one_that_begins_to_change_just_then_is_tried_again(account: Account) -> None:
    account.lists((OLD, "Enabled"))
    account.is_asked(OLD, ["Enabled"])
    account.is_busy("update_event_source_mapping")
    account.is_asked(OLD, ["Updating", "Enabled"])
    account.takes("update_event_source_mapping", UUID=OLD, **FINISHED)
    finish_mapping(account, HOME, "catalogue", FAST)  # type: ignore[arg-type]
    account.stub.assert_no_pending_responses()


def test_one_that_never_settles_is_given_up_with_a_sentence(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_mappings, "SETTLE_SECONDS", 3 * FAST)
    account.lists((OLD, "Creating"))
    account.is_asked(OLD, ["Creating"] * 3)
    with pytest.raises(OpsError, match=f"busy with the queue mapping {OLD}.*type the command again"):
        finish_mapping(account, HOME, "catalogue", FAST)  # type: ignore[arg-type]


def test_one_that_is_being_deleted_does_not_count(account: Account) -> None:
    account.lists((OLD, "Deleting"), (NEW, "Creating"))
    assert [one["UUID"] for one in event_source_mappings(account, HOME, "catalogue")] == [NEW]  # type: ignore[arg-type]


def test_of_several_the_one_to_the_stages_own_queue_comes_first(account: Account) -> None:
    answer = [
        {"UUID": OLD, "State": "Enabled", "EventSourceArn": QUEUE + "-other"},
        {"UUID": NEW, "State": "Enabled", "EventSourceArn": QUEUE},
    ]
    account.stub.add_response("list_event_source_mappings", {"EventSourceMappings": answer})
    assert [one["UUID"] for one in event_source_mappings(account, HOME, "catalogue")] == [NEW, OLD]  # type: ignore[arg-type]


def test_a_surplus_one_is_removed_and_gone_before_chalice_deploys(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stage, "functions", {"catalogue": HOME.function("catalogue")})
    account.lists((OLD, "Enabled"), (NEW, "Creating"))
    account.is_asked(NEW, ["Creating", "Enabled"])
    account.takes("delete_event_source_mapping", UUID=NEW)
    account.lists((OLD, "Enabled"), (NEW, "Deleting"))
    account.lists((OLD, "Enabled"))
    remove_surplus_mappings(account, HOME, FAST)  # type: ignore[arg-type]
    account.stub.assert_no_pending_responses()


def test_after_destroy_and_deploy_the_mapping_that_is_going_is_waited_for(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one to the same queue would be refused as long as it is there."""
    monkeypatch.setattr(Stage, "functions", {"catalogue": HOME.function("catalogue")})
    account.lists((OLD, "Deleting"))
    account.lists((OLD, "Deleting"))
    account.lists()
    remove_surplus_mappings(account, HOME, FAST)  # type: ignore[arg-type]
    account.stub.assert_no_pending_responses()
