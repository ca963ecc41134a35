"""What tests of the owner's side share: moto's AWS, and a local stack with IAM enforced to type commands against."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import click
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from ops.aws import Aws
from ops.cli import commands
from ops.commands.arguments import options
from ops.local.stack import local_stack
from ops.local.stack_file import StackDescription
from ops.stages import Stage
from tests.json_answers import answers_as
from tools.json_answers import OF_OWNER

HOME = Stage(
    name="home",
    account="123456789012",
    region="eu-central-1",
    sender="ada@example.org",
    recipients=("ada@example.org",),
)
"""A stage that is not deployed, for tests that need no more of it than its names."""


@pytest.fixture(autouse=True)
def documented_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a command prints with ``--json`` in these tests is what docs/reference/json.md says of it."""

    def dumps(value: Any, **options_of_json: Any) -> str:
        text = json.dumps(value, **options_of_json)
        root, *words = click.get_current_context().command_path.split()
        if root == commands.name:
            name = " ".join(words)
            assert answers_as(OF_OWNER[name], json.loads(text)), f"{name} printed {text[:2000]}"
        return text

    monkeypatch.setattr(options, "json", SimpleNamespace(dumps=dumps))


@dataclasses.dataclass(frozen=True)
class Owner:
    """Who types the commands, and looks behind the service with an owner's rights."""

    state_folder: Path
    stack: StackDescription

    def types(self, *words: str) -> Result:
        """Types a command; ``owner.types("machine", "list")``."""
        return CliRunner().invoke(commands, [*words, "--state", str(self.state_folder)])

    def asks(self, *words: str) -> Any:
        """Types a command with ``--json`` and takes its answer."""
        result = self.types(*words, "--json")
        assert result.exit_code == 0, result.output or result.exception
        return json.loads(result.stdout)

    def client(self, service: str) -> Any:
        return Aws(self.stack.region, self.stack.endpoint).client(service)


@pytest.fixture(scope="session")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    folder = tmp_path_factory.mktemp("owner")
    with local_stack(folder, enforce_iam=True) as stack:
        yield Owner(folder, stack)


@pytest.fixture
def moto_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty AWS account that moto plays in this process."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


@pytest.fixture
def s3(moto_account: None) -> Any:
    """Its S3, with a bucket ``attic`` that keeps versions."""
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="attic")
    client.put_bucket_versioning(Bucket="attic", VersioningConfiguration={"Status": "Enabled"})
    return client
