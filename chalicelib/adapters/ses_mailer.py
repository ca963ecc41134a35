"""Mail by SES v2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.rendering import Mail


class Mailer:
    def __init__(self, client: Any, sender: str) -> None:
        self._client = client
        self._sender = sender

    def send(self, mail: Mail, recipients: Sequence[str]) -> str:
        """The id that SES gave the message; raises botocore's ``ClientError`` if SES refuses it."""

        def content(text: str) -> dict[str, str]:
            return {"Data": text, "Charset": "UTF-8"}

        answer = self._client.send_email(
            FromEmailAddress=self._sender,
            Destination={"ToAddresses": list(recipients)},
            Content={
                "Simple": {
                    "Subject": content(mail.subject),
                    "Body": {"Text": content(mail.text), "Html": content(mail.html)},
                }
            },
        )
        message_id: str = answer["MessageId"]
        return message_id
