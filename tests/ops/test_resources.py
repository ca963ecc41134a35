"""The CloudFormation template, as a document: what MiniStack does not enforce is checked here."""

from __future__ import annotations

from typing import Any

from ops.functions.chalice_config import TIMEOUT_SECONDS
from ops.resources.stack import TTL_ATTRIBUTE
from ops.resources.template import TEMPLATE_PATH, bucket_statements, read_template
from ops.stages import LOCAL

RESOURCES: dict[str, Any] = read_template(TEMPLATE_PATH.read_text())["Resources"]


def named(value: dict[str, str]) -> str:
    """A ``!Sub`` with the local stage's values put in."""
    text = value["Fn::Sub"]
    values = {"${Stage}": LOCAL.name, "${AWS::AccountId}": LOCAL.account, "${AWS::Region}": LOCAL.region}
    for placeholder, put_in in values.items():
        text = text.replace(placeholder, put_in)
    return text


def properties(logical_id: str) -> dict[str, Any]:
    return dict(RESOURCES[logical_id]["Properties"])


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
            "Resource": {"Fn::GetAtt": ["EventsQueue", "Arn"]},
            "Condition": {
                "ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"},
                "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
            },
        }
    ]


def test_an_event_outlasts_a_starved_hour_and_is_never_handled_by_two_at_once() -> None:
    queue = properties("EventsQueue")
    assert queue["VisibilityTimeout"] >= 6 * TIMEOUT_SECONDS["catalogue"]
    tried_for_seconds = queue["VisibilityTimeout"] * queue["RedrivePolicy"]["maxReceiveCount"]
    assert 3600 < tried_for_seconds < 3 * 3600
    assert queue["MessageRetentionPeriod"] > 20 * tried_for_seconds


def test_rows_expire_and_the_table_can_be_put_back_to_any_second() -> None:
    table = properties("Table")
    assert table["TimeToLiveSpecification"] == {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_the_buckets_policy_is_these_denials() -> None:
    """Plain HTTP and old signatures for everybody; a URL after fifteen minutes, but for the client's own; the role
    that signs uploads where the key exists, however many parts an upload has; and headers that no upload of ours has.
    """
    bucket = f"arn:aws:s3:::{LOCAL.bucket}"
    assert bucket_statements(LOCAL) == [
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket, f"{bucket}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": "SignatureVersion4Only",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": f"{bucket}/*",
            "Condition": {"StringNotEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}},
        },
        {
            "Sid": "NoUrlOlderThanFifteenMinutes",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "NotResource": f"{bucket}/_service/client/*",
            "Condition": {"NumericGreaterThan": {"s3:signatureAge": "900000"}},
        },
        {
            "Sid": "FirstWriteOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"{bucket}/*",
            "Condition": {
                "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::000000000000:role/panicroom-local-api_handler"},
                "Null": {"s3:if-none-match": "true"},
                "Bool": {"s3:ObjectCreationOperation": "true"},
            },
        },
        *(
            {
                "Sid": sid,
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"{bucket}/*",
                "Condition": {"Null": {f"s3:{header}": "false"}},
            }
            for sid, header in (
                ("NoCustomerKeys", "x-amz-server-side-encryption-customer-algorithm"),
                ("NoWebsiteRedirects", "x-amz-website-redirect-location"),
            )
        ),
    ]
