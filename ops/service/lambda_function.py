"""Calling one of the service's Lambda functions: AWS's own access rules decide who may."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from ops.aws import Aws
from ops.errors import OpsError, for_owners

ANSWER_SECONDS = 910
"""Longer than any function may run: the function's own time limit ends a call, not the connection."""


class NoSuchFunction(OpsError):
    """There is no function of this name in the account and region."""


class FunctionFailed(OpsError):
    """It began and did not come to its end: part of what was asked for may be done."""


class LambdaFunction:
    """``name`` is the deployed name, ``panicroom-home-admin``."""

    def __init__(self, aws: Aws, name: str) -> None:
        # Told once more, a command may be carried out twice.
        self._client = aws.client("lambda", read_timeout=ANSWER_SECONDS, retries={"total_max_attempts": 1})
        self.aws = aws
        self.name = name

    def call(self, payload: dict[str, Any]) -> Any:
        """What the function answers. Raises ``OpsError`` where it cannot be called, as ``NoSuchFunction`` where it is
        not there, as ``FunctionFailed`` where it fails."""
        try:
            answer = self._client.invoke(FunctionName=self.name, Payload=json.dumps(payload).encode())
            body: Any = json.loads(answer["Payload"].read())
        except NoCredentialsError:
            raise  # said better for all commands alike
        except self._client.exceptions.ResourceNotFoundException as error:
            raise NoSuchFunction(f"{self.name} could not be called: {error}") from error
        except (ClientError, BotoCoreError) as error:
            raise OpsError(f"{self.name} could not be called: {error}{for_owners(error)}") from error
        if answer.get("FunctionError"):
            reason = body.get("errorMessage", "no reason given") if isinstance(body, dict) else body
            raise FunctionFailed(f"{self.name} failed: {reason}")
        return body
