"""The owner's commands, carried out by the ``admin`` function: AWS's own access rules decide who may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.aws import Aws
from ops.errors import OpsError
from ops.local_stack import DEFAULT_STATE_FOLDER, LocalStack
from ops.stack_file import StackDescription
from ops.stages import APP_NAME, LOCAL

ANSWER_SECONDS = 310
"""Longer than the function may run: it, not the connection, says when it took too long."""


class AdminClient:
    """Invokes the ``admin`` function of one stage. ``api_url`` is None where it is not known here."""

    def __init__(self, aws: Aws, function_name: str, api_url: str | None = None) -> None:
        self._lambda = aws.client("lambda", read_timeout=ANSWER_SECONDS, retries={"total_max_attempts": 1})
        self._function_name = function_name
        self.api_url = api_url

    def call(self, command: str, **arguments: Any) -> Any:
        """The command's result. Raises ``OpsError`` with the service's own sentence where it is refused."""
        payload = {
            "command": command,
            **{name: value for name, value in arguments.items() if value is not None},
        }
        try:
            answer = self._lambda.invoke(
                FunctionName=self._function_name, Payload=json.dumps(payload).encode()
            )
            body = json.loads(answer["Payload"].read())
        except (ClientError, BotoCoreError) as error:
            raise OpsError(f"{self._function_name} could not be called: {error}") from error
        if "FunctionError" in answer:
            reason = body.get("errorMessage", "no reason given") if isinstance(body, dict) else body
            raise OpsError(f"{self._function_name} failed: {reason}")
        if "error" in body:
            raise OpsError(str(body["message"]))
        return body["result"]

    def catalogue_objects(self, machine: str) -> Iterator[dict[str, Any]]:
        """Every object that the catalogue knows of a machine, all pages; "" for strays of no machine."""
        after: str | None = None
        while True:
            page = self.call("catalogue_objects", machine=machine, after=after)
            yield from page["objects"]
            after = page.get("next")
            if after is None:
                return


def admin_client(stage_name: str, state_folder: Path = DEFAULT_STATE_FOLDER) -> AdminClient:
    """The client for a stage. Raises ``OpsError`` where the local stack is asked for and does not run."""
    if stage_name == LOCAL.name:
        stack = LocalStack(state_folder).description()
        if stack is None:
            raise OpsError("The local stack is not running: `python -m ops local up` starts it.")
        return local_admin_client(stack)
    return AdminClient(Aws(), f"{APP_NAME}-{stage_name}-admin")


def local_admin_client(stack: StackDescription) -> AdminClient:
    """The client for a local stack that is known already."""
    return AdminClient(Aws(stack.region, stack.endpoint), stack.functions["admin"], stack.api_url)
