"""The owner's commands, carried out by the functions ``admin`` and, as far as they only look, ``admin_read``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from chalicelib import wire
from chalicelib.owner_wire import (
    READ_COMMANDS,
    CataloguedObject,
    CataloguePage,
    JobListing,
    JobPlace,
    MachineListing,
    MachineRow,
)
from ops.aws import Aws
from ops.errors import OpsError
from ops.local.stack import DEFAULT_STATE_FOLDER, running_stack
from ops.local.stack_file import StackDescription
from ops.service.deployed_stage import aws_of
from ops.service.lambda_function import LambdaFunction, NoSuchFunction
from ops.service.signed_caller import signed_caller
from ops.stages import APP_NAME, LOCAL

Shape = TypeVar("Shape")


class AdminClient:
    """Calls the ``admin`` function of one stage, which is called ``name``, and its neighbour that only looks.

    ``api_url`` is None where it is not known here.
    """

    def __init__(self, aws: Aws, name: str, api_url: str | None = None) -> None:
        self._changing = LambdaFunction(aws, name)
        self._looking = LambdaFunction(aws, f"{name}_read")
        self.api_url = api_url

    def call(self, command: str, **arguments: Any) -> Any:
        """The command's result. Raises ``OpsError`` with the service's own sentence where it is refused."""
        given = {name: value for name, value in arguments.items() if value is not None}
        answer = self._answer({"command": command, **given})
        if "error" in answer:
            raise OpsError(str(answer["message"]))
        return answer["result"]

    def _answer(self, request: dict[str, Any]) -> Any:
        """A command that only looks needs no rights on the function that changes things."""
        if request["command"] in READ_COMMANDS:
            try:
                return self._looking.call(request)
            except NoSuchFunction:
                self._looking = self._changing  # a stage of version 0.1.0 has none
            return self._changing.call(request)
        caller = signed_caller(self._changing.aws, self._changing.name)
        return self._changing.call({**request, "caller": caller})

    def ask(self, shape: type[Shape], command: str, **arguments: Any) -> Shape:
        """The same as the shape of ``chalicelib.owner_wire`` that the command answers with."""
        return wire.from_json(shape, self.call(command, **arguments))

    def machines(self) -> tuple[MachineRow, ...]:
        return self.ask(MachineListing, "machine_list").machines

    def jobs(self, machine: str | None = None) -> tuple[JobPlace, ...]:
        """Every job, or those of one machine."""
        return self.ask(JobListing, "job_list", name=machine).jobs

    def catalogue_objects(self, machine: str) -> Iterator[CataloguedObject]:
        """Every object that the catalogue knows of a machine's jobs, job by job."""
        for job in self.jobs(machine):
            yield from self._catalogue_pages(name=machine, job=job.job)

    def catalogue_strays(self) -> Iterator[CataloguedObject]:
        """Every object in the service's own bucket that belongs to no set."""
        return self._catalogue_pages()

    def _catalogue_pages(self, **job: str) -> Iterator[CataloguedObject]:
        after: str | None = None
        while True:
            page = self.ask(CataloguePage, "catalogue_objects", **job, after=after)
            yield from page.objects
            after = page.next
            if after is None:
                return


def admin_client(stage_name: str, state_folder: Path = DEFAULT_STATE_FOLDER) -> AdminClient:
    """The client for a stage. Raises ``OpsError`` where the local stack is asked for and does not run."""
    if stage_name == LOCAL.name:
        return local_admin_client(running_stack(state_folder))
    return AdminClient(aws_of(stage_name, state_folder), f"{APP_NAME}-{stage_name}-admin")


def local_admin_client(stack: StackDescription) -> AdminClient:
    """The client for a local stack that is known already."""
    aws = Aws(stack.region, stack.endpoint)
    return AdminClient(aws, stack.functions["admin"], stack.api_url)
