"""Mail by SES v2."""

from __future__ import annotations

from collections.abc import Sequence
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


class MailRefused(Exception):
    """SES will not take the mail for these recipients, however often it is asked; ``str(error)`` is its reason."""


class Mailer:
    def __init__(self, client: Any, sender: str) -> None:
        self._client = client
        self._sender = sender

    def send(self, mail: Mail, recipients: Sequence[str]) -> str:
        """The id that SES gave the message; raises ``MailRefused``, or botocore's ``ClientError`` for the rest."""
        message = as_message(mail, self._sender, recipients)
        try:
            answer = self._client.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": list(recipients)},
                # Its whole form, since attachments are young in the simple one and Lambda's boto3 may not know them.
                Content={"Raw": {"Data": message.as_bytes(policy=SMTP)}},
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
