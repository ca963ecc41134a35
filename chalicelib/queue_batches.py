"""A batch of the queue: messages to changes, and back to the messages that could not be handled."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools import Logger

from chalicelib.domain.events import KeyChange, key_changes, lag_seconds
from chalicelib.journeys.catalogue_changes import CatalogueDesk, catalogue_changes

logger = Logger()


def handle(event: dict[str, Any], desk: CatalogueDesk) -> dict[str, Any]:
    """The answer Lambda expects of a queue's function: the ids of the messages to bring back.

    One bad message holds back none of its neighbours; after some tries it goes to the dead-letter queue.
    """
    changes: list[KeyChange] = []
    messages_of: dict[KeyChange, set[str]] = {}
    failed: dict[str, str] = {}
    lag = 0.0
    # Plainly: Powertools' classes for it come with those for forty other events.
    for record in event["Records"]:
        try:
            body = json.loads(record["body"])
            told = key_changes(body)
        except ValueError as malformed:
            failed[record["messageId"]] = str(malformed)
            continue
        for change in told:
            messages_of.setdefault(change, set()).add(record["messageId"])
        changes += told
        lag = max(lag, lag_seconds(body, desk.now))
    for change, error in catalogue_changes(desk, changes):
        for message_id in messages_of[change]:
            failed[message_id] = f"{type(error).__name__}: {error}"
    logger.info("catalogued", changes=len(changes), lag_seconds=lag, failed=list(failed.values())[:10])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
