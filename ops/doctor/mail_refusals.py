"""Who does not get their mail although SES knows the address: refused by SES itself, or silently dropped by it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.owner_wire import ReportStatus
from ops.stages import Stage


def refusals(ses: Any, status: ReportStatus, stage: Stage) -> list[str]:
    """A sentence for each address that the newest weekly mail could not reach, with what to do."""
    refused = [
        f"SES refused the weekly mail to {address}: {reason.rstrip('.')}. Confirm the address, or take it out of those"
        " who get the mail; it is tried again every hour"
        for address, reason in status.refused.items()
    ]
    # MiniStack keeps no such list.
    suppressed = {} if stage.on_local_stack else suppressed_addresses(ses, stage.recipients)
    return refused + [
        f"SES drops mail to {address} because of an earlier {reason.lower()}: once the mailbox takes mail again,"
        f" `aws sesv2 delete-suppressed-destination --email-address {address}`"
        for address, reason in suppressed.items()
    ]


def suppressed_addresses(ses: Any, addresses: Iterable[str]) -> dict[str, str]:
    """Those on the account's suppression list, with the reason (``BOUNCE``, ``COMPLAINT``): SES takes mail for them
    without a word, and sends none."""
    found: dict[str, str] = {}
    for address in dict.fromkeys(addresses):
        try:
            answer = ses.get_suppressed_destination(EmailAddress=address)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotFoundException":
                continue
            raise
        found[address] = answer["SuppressedDestination"]["Reason"]
    return found
