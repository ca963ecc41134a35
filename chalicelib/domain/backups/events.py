"""S3 events as the catalogue takes them: which key has changed, and the order of its events.

Restore events are sorted out: the bytes and the class of an archived object are what they were. They concern thaws.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import unquote_plus

_SEQUENCER = re.compile(r"[0-9A-Fa-f]{0,64}")
"""S3 documents a hexadecimal number, and sends 16 to 18 digits; empty for events that it does not order."""


@dataclasses.dataclass(frozen=True)
class KeyChange:
    """Something happened to a key. ``sequencer`` is empty for events that S3 does not order."""

    bucket: str
    key: str
    sequencer: str


class RestoreKind(Enum):
    """The last part of the event's name (S3 user guide, "notification-how-to-event-types-and-destinations").
    ``DELETE``: the readable copy has lapsed. "Post", that S3 was asked, says nothing new."""

    COMPLETED = "Completed"
    DELETE = "Delete"


@dataclasses.dataclass(frozen=True)
class RestoreEvent:
    """Something happened to the readable copy of an archived object."""

    bucket: str
    key: str
    kind: RestoreKind


_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
"""As wide as S3 ever allowed, in its oldest region."""

MAX_KEY_BYTES = 1024
"""S3's limit."""


class MalformedEvent(ValueError):
    """Not an S3 event notification; ``str(error)`` says what is missing.

    ``changes`` are those of the message's records that can be read all the same.
    """

    def __init__(self, reason: str, changes: Sequence[KeyChange] = ()) -> None:
        super().__init__(reason)
        self.changes = tuple(changes)


def key_changes(body: object) -> list[KeyChange]:
    """The changes in one message of the queue; none for the test event that S3 sends on set-up.

    Raises ``MalformedEvent``. Event versions and names are not matched: whatever happened, S3 is asked what the
    key holds now.
    """
    if isinstance(body, Mapping) and body.get("Event") == "s3:TestEvent":
        return []
    changes, reasons = list[KeyChange](), list[str]()
    for record in _records(body):
        if _is_of_restores(record):
            continue
        try:
            changes.append(_key_change(record))
        except MalformedEvent as error:
            reasons.append(str(error))
    if reasons:
        raise MalformedEvent("; ".join(dict.fromkeys(reasons)), changes)
    return changes


def restore_events(body: object) -> list[RestoreEvent]:
    """Those of one message; what cannot be read is passed over, as a lost event costs nothing."""
    events = []
    with contextlib.suppress(MalformedEvent):
        for record in _records(body):
            kind = _restore_kind(record)
            if kind is not None:
                with contextlib.suppress(MalformedEvent):
                    change = _key_change(record)
                    events.append(RestoreEvent(change.bucket, change.key, kind))
    return events


def _is_of_restores(record: Any) -> bool:
    return _event_name(record).startswith("ObjectRestore:")


def _restore_kind(record: Any) -> RestoreKind | None:
    kinds = [kind for kind in RestoreKind if _event_name(record) == f"ObjectRestore:{kind.value}"]
    return kinds[0] if kinds else None


def _event_name(record: Any) -> str:
    name = record.get("eventName") if isinstance(record, Mapping) else ""
    return str(name).removeprefix("s3:")


def lag_seconds(body: object, now: datetime) -> float:
    """How long ago S3 saw the oldest of the message's events; 0 where they carry no time that can be read."""
    times = []
    with contextlib.suppress(MalformedEvent):
        for record in _records(body):
            with contextlib.suppress(KeyError, TypeError, ValueError):
                times.append(datetime.fromisoformat(str(record["eventTime"]).replace("Z", "+00:00")))
    known = [time for time in times if time.tzinfo is not None]
    return max(0.0, (now - min(known)).total_seconds()) if known else 0.0


def _records(body: object) -> list[Any]:
    if not isinstance(body, Mapping):
        raise MalformedEvent("the message is no JSON object")
    records = body.get("Records")
    if not isinstance(records, list):
        raise MalformedEvent("the message has no Records")
    return records


def _key_change(record: Any) -> KeyChange:
    try:
        bucket = record["s3"]["bucket"]["name"]
        described = record["s3"]["object"]
        # Keys come form-encoded: a blank as +, other characters as %XX; decoded once.
        key = unquote_plus(described["key"], errors="strict")
        sequencer = described.get("sequencer", "")
        key_bytes = len(key.encode())
    except (KeyError, TypeError, AttributeError, UnicodeError) as error:
        raise MalformedEvent(f"a record is not an S3 event: {type(error).__name__} {error}") from error
    # What is longer than S3 allows would fail whatever is looked up together with it.
    if not (isinstance(bucket, str) and _BUCKET.fullmatch(bucket) and 0 < key_bytes <= MAX_KEY_BYTES):
        raise MalformedEvent("a record names no bucket or key")
    if not (isinstance(sequencer, str) and _SEQUENCER.fullmatch(sequencer)):
        raise MalformedEvent("a record's sequencer is no short hexadecimal number")
    return KeyChange(bucket, key, sequencer)
