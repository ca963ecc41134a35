"""A batch of the queue: messages to changes, and back to the messages that could not be handled."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from aws_lambda_powertools import Logger

from chalicelib.domain.backups.events import (
    KeyChange,
    MalformedEvent,
    RestoreEvent,
    key_changes,
    lag_seconds,
    restore_events,
)
from chalicelib.journeys.catalogue.catalogue_changes import Contended, catalogue_changes
from chalicelib.journeys.catalogue.catalogue_context import CatalogueContext

logger = Logger()

RecordRestores = Callable[[Sequence[RestoreEvent]], None]
"""What is done with the restore events of a batch."""


def _read(record: dict[str, Any]) -> tuple[object, Sequence[KeyChange], bool]:
    """A message's body, what can be read of it, and whether that is all of it."""
    body: object = None
    try:
        body = json.loads(record["body"])
        return body, key_changes(body), True
    except ValueError as error:
        logger.exception("not an event", message_id=record["messageId"])
        return body, error.changes if isinstance(error, MalformedEvent) else (), False


def handle(
    event: dict[str, Any], context: CatalogueContext, record_restores: RecordRestores
) -> dict[str, Any]:
    """The answer Lambda expects of a queue's function: the ids of the messages to bring back.

    One bad message holds back none of its neighbours; after some tries it goes to the dead-letter queue. The log has
    the reason, a line a key.
    """
    changes, restores = list[KeyChange](), list[RestoreEvent]()
    messages_of: dict[KeyChange, set[str]] = {}
    failed: set[str] = set()
    lag = 0.0
    # Plainly: Powertools' classes for it come with those for forty other events.
    for record in event["Records"]:
        body, changed, well_formed = _read(record)
        if not well_formed:
            failed.add(record["messageId"])
        for change in changed:
            messages_of.setdefault(change, set()).add(record["messageId"])
        changes += changed
        restores += restore_events(body)
        lag = max(lag, lag_seconds(body, context.now))
    for change, error in catalogue_changes(context, changes):
        # Of those that are too many at once some have to come again: nothing is wrong with that.
        log = logger.warning if isinstance(error, Contended) else logger.error
        log("not catalogued", bucket=change.bucket, key=change.key, exc_info=error)
        failed |= messages_of[change]
    if restores:
        _record(record_restores, restores)
    logger.info("catalogued", changes=len(changes), lag_seconds=lag, failed=len(failed))
    failed_messages = [record["messageId"] for record in event["Records"] if record["messageId"] in failed]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed_messages]}


def _record(record_restores: RecordRestores, restores: Sequence[RestoreEvent]) -> None:
    """A thaw looks for itself every quarter of an hour: for want of an event no message has to come again."""
    try:
        record_restores(restores)
    except Exception:
        logger.warning("restore events not noted", events=len(restores), exc_info=True)
