"""One local stack with IAM enforced, for the tests that type the owner's commands against a running service."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.aws import Aws
from ops.cli import commands
from ops.local.stack import local_stack
from ops.local.stack_file import StackDescription


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
