"""Counts the events that could not be catalogued, which SQS put aside."""

from __future__ import annotations

from typing import Any


class DeadLetters:
    def __init__(self, client: Any, queue: str) -> None:
        self._client = client
        self._queue = queue

    def count(self) -> int:
        """As SQS knows it, which may be a minute late."""
        url = self._client.get_queue_url(QueueName=self._queue)["QueueUrl"]
        name = "ApproximateNumberOfMessages"
        answer = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return int(answer["Attributes"][name])
