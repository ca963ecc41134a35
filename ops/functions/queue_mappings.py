"""The mapping from the events' queue to a function, which Lambda lets nobody change while it settles.

A new one is Creating for some ten seconds, a changed one Updating, a deleted one Deleting for as long. Until
then every change is answered with ResourceInUseException, and a second mapping of the same queue and function
with ResourceConflictException.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ops.aws import Aws
from ops.errors import OpsError
from ops.stages import Stage

SETTLED = ("Enabled", "Disabled")
SETTLE_SECONDS = 180
"""Many times what it usually takes; AWS promises nothing."""


def event_source_mappings(aws: Aws, stage: Stage, short_name: str) -> list[dict[str, Any]]:
    """The queue mappings of a function but those that are being deleted, the one to the stage's queue first.

    Also of a function that is gone, which leaves its mapping behind.
    """
    queue = stage.arn("sqs", stage.queue)
    mappings = [one for one in _with_deleted(aws, stage, short_name) if one["State"] != "Deleting"]
    return sorted(mappings, key=lambda mapping: (mapping["EventSourceArn"] != queue, mapping["UUID"]))


def remove_surplus_mappings(aws: Aws, stage: Stage, poll_seconds: float) -> None:
    """Leaves each function one mapping at most, and none that is still being deleted; raises ``OpsError``.

    A deploy that was killed may have made a mapping that nobody recorded, and the next one another.
    """
    functions = aws.client("lambda")
    for short_name in stage.functions:
        for mapping in event_source_mappings(aws, stage, short_name)[1:]:
            _once_settled(functions, "delete_event_source_mapping", poll_seconds, UUID=mapping["UUID"])
        for _ in _tries(poll_seconds, f"the deleted queue mapping of {stage.function(short_name)}"):
            if all(one["State"] != "Deleting" for one in _with_deleted(aws, stage, short_name)):
                break


def finish_mapping(aws: Aws, stage: Stage, short_name: str, poll_seconds: float) -> None:
    """Has the queue bring back the messages that failed, and not their whole batch; switches on what was switched off.

    Raises ``OpsError``.
    """
    for mapping in event_source_mappings(aws, stage, short_name):
        _once_settled(
            aws.client("lambda"),
            "update_event_source_mapping",
            poll_seconds,
            UUID=mapping["UUID"],
            Enabled=True,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )


def _once_settled(functions: Any, operation: str, poll_seconds: float, **arguments: Any) -> None:
    uuid = arguments["UUID"]
    for _ in _tries(poll_seconds, f"the queue mapping {uuid}"):
        if functions.get_event_source_mapping(UUID=uuid)["State"] in SETTLED:
            try:
                getattr(functions, operation)(**arguments)
            except functions.exceptions.ResourceInUseException:
                continue  # it changed between the check and the call
            return


def _tries(poll_seconds: float, what: str) -> Iterator[None]:
    """Gives the caller one try after another; raises ``OpsError`` when they have used up ``SETTLE_SECONDS``."""
    for _ in range(int(SETTLE_SECONDS / poll_seconds)):
        yield
        time.sleep(poll_seconds)
    raise OpsError(
        f"Lambda has been busy with {what} for {SETTLE_SECONDS} seconds: type the command again in some minutes."
    )


def _with_deleted(aws: Aws, stage: Stage, short_name: str) -> list[dict[str, Any]]:
    functions = aws.client("lambda")
    paginator = functions.get_paginator("list_event_source_mappings")
    try:
        pages = list(paginator.paginate(FunctionName=stage.function(short_name)))
    except functions.exceptions.ResourceNotFoundException:
        return []
    return [dict(mapping) for page in pages for mapping in page["EventSourceMappings"]]
