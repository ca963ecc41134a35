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
    return OpsError(
        f"AWS refused: {error} Fix that, then type the command again; what is done stays done.{for_owners(error)}"
    )
