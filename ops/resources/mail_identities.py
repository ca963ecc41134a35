"""The addresses that SES has to know: the sender, and while the account is in SES's sandbox the recipients.

They are made by API calls and not in the template: an address that its owner has verified before is taken as
it is, where CloudFormation would stumble over it, and stays when the service goes.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ops.stages import APP_NAME, Stage


def missing_identities(ses: Any, stage: Stage) -> list[str]:
    """Addresses of the stage that SES does not know, neither by themselves nor by their domain."""
    addresses = dict.fromkeys([stage.sender, *stage.recipients])
    return [
        address
        for address in addresses
        if not (_identity(ses, address) or _is_verified(_identity(ses, address.partition("@")[2])))
    ]


def unverified_addresses(ses: Any, addresses: list[str]) -> list[str]:
    """Those of the addresses whose owner has not yet followed the link that SES sent."""
    return [
        address
        for address in addresses
        if not any(_is_verified(_identity(ses, name)) for name in (address, address.partition("@")[2]))
    ]


def make_identities(ses: Any, stage: Stage) -> list[str]:
    """Has SES send a link to each address that it does not know; the addresses."""
    made = missing_identities(ses, stage)
    for address in made:
        tags = [{"Key": "service", "Value": APP_NAME}, {"Key": "stage", "Value": stage.name}]
        ses.create_email_identity(EmailIdentity=address, Tags=tags)
    return made


def remove_identities(ses: Any, stage: Stage) -> None:
    """Forgets the addresses that ``make_identities`` made for this stage, and no other."""
    for address in dict.fromkeys(filter(None, [stage.sender, *stage.recipients])):
        identity = _identity(ses, address)
        tags = {tag["Key"]: tag["Value"] for tag in (identity or {}).get("Tags", [])}
        if tags.get("service") == APP_NAME and tags.get("stage") == stage.name:
            ses.delete_email_identity(EmailIdentity=address)


def _identity(ses: Any, name: str) -> dict[str, Any] | None:
    try:
        return dict(ses.get_email_identity(EmailIdentity=name))
    except ClientError as error:
        if error.response["Error"]["Code"] == "NotFoundException":
            return None
        raise


def _is_verified(identity: dict[str, Any] | None) -> bool:
    return bool(identity and identity.get("VerifiedForSendingStatus"))
