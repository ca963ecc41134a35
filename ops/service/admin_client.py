"""The owner's commands, carried out by the ``admin`` function."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ops.aws import Aws
from ops.errors import OpsError
from ops.local.stack import DEFAULT_STATE_FOLDER, running_stack
from ops.local.stack_file import StackDescription
from ops.service.deployed_stage import aws_of
from ops.service.lambda_function import LambdaFunction
from ops.stages import APP_NAME, LOCAL


class AdminClient:
    """Calls the ``admin`` function of one stage. ``api_url`` is None where it is not known here."""

    def __init__(self, function: LambdaFunction, api_url: str | None = None) -> None:
        self._function = function
        self.api_url = api_url

    def call(self, command: str, **arguments: Any) -> Any:
        """The command's result. Raises ``OpsError`` with the service's own sentence where it is refused."""
        given = {name: value for name, value in arguments.items() if value is not None}
        answer = self._function.call({"command": command, **given})
        if "error" in answer:
            raise OpsError(str(answer["message"]))
        return answer["result"]

    def catalogue_objects(self, machine: str) -> Iterator[dict[str, Any]]:
        """Every object that the catalogue knows of a machine's jobs, job by job."""
        for job in self.call("job_list", name=machine)["jobs"]:
            yield from self._catalogue_pages(name=machine, job=job["job"])

    def catalogue_strays(self) -> Iterator[dict[str, Any]]:
        """Every object in the service's own bucket that belongs to no set."""
        return self._catalogue_pages()

    def _catalogue_pages(self, **job: str) -> Iterator[dict[str, Any]]:
        after: str | None = None
        while True:
            page = self.call("catalogue_objects", **job, after=after)
            yield from page["objects"]
            after = page.get("next")
            if after is None:
                return


def admin_client(stage_name: str, state_folder: Path = DEFAULT_STATE_FOLDER) -> AdminClient:
    """The client for a stage. Raises ``OpsError`` where the local stack is asked for and does not run."""
    if stage_name == LOCAL.name:
        return local_admin_client(running_stack(state_folder))
    return AdminClient(LambdaFunction(aws_of(stage_name), f"{APP_NAME}-{stage_name}-admin"))


def local_admin_client(stack: StackDescription) -> AdminClient:
    """The client for a local stack that is known already."""
    aws = Aws(stack.region, stack.endpoint)
    return AdminClient(LambdaFunction(aws, stack.functions["admin"]), stack.api_url)
