"""The CloudFormation template, as a document: what the stand-in does not enforce is checked here."""

from __future__ import annotations

from typing import Any

import yaml

from ops.chalice_config import TIMEOUT_SECONDS
from ops.resources import TEMPLATE_PATH, TTL_ATTRIBUTE
from ops.stages import LOCAL, Stage


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms: ``!Sub text`` becomes its text, with the pseudo parameters kept."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: _value(loader, node))


def _value(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node, deep=True)


RESOURCES: dict[str, Any] = yaml.load(TEMPLATE_PATH.read_text(), Loader)["Resources"]


def named(text: str, stage: Stage = LOCAL) -> str:
    """A ``!Sub`` with the stage's values put in."""
    values = {"${Stage}": stage.name, "${AWS::AccountId}": stage.account, "${AWS::Region}": stage.region}
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def properties(logical_id: str) -> dict[str, Any]:
    return dict(RESOURCES[logical_id]["Properties"])


def bucket_statement(name: str) -> dict[str, Any]:
    found = [s for s in properties("BucketPolicy")["PolicyDocument"]["Statement"] if s["Sid"] == name]
    assert len(found) == 1
    return dict(found[0])


def test_everything_is_called_as_the_stage_says() -> None:
    assert named(properties("Bucket")["BucketName"]) == LOCAL.bucket
    assert named(properties("Table")["TableName"]) == LOCAL.table
    assert named(properties("EventsQueue")["QueueName"]) == LOCAL.queue
    assert named(properties("DeadLetterQueue")["QueueName"]) == LOCAL.dead_letter_queue


def test_bucket_and_table_outlive_their_stack() -> None:
    retained = {
        logical_id
        for logical_id, resource in RESOURCES.items()
        if resource.get("DeletionPolicy") == resource.get("UpdateReplacePolicy") == "Retain"
    }
    assert retained == {"Bucket", "Table"}


def test_the_bucket_is_versioned_encrypted_and_closed_to_the_public() -> None:
    bucket = properties("Bucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["BucketEncryption"]


def test_events_of_every_kind_go_to_the_queue() -> None:
    configurations = properties("Bucket")["NotificationConfiguration"]["QueueConfigurations"]
    assert {configuration["Event"] for configuration in configurations} == {
        "s3:ObjectCreated:*",
        "s3:ObjectRemoved:*",
        "s3:ObjectRestore:*",
        "s3:LifecycleTransition",
        "s3:LifecycleExpiration:*",
    }


def test_only_s3_may_fill_the_queue_and_only_for_buckets_of_the_account() -> None:
    """Adopted ones included: nothing has to be written, or written again, for their events to come."""
    assert properties("EventsQueuePolicy")["PolicyDocument"]["Statement"] == [
        {
            "Sid": "EventsOfBuckets",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "EventsQueue.Arn",
            "Condition": {
                "ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"},
                "StringEquals": {"aws:SourceAccount": "AWS::AccountId"},
            },
        }
    ]


def test_an_event_is_tried_five_times_and_never_by_two_at_once() -> None:
    queue = properties("EventsQueue")
    assert queue["VisibilityTimeout"] >= 6 * TIMEOUT_SECONDS["catalogue"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5


def test_rows_expire_and_the_table_can_be_put_back_to_any_second() -> None:
    table = properties("Table")
    assert table["TimeToLiveSpecification"] == {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_plain_http_and_old_signatures_are_refused_to_everybody() -> None:
    assert bucket_statement("TlsOnly")["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert bucket_statement("SignatureVersion4Only")["Condition"] == {
        "StringNotEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}
    }
    for name in ("TlsOnly", "SignatureVersion4Only", "NoUrlOlderThanFifteenMinutes"):
        statement = bucket_statement(name)
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")


def test_a_url_dies_after_fifteen_minutes_whatever_it_was_signed_for() -> None:
    condition = bucket_statement("NoUrlOlderThanFifteenMinutes")["Condition"]
    assert condition == {"NumericGreaterThan": {"s3:signatureAge": str(15 * 60 * 1000)}}


def test_the_signing_role_and_no_other_has_to_write_first() -> None:
    condition = bucket_statement("FirstWriteOnly")["Condition"]
    role = named(condition["ArnLike"]["aws:PrincipalArn"])
    assert role == f"arn:aws:iam::{LOCAL.account}:role/{LOCAL.prefix}-api_handler"
    assert condition["Null"] == {"s3:if-none-match": "true"}
