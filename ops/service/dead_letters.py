"""Events that the catalogue could not take after five tries: looking at them, and sending them once more.

SQS has no way of only looking. A message that is received is hidden from others for a while, and comes back
by itself if nothing else is done; messages that were only read become visible again immediately.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.backups.events import key_changes
from ops.errors import OpsError, for_owners

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HIDDEN_SECONDS = 300
"""How long a message stays away if this process ends while it reads."""

MOST_AT_ONCE = 10
SHOWN_CHARACTERS = 60

Entry = TypeVar("Entry")


@dataclasses.dataclass(frozen=True)
class DeadLetter:
    """``malformed`` is why the catalogue will never accept it; None where another try may succeed."""

    message_id: str
    receive_count: int
    sent_at: datetime
    body: str
    receipt: str

    @property
    def malformed(self) -> str | None:
        try:
            key_changes(json.loads(self.body))
        except ValueError as error:
            return str(error)
        return None

    @property
    def about(self) -> str:
        """``bucket/key`` of its events, or else how it begins."""
        try:
            changes = key_changes(json.loads(self.body))
        except ValueError:
            changes = []
        if not changes:
            return self.body if len(self.body) <= SHOWN_CHARACTERS else f"{self.body[:SHOWN_CHARACTERS]}…"
        first, *others = (f"{change.bucket}/{change.key}" for change in changes)
        return f"{first} and {len(others)} more" if others else first


class DeadLetterQueue:
    """The dead-letter queue ``dead_name`` of the queue ``name``. Its methods raise ``OpsError``."""

    def __init__(self, sqs: SQSClient, name: str, dead_name: str) -> None:
        self._sqs = sqs
        try:
            self._queue = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            self._dead_queue = sqs.get_queue_url(QueueName=dead_name)["QueueUrl"]
        except (ClientError, BotoCoreError) as error:
            raise OpsError(
                f"The queue {dead_name} could not be opened: {error}{for_owners(error)}"
            ) from error

    def read(self) -> list[DeadLetter]:
        """All messages, the oldest first; none is lost, and all can be received again."""
        letters = self._take()
        self._show_again(letters)
        return letters

    def replay(self) -> tuple[list[DeadLetter], list[DeadLetter]]:
        """Sends to the queue again what can be read; ``(sent, left)``. The malformed stay: no try would help.

        Each goes into the queue before it leaves this one: if this ends in between, it is handled twice, which
        does the catalogue no harm.
        """
        letters = self._take()
        left = [letter for letter in letters if letter.malformed]
        sent = [letter for letter in letters if not letter.malformed]
        for group in _groups(sent):
            bodies = {str(index): letter.body for index, letter in enumerate(group)}
            answer = self._sqs.send_message_batch(
                QueueUrl=self._queue,
                Entries=[{"Id": key, "MessageBody": body} for key, body in bodies.items()],
            )
            gone = [group[int(entry["Id"])] for entry in answer["Successful"]]
            self._delete(gone)
            if failed := answer.get("Failed"):
                self._show_again(letters)
                raise OpsError(
                    f"A message could not be sent again: {failed[0].get('Message')}. Try once more."
                )
        self._show_again(left)
        return sent, left

    def _take(self) -> list[DeadLetter]:
        found: dict[str, DeadLetter] = {}
        while messages := self._receive():
            found |= {letter.message_id: letter for letter in map(_letter_of, messages)}
        return sorted(found.values(), key=lambda letter: letter.sent_at)

    def _receive(self) -> Sequence[MessageTypeDef]:
        answer = self._sqs.receive_message(
            QueueUrl=self._dead_queue,
            MaxNumberOfMessages=MOST_AT_ONCE,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=1,  # asks all of SQS's servers: without it an answer may be empty too early
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        return answer.get("Messages", [])

    def _delete(self, letters: Iterable[DeadLetter]) -> None:
        entries = [{"Id": str(index), "ReceiptHandle": one.receipt} for index, one in enumerate(letters)]
        if entries:
            self._sqs.delete_message_batch(QueueUrl=self._dead_queue, Entries=entries)  # type: ignore[arg-type]

    def _show_again(self, letters: Sequence[DeadLetter]) -> None:
        for group in _groups(letters):
            self._sqs.change_message_visibility_batch(
                QueueUrl=self._dead_queue,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": one.receipt, "VisibilityTimeout": 0}
                    for index, one in enumerate(group)
                ],
            )


def _letter_of(message: MessageTypeDef) -> DeadLetter:
    attributes = message["Attributes"]
    return DeadLetter(
        message_id=message["MessageId"],
        receive_count=int(attributes["ApproximateReceiveCount"]),
        sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, timezone.utc),
        body=message["Body"],
        receipt=message["ReceiptHandle"],
    )


def _groups(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    for start in range(0, len(entries), MOST_AT_ONCE):
        yield entries[start : start + MOST_AT_ONCE]
