"""What the queue brings, and what is made of it: each record by itself, and nothing that S3 cannot have sent."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.backups.events import KeyChange, MalformedEvent, key_changes, lag_seconds


def record(key: str = "k", bucket: object = "bucket", **described: object) -> dict[str, Any]:
    return {"s3": {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": "0A", **described}}}


GOOD = KeyChange("bucket", "k", "0A")

ODD: dict[str, object] = {
    "no object": {"s3": {"bucket": {"name": "bucket"}}},
    "no record at all": None,
    "a text": "text",
    "a list": [],
    "a bucket that is a number": record(bucket=7),
    "a bucket of no name": record(bucket=""),
    "a bucket's name that fits into no row": record(bucket="b" * 4000),
    "a bucket of two": record(bucket="bucket#x/y"),
    "no key": record(key=""),
    "a key that is longer than S3's": record(key="k" * 1025),
    "a machine's name that fits into no row": record(key=f"{'m' * 1100}/{'j' * 1100}/x"),
    "a key of half a letter": record(key="\ud800"),
    "a key of no UTF-8": record(key="%ff"),
    "a sequencer that blocks its key": record(sequencer="f" * 65),
    "a sequencer of letters": record(sequencer="zz"),
    "a sequencer that is a number": record(sequencer=10),
    "a sequencer of nothing": record(sequencer=None),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_record_that_s3_cannot_have_sent_is_refused_and_its_neighbours_are_read(odd: object) -> None:
    with pytest.raises(MalformedEvent) as refused:
        key_changes({"Records": [record(), odd, record(key="b")]})
    assert refused.value.changes == (GOOD, KeyChange("bucket", "b", "0A"))


@pytest.mark.parametrize(
    "body",
    [
        {"Type": "Notification", "Message": json.dumps({"Records": [record()]})},
        {"source": "aws.s3", "detail-type": "Object Created", "detail": {"object": {"key": "k"}}},
        {"Records": None},
        {"Records": {}},
        {},
        [],
        "text",
        7,
        None,
    ],
    ids=[
        "SNS",
        "EventBridge",
        "no records",
        "records by name",
        "nothing",
        "a list",
        "a text",
        "a number",
        "null",
    ],
)
def test_what_is_no_notification_of_s3s_is_refused_whole(body: object) -> None:
    with pytest.raises(MalformedEvent) as refused:
        key_changes(body)
    assert refused.value.changes == ()


@pytest.mark.parametrize(
    "key", ["a b+c", "100%", "x%2By", "é🙂", "e\u0301", "\u202egnp", "two\nlines", " ", "k" * 1024]
)
def test_a_key_is_decoded_once(key: str) -> None:
    assert key_changes({"Records": [record(key=quote_plus(key, safe="/"))]})[0].key == key


def test_the_test_event_has_no_changes_and_a_restore_has_no_order() -> None:
    assert key_changes({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}) == []
    unordered = {"s3": {"bucket": {"name": "bucket"}, "object": {"key": "k"}}}
    assert key_changes({"Records": [unordered]}) == [KeyChange("bucket", "k", "")]


TIMES = st.sampled_from(
    ["", "0001-01-01T00:00:00+14:00", "2026-11-29T10:00:00.000Z", "2026-11-29T10:00:00", 7, None]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Records", "s3", "bucket", "object", "key", "name"]), inner, max_size=3
        )
        | st.builds(lambda time, other: {"eventTime": time, "s3": other}, TIMES, inner)
    ),
    max_leaves=8,
)


@given(VALUES | st.builds(lambda records: {"Records": records}, VALUES))
def test_whatever_a_message_is_it_is_malformed_at_most_and_its_lag_a_number(body: object) -> None:
    """Any other error would fail all messages of its batch."""
    assert lag_seconds(body, datetime(2026, 11, 29, 12, tzinfo=timezone.utc)) >= 0
    with contextlib.suppress(MalformedEvent):
        key_changes(body)
