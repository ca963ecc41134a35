"""Reading and writing a queue's policy, which is an attribute of the queue and one document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def read_queue_policy(sqs: SQSClient, queue: str) -> dict[str, Any] | None:
    """The policy of the queue of that name; None if it has none or is not there yet."""
    try:
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        return None
    text = (
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {}).get("Policy")
    )
    return dict(json.loads(text)) if text else None


def write_queue_policy(sqs: SQSClient, queue: str, policy: dict[str, Any]) -> None:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
