"""Errors of AWS as one sentence, with what to do."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from ops.deploy.access import NO_CREDENTIALS
from ops.errors import OpsError, for_owners

AWS_ERRORS = (ClientError, BotoCoreError)


def as_ops_error(error: Exception) -> OpsError:
    """One of ``AWS_ERRORS``, or an ``OpsError`` as it is."""
    if isinstance(error, OpsError):
        return error
    if isinstance(error, NoCredentialsError):
        return OpsError(NO_CREDENTIALS)
    if isinstance(error, NoRegionError):
        return OpsError(
            "No AWS region is set: name the one that you deployed to, for example by"
            " `export AWS_DEFAULT_REGION=eu-central-1`."
        )
    if _is_of_another_time(error):
        return OpsError(
            f"This computer's clock is wrong, says AWS: {error} Set it, then type the command again."
        )
    return OpsError(
        f"AWS refused: {error} Fix that, then type the command again; what is done stays done.{for_owners(error)}"
    )


def _is_of_another_time(error: Exception) -> bool:
    """Whether the request seemed to have been signed minutes ago, or in minutes."""
    if not isinstance(error, ClientError):
        return False
    about = error.response["Error"]
    said = about.get("Message", "")
    return about["Code"] in ("RequestTimeTooSkewed", "RequestExpired") or said.startswith(
        ("Signature expired:", "Signature not yet current:")
    )
