"""MiniStacks in memory against moto: the same calls, the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.hostile.memory_aws import MemoryDynamo, MemoryS3
from tests.service.conftest import BUCKET, TABLE, Service, running_service

NOW = datetime(2026, 11, 22, 20, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def moto() -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch, running_service(patch) as service:
        yield service


@pytest.fixture(scope="module", params=["memory", "moto"])
def dynamo(request: pytest.FixtureRequest, moto: Service) -> Any:
    return MemoryDynamo() if request.param == "memory" else boto3.resource("dynamodb").meta.client


@pytest.fixture(scope="module", params=["memory", "moto"])
def s3(request: pytest.FixtureRequest, moto: Service) -> Any:
    return MemoryS3(str, lambda: NOW) if request.param == "memory" else moto.s3


ROW = {"pk": "p", "sk": "a", "letter": "b", "amount": 5, "nest": {"inside": "c"}}

HOLD = [
    "attribute_exists(pk)",
    "attribute_not_exists(nothing)",
    "attribute_not_exists(pk) OR letter = :b",
    "letter = :b AND amount <= :five",
    "(letter = :a OR letter = :b) AND amount < :six",
    "letter = :b AND (amount = :six OR amount >= :five)",
    "nest.inside = :c",
    "begins_with(letter, :b)",
    "amount BETWEEN :five AND :six",
    "letter <> :a",
    "nothing <> :a",
]
FAIL = [
    "attribute_not_exists(pk)",
    "attribute_exists(nothing)",
    "attribute_not_exists(pk) OR letter = :a",
    "letter = :b AND amount > :five",
    "letter = :a OR letter = :b AND amount = :six",
    "(letter = :b OR letter = :a) AND amount = :six",
    "nest.inside = :a",
    "begins_with(letter, :c)",
    "nothing = :a",
    "nothing <= :five",
]
VALUES = {":a": "a", ":b": "b", ":c": "c", ":five": 5, ":six": 6}


def put_if(dynamo: Any, condition: str) -> str | None:
    """The error's code, if there is one."""
    used = {name: value for name, value in VALUES.items() if name in condition}
    values = {"ExpressionAttributeValues": used} if used else {}
    try:
        dynamo.put_item(TableName=TABLE, Item=ROW, ConditionExpression=condition, **values)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


@pytest.mark.parametrize("condition", HOLD)
def test_a_condition_that_holds(dynamo: Any, condition: str) -> None:
    dynamo.put_item(TableName=TABLE, Item=ROW)
    assert put_if(dynamo, condition) is None


@pytest.mark.parametrize("condition", FAIL)
def test_a_condition_that_does_not(dynamo: Any, condition: str) -> None:
    dynamo.put_item(TableName=TABLE, Item=ROW)
    assert put_if(dynamo, condition) == "ConditionalCheckFailedException"


def test_rows_change_as_an_update_says(dynamo: Any) -> None:
    dynamo.put_item(TableName=TABLE, Item=ROW)
    for expression, names, values in [
        (
            "SET #letter = :x, more = :y REMOVE #nest",
            {"#letter": "letter", "#nest": "nest"},
            {":x": "new", ":y": 7},
        ),
        ("ADD amount :one", {}, {":one": 1}),
        ("ADD fresh :one", {}, {":one": 1}),
    ]:
        dynamo.update_item(
            TableName=TABLE,
            Key={"pk": "p", "sk": "a"},
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
            **({"ExpressionAttributeNames": names} if names else {}),
        )
    row = dynamo.get_item(TableName=TABLE, Key={"pk": "p", "sk": "a"})["Item"]
    assert row == {"pk": "p", "sk": "a", "letter": "new", "more": 7, "amount": Decimal(6), "fresh": 1}


def test_an_update_makes_a_row_that_is_missing(dynamo: Any) -> None:
    dynamo.update_item(
        TableName=TABLE,
        Key={"pk": "p", "sk": "z"},
        UpdateExpression="SET more = :y",
        ExpressionAttributeValues={":y": 7},
    )
    assert dynamo.get_item(TableName=TABLE, Key={"pk": "p", "sk": "z"})["Item"]["more"] == 7


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("pk = :pk", ["A", "a", "a1", "b"]),
        ("pk = :pk AND begins_with(sk, :a)", ["a", "a1"]),
        ("pk = :pk AND sk BETWEEN :a AND :b", ["a", "a1", "b"]),
    ],
)
def test_a_query_answers_in_order(dynamo: Any, condition: str, expected: list[str]) -> None:
    for sort_key in ("b", "a1", "A", "a"):
        dynamo.put_item(TableName=TABLE, Item={"pk": "query", "sk": sort_key})
    dynamo.put_item(TableName=TABLE, Item={"pk": "another", "sk": "a"})
    values = {
        name: value for name, value in {":pk": "query", ":a": "a", ":b": "b"}.items() if name in condition
    }
    for forward in (True, False):
        answer = dynamo.query(
            TableName=TABLE,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ScanIndexForward=forward,
        )
        found = [row["sk"] for row in answer["Items"]]
        assert found == (expected if forward else expected[::-1])


