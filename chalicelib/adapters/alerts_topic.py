"""The alerts' topic of SNS, to which the owner subscribes chats, pagers and programs."""

from __future__ import annotations

from typing import Any

from chalicelib.alert_message import AlertMessage


class AlertsTopic:
    """``client`` must not try again by itself: where SNS was not heard in time it may have taken the message."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, message: AlertMessage) -> str:
        """The id that SNS gave the message; raises botocore's errors."""
        answer = self._client.publish(
            TopicArn=self._arn,
            Subject=message.subject,
            Message=message.payload,
            MessageStructure="json",
            MessageAttributes={"severity": {"DataType": "String", "StringValue": message.severity}},
        )
        message_id: str = answer["MessageId"]
        return message_id
