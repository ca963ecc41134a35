"""The whole service on one's own machine: MiniStack, the resources, and the app as Chalice packages it.

``up`` starts MiniStack, makes the resources, packages the app and deploys it, and writes ``stack.json``. Each
instance has a state folder of its own, so that tests run beside a person's.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chalicelib.domain.audit.lifecycle.own_rules import own_rules
from ops.aws import Aws
from ops.client.offer import client_changes, offer_client
from ops.errors import OpsError
from ops.functions.package import (
    PROJECT,
    copy_project,
    package_app_once,
    package_digest,
    with_code_at,
)
from ops.local.ministack import HOST, MiniStack, free_port
from ops.local.stack_file import FILE_NAME, StackDescription, read_stack
from ops.resources.cloudformation import deploy_stack, physical_id
from ops.resources.stack import deploy_resources
from ops.resources.template import TEMPLATE_PATH
from ops.stages import API_STAGE, LOCAL, Stage
from ops.steps import Steps, silent_steps

DEFAULT_STATE_FOLDER = PROJECT / "build" / "local"
POLL_SECONDS = 0.1


class LocalStack:
    """One local stack. ``project`` is the folder whose ``app.py`` and ``chalicelib`` are deployed."""

    def __init__(self, state_folder: Path = DEFAULT_STATE_FOLDER, *, project: Path = PROJECT) -> None:
        self.state_folder = state_folder
        self._project = project
        self._stage: Stage = LOCAL
        self._ministack = MiniStack(state_folder)
        self._digest_path = state_folder / "deployed.digest"

    def is_running(self) -> bool:
        return self._ministack.is_running()

    def description(self) -> StackDescription | None:
        """Where everything is; None unless the stack runs and was deployed."""
        return read_stack(self.state_folder) if self.is_running() else None

    def up(
        self,
        port: int | None = None,
        *,
        enforce_iam: bool = False,
        environment: dict[str, str] | None = None,
        steps: Steps | None = None,
    ) -> StackDescription:
        """Starts what is not running and deploys what changed; the data of a running stack stay.

        ``environment`` adds variables to a MiniStack that is started. Raises ``OpsError``.
        """
        steps = steps or silent_steps()
        self.state_folder.mkdir(parents=True, exist_ok=True)
        if self.is_running():
            self._check_same(port, enforce_iam)
        else:
            self._forget()
            with steps.step("Starting the local stack"):
                self._ministack.start(port or free_port(), enforce_iam=enforce_iam, environment=environment)
        copy = self.state_folder / "project"
        copy_project(copy, self._stage, self._project)
        digest = _digest_of_everything(copy, self._stage)
        description = read_stack(self.state_folder)
        aws = Aws(self._stage.region, f"http://{HOST}:{self._ministack.port}")
        if not description or not self._is_deployed(digest):
            with steps.step("Making bucket, queues, table and mail identities"):
                deploy_resources(aws, self._stage, poll_seconds=POLL_SECONDS)
            with steps.step("Packaging and deploying the service"):
                self._deploy_app(aws, copy)
            description = self._describe(aws)
            description.write(self.state_folder)
            self._digest_path.write_text(digest)
        if client_changes(aws, self._stage):
            with steps.step("Building the client, to be fetched by the machines"):
                offer_client(aws, self._stage)
        return description

    def down(self) -> bool:
        """Ends it and removes all its data; false if it was not running."""
        was_running = self._ministack.stop()
        self._forget()
        return was_running

    def _is_deployed(self, digest: str) -> bool:
        return self._digest_path.exists() and self._digest_path.read_text() == digest

    def _check_same(self, port: int | None, enforce_iam: bool) -> None:
        running_on = self._ministack.port
        if port not in (None, running_on):
            raise OpsError(
                f"The local stack runs already, on port {running_on}: `python -m ops local down` first."
            )
        if enforce_iam != self._ministack.enforces_iam:
            raise OpsError(
                "The local stack runs already, with IAM "
                f"{'not ' if enforce_iam else ''}enforced: `python -m ops local down` first."
            )

    def _forget(self) -> None:
        for name in (FILE_NAME, self._digest_path.name):
            (self.state_folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.state_folder / "project", ignore_errors=True)

    def _deploy_app(self, aws: Aws, copy: Path) -> None:
        package = package_app_once(copy, self._stage)
        bucket = f"{self._stage.prefix}-code"
        aws.client("s3").create_bucket(Bucket=bucket)
        code = _store(aws, bucket, package.zip_path.read_bytes(), "zip")
        template = json.dumps(with_code_at(package.template, bucket, code)).encode()
        deploy_stack(
            aws.client("cloudformation"),
            name=self._stage.prefix,
            template={"TemplateURL": f"{aws.endpoint}/{bucket}/{_store(aws, bucket, template, 'json')}"},
            poll_seconds=POLL_SECONDS,
        )

    def _describe(self, aws: Aws) -> StackDescription:
        cloudformation = aws.client("cloudformation")
        rest_api = physical_id(cloudformation, self._stage.prefix, "RestAPI")
        queues = f"{aws.endpoint}/{self._stage.account}"
        return StackDescription(
            endpoint=str(aws.endpoint),
            region=self._stage.region,
            api_url=f"{aws.endpoint}/restapis/{rest_api}/{API_STAGE}/_user_request_",
            bucket=self._stage.bucket,
            table=self._stage.table,
            queue=f"{queues}/{self._stage.queue}",
            dead_letter_queue=f"{queues}/{self._stage.dead_letter_queue}",
            functions=self._stage.functions,
        )


def running_stack(state_folder: Path) -> StackDescription:
    """Where the running stack is. Raises ``OpsError`` where none runs."""
    stack = LocalStack(state_folder).description()
    if stack is None:
        raise OpsError("The local stack is not running: `python -m ops local up` starts it.")
    return stack


@contextmanager
def local_stack(
    state_folder: Path,
    *,
    project: Path = PROJECT,
    enforce_iam: bool = False,
    environment: dict[str, str] | None = None,
) -> Iterator[StackDescription]:
    """A stack of one's own for the length of a ``with``; what an earlier one left behind is ended first."""
    stack = LocalStack(state_folder, project=project)
    stack.down()
    try:
        yield stack.up(enforce_iam=enforce_iam, environment=environment)
    finally:
        stack.down()


def _store(aws: Aws, bucket: str, body: bytes, suffix: str) -> str:
    """Returns the key, which follows the content: CloudFormation looks no further than the template for a change."""
    key = f"{hashlib.sha256(body).hexdigest()}.{suffix}"
    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return key


def _digest_of_everything(copy: Path, stage: Stage) -> str:
    beside_the_app = json.dumps([TEMPLATE_PATH.read_text(), own_rules()])
    return hashlib.sha256((package_digest(copy, stage) + beside_the_app).encode()).hexdigest()