def test_a_transaction_is_all_or_nothing(dynamo: Any) -> None:
    dynamo.put_item(TableName=TABLE, Item={"pk": "transaction", "sk": "a"})
    puts = [
        {
            "Put": {
                "TableName": TABLE,
                "Item": {"pk": "transaction", "sk": key},
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for key in ("b", "a")
    ]
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        dynamo.transact_write_items(TransactItems=puts)
    assert "Item" not in dynamo.get_item(TableName=TABLE, Key={"pk": "transaction", "sk": "b"})
    dynamo.transact_write_items(TransactItems=puts[:1])
    keys = [{"pk": "transaction", "sk": key} for key in ("a", "b", "c")]
    answer = dynamo.batch_get_item(RequestItems={TABLE: {"Keys": keys}})
    assert sorted(row["sk"] for row in answer["Responses"][TABLE]) == ["a", "b"]


def versions(s3: Any, **arguments: str) -> Iterator[tuple[str, bool, int | None]]:
    """Key, whether it is the newest, and the size unless it is a delete marker."""
    answer = s3.list_object_versions(Bucket=BUCKET, **arguments)
    for one in [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]:
        yield one["Key"], one["IsLatest"], one.get("Size")


def test_an_object_has_its_history(s3: Any) -> None:
    first = s3.put_object(Bucket=BUCKET, Key="m/a", Body=b"one", ChecksumAlgorithm="SHA256")
    s3.delete_object(Bucket=BUCKET, Key="m/a")
    with pytest.raises(ClientError) as missing:
        s3.head_object(Bucket=BUCKET, Key="m/a")
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    s3.put_object(
        Bucket=BUCKET, Key="m/a", Body=b"three", Metadata={"volumes": "3"}, ChecksumAlgorithm="SHA256"
    )
    s3.put_object(Bucket=BUCKET, Key="m/b", Body=b"", ChecksumAlgorithm="SHA256")
    assert sorted(versions(s3, Prefix="m/a"), key=str) == sorted(
        [("m/a", True, 5), ("m/a", False, None), ("m/a", False, 3)], key=str
    )
    head = s3.head_object(Bucket=BUCKET, Key="m/a", ChecksumMode="ENABLED")
    assert (head["ContentLength"], head["Metadata"]) == (5, {"volumes": "3"})
    assert head["ChecksumSHA256"] == "i1udsME9skJWyCmqNkqpDG0uujGLkjKkq5MTuVTTVV8="
    assert s3.get_object(Bucket=BUCKET, Key="m/a")["Body"].read() == b"three"
    assert first["ETag"] == '"f97c5d29941bfb1b2fdab0874906ab82"'


def test_a_listing_goes_by_prefix_from_behind_a_key(s3: Any) -> None:
    for key in ("l/b", "l/a", "l/B", "n/a"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    s3.delete_object(Bucket=BUCKET, Key="l/b")
    answer = s3.list_objects_v2(Bucket=BUCKET, Prefix="l/", StartAfter="l/B")
    assert [one["Key"] for one in answer["Contents"]] == ["l/a"]
    assert answer["IsTruncated"] is False


def test_archived_objects_are_asked_for_and_read_as_in_moto(s3: Any) -> None:
    """moto has a copy done at the first look, lists no state of restores, and knows no 409."""
    request = {"Days": 3, "GlacierJobParameters": {"Tier": "Bulk"}}
    s3.put_object(Bucket=BUCKET, Key="cold", Body=b"x", StorageClass="DEEP_ARCHIVE")
    s3.put_object(Bucket=BUCKET, Key="warm", Body=b"x")
    assert s3.head_object(Bucket=BUCKET, Key="cold")["StorageClass"] == "DEEP_ARCHIVE"
    assert "Restore" not in s3.head_object(Bucket=BUCKET, Key="cold")
    answer = s3.restore_object(Bucket=BUCKET, Key="cold", RestoreRequest=request)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    if isinstance(s3, MemoryS3):
        assert s3.head_object(Bucket=BUCKET, Key="cold")["Restore"] == 'ongoing-request="true"'
        s3.finish("cold")
    header = s3.head_object(Bucket=BUCKET, Key="cold")["Restore"]
    assert header.startswith('ongoing-request="false", expiry-date="')
    assert header.endswith(' GMT"')
    answer = s3.restore_object(Bucket=BUCKET, Key="cold", RestoreRequest=request)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    for key, code in (("warm", "InvalidObjectState"), ("none", "NoSuchKey")):
        with pytest.raises(ClientError) as refused:
            s3.restore_object(Bucket=BUCKET, Key=key, RestoreRequest=request)
        if isinstance(s3, MemoryS3):
            assert refused.value.response["Error"]["Code"] == code
