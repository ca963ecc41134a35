"""Events that could not be catalogued: seen without being lost, and sent again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ops.conftest import Owner

MALFORMED = ["{broken", json.dumps({"Records": [{"s3": {}}]}), json.dumps(["no", "object"]), "x" * 200]
ENOUGH_SECONDS = 20


def event(bucket: str, *keys: str) -> str:
    return json.dumps(
        {"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": key}}} for key in keys]}
    )


@pytest.fixture
def letters(owner: Owner) -> Iterator[list[str]]:
    """Bodies that are in the dead-letter queue: the malformed, and a dozen that can be read."""
    bodies = [*MALFORMED, *(event(owner.stack.bucket, f"odd/{number}.jpg") for number in range(12))]
    sqs = owner.client("sqs")
    for body in bodies:
        sqs.send_message(QueueUrl=owner.stack.dead_letter_queue, MessageBody=body)
    yield bodies
    sqs.purge_queue(QueueUrl=owner.stack.dead_letter_queue)


def listed(owner: Owner) -> list[dict[str, Any]]:
    return list(owner.asks("dead-letters", "list")["messages"])


def test_every_message_is_shown_with_what_it_is_about(owner: Owner, letters: list[str]) -> None:
    shown = listed(owner)
    assert len({one["message_id"] for one in shown}) == len(letters) == len(shown)
    about = {one["about"] for one in shown if not one["malformed"]}
    assert about == {f"{owner.stack.bucket}/odd/{number}.jpg" for number in range(12)}
    assert all(0 <= one["age_seconds"] < 60 and one["receive_count"] >= 1 for one in shown)


def test_a_malformed_message_is_shown_by_how_it_starts_and_why_it_fails(
    owner: Owner, letters: list[str]
) -> None:
    malformed = {one["about"]: one["malformed"] for one in listed(owner) if one["malformed"]}
    assert set(malformed) == {*MALFORMED[:3], "x" * 60 + "…"}
    assert malformed['["no", "object"]'] == "the message is no JSON object"


def test_looking_loses_nothing_and_hides_nothing(owner: Owner, letters: list[str]) -> None:
    first = {one["message_id"] for one in listed(owner)}
    assert {one["message_id"] for one in listed(owner)} == first


def test_a_message_of_several_records_says_how_many_there_are(owner: Owner) -> None:
    sqs, queue = owner.client("sqs"), owner.stack.dead_letter_queue
    sqs.send_message(QueueUrl=queue, MessageBody=event("b", "one", "two", "three"))
    try:
        assert [one["about"] for one in listed(owner)] == ["b/one and 2 more"]
    finally:
        sqs.purge_queue(QueueUrl=queue)


def test_replay_has_the_catalogue_take_what_it_can_and_leaves_the_malformed(
    owner: Owner, letters: list[str]
) -> None:
    s3, keys = owner.client("s3"), {f"odd/{number}.jpg" for number in range(12)}
    try:
        for key in keys:
            s3.put_object(Bucket=owner.stack.bucket, Key=key, Body=b"1")
        wait_for_known(owner, keys)  # by their own events
        forget(owner, keys)
        answer = owner.asks("dead-letters", "replay")
        assert answer["replayed"] == 12
        assert len(answer["left"]) == len(MALFORMED) == len(listed(owner))
        wait_for_known(owner, keys)
    finally:
        for key in keys:
            s3.delete_object(Bucket=owner.stack.bucket, Key=key)


def wait_for_known(owner: Owner, keys: set[str]) -> None:
    give_up_at = time.monotonic() + ENOUGH_SECONDS
    while not keys <= known_keys(owner):
        assert time.monotonic() < give_up_at
        time.sleep(0.2)


def forget(owner: Owner, keys: set[str]) -> None:
    for key in keys:
        row = {"pk": {"S": "STRAYS"}, "sk": {"S": f"{owner.stack.bucket}/{key}"}}
        owner.client("dynamodb").delete_item(TableName=owner.stack.table, Key=row)
    assert not keys & known_keys(owner)


def known_keys(owner: Owner) -> set[str]:
    """Keys of no machine that the catalogue knows."""
    answer = owner.client("dynamodb").query(
        TableName=owner.stack.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "STRAYS"}},
    )
    return {item["sk"]["S"].removeprefix(f"{owner.stack.bucket}/") for item in answer["Items"]}


def test_people_are_told_in_words(owner: Owner, letters: list[str]) -> None:
    shown = owner.types("dead-letters", "list").stdout
    assert "    malformed: the message is no JSON object\n" in shown
    assert f"    {owner.stack.bucket}/odd/3.jpg\n    can be read: " in shown
    assert "16 waiting." in shown
    said = owner.types("dead-letters", "replay").stdout
    assert "12 sent again." in said
    assert "4 are malformed and stay" in said


def test_an_empty_queue_is_good_news(owner: Owner) -> None:
    assert "No event is waiting here." in owner.types("dead-letters", "list").stdout
    assert owner.asks("dead-letters", "replay") == {"replayed": 0, "left": []}
