"""Mail by SES v2."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.rendering import Mail

_REFUSALS = frozenset(
    {
        "MessageRejected",
        "MailFromDomainNotVerifiedException",
        "SendingPausedException",
        "AccountSuspendedException",
        "BadRequestException",
        "AccessDeniedException",
    }
)

_TOO_FAST = frozenset({"TooManyRequestsException", "ThrottlingException"})
WAITS_SECONDS = (1, 2, 4)
"""The sandbox takes one mail a second."""


class MailRefused(Exception):
    """SES will not take the mail for these recipients, however often it is asked; ``str(error)`` is its reason."""


class Mailer:
    """``client`` must not try again by itself: where SES was not heard in time it may have taken the mail, and the
    second one would go out as well."""

    def __init__(self, client: Any, sender: str, wait: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sender = sender
        self._wait = wait

    def send(self, mail: Mail, recipients: Sequence[str]) -> str:
        """The id that SES gave the message; raises ``MailRefused``, or botocore's ``ClientError`` for the rest."""
        message = as_message(mail, self._sender, recipients).as_bytes(policy=SMTP)
        for seconds in WAITS_SECONDS:
            try:
                return self._send(message, recipients)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _TOO_FAST:
                    raise
            self._wait(seconds)
        return self._send(message, recipients)

    def _send(self, message: bytes, recipients: Sequence[str]) -> str:
        try:
            answer = self._client.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": list(recipients)},
                # Its whole form, since attachments are young in the simple one and Lambda's boto3 may not know them.
                Content={"Raw": {"Data": message}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _REFUSALS:
                raise MailRefused(error.response["Error"].get("Message", str(error))) from error
            raise
        message_id: str = answer["MessageId"]
        return message_id


def as_message(mail: Mail, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """Text and HTML as alternatives, and the tables beside them."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = mail.subject
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    for attachment in mail.attachments:
        message.add_attachment(attachment.text, subtype="csv", filename=attachment.name)
    return message
