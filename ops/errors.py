"""The one error that the owner's commands expect, and what is said where AWS refuses for lack of rights."""

from __future__ import annotations

from botocore.exceptions import ClientError


class OpsError(Exception):
    """Something the owner can fix; ``str(error)`` is one sentence: what is wrong and what to do."""


REFUSALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403")
"""What AWS's services call it; a HEAD of S3 has no more than the number."""


def for_owners(error: Exception) -> str:
    """Whom to ask, as a sentence to append where AWS refused for lack of rights; else nothing."""
    if not isinstance(error, ClientError) or error.response["Error"]["Code"] not in REFUSALS:
        return ""
    return (
        ' These AWS credentials may not do that. With those for looking only (docs/fleet.md, "Who may look"), ask the'
        " stage's owner to type this command."
    )
