"""An account for the tests of ``ops deploy`` and ``destroy``, with a deployer who has only the deployer's policy."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.client
import pytest
from click.testing import CliRunner, Result

from ops.aws import Aws
from ops.cli import commands
from ops.deploy import pipeline as deploy
from ops.deploy.deployer_policy import deployer_policy
from ops.functions.chalice_record import api_url, find_rest_api
from ops.functions.package import PROJECT
from ops.functions.queue_mappings import event_source_mappings
from ops.local.ministack import HOST, MiniStack, free_port
from ops.stages import Stage
from ops.steps import Say

CALLS_FILE = Path(__file__).with_name("deployer_calls.txt")
"""Every call that a deployer makes; the deployer's policy is compared with it."""

PROBE = Path(__file__).parent / "probe"
HOME = Stage(
    name="home",
    account="000000000000",
    region="us-east-1",
    sender="ada@example.org",
    recipients=("ada@example.org", "grace@example.org"),
    time_zone="Europe/Berlin",
    monthly_budget="5",
    on_local_stack=True,
)
ANSWERS = ("--mail", "ada@example.org,grace@example.org", "--budget", "5", "--time-zone", "Europe/Berlin")


@dataclasses.dataclass
class Account:
    """An AWS account that MiniStack plays, a deployer with no other right than the policy's, and a clone."""

    aws: Aws
    """With the account's root keys, to look behind what the deployer did."""
    project: Path
    calls: Path
    first: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What the deploy that came through said of the first machine."""

    def types(self, *words: str, answers: str = "") -> Result:
        where = ("--endpoint", str(self.aws.endpoint), "--region", HOME.region)
        project = () if "--policy" in words else ("--project", str(self.project))
        return CliRunner().invoke(
            commands, [words[0], "--stage", "home", *words[1:], *where, *project], input=answers
        )

    def asks(self, *words: str) -> Any:
        result = self.types(*words, "--json")
        assert result.exit_code == 0, result.output or result.exception
        return json.loads(result.stdout)

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def deployed_functions(self) -> dict[str, str]:
        """Name -> when it was last changed."""
        functions = self.client("lambda").list_functions()["Functions"]
        return {one["FunctionName"]: one["LastModified"] for one in functions}

    def everything(self) -> dict[str, Any]:
        """What a deploy could change, as far as it has times or contents."""
        api = find_rest_api(self.aws, HOME)
        [stack] = self.client("cloudformation").describe_stacks()["Stacks"]
        return {
            "functions": self.deployed_functions(),
            "stack": stack["LastUpdatedTime"],
            "mappings": [one["UUID"] for one in event_source_mappings(self.aws, HOME, "catalogue")],
            "deployments": self.client("apigateway").get_deployments(restApiId=api)["items"],
            "files": {
                str(path.relative_to(self.project)): path.read_bytes()
                for path in (self.project / ".chalice").rglob("*.json")
            },
        }

    def calls_made(self) -> set[str]:
        return set(self.calls.read_text().split())

    def api(self) -> str:
        found = find_rest_api(self.aws, HOME)
        assert found is not None
        return api_url(self.aws, HOME, found)


@contextmanager
def new_account(folder: Path) -> Iterator[Account]:
    """An empty account and a clone in ``folder``."""
    project = folder / "clone"
    project.mkdir()
    for name in ("app.py", "requirements.txt"):
        shutil.copy(PROJECT / name, project)
    shutil.copytree(
        PROJECT / "chalicelib", project / "chalicelib", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(PROJECT / ".chalice", project / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
    ministack = MiniStack(folder)
    port = free_port()
    ministack.start(port, enforce_iam=True)
    calls = folder / "calls"
    calls.touch()
    patch = pytest.MonkeyPatch()
    try:
        aws = Aws(HOME.region, f"http://{HOST}:{port}")
        for name, value in keys_of_a_deployer(aws).items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", str(PROBE))
        patch.setenv("PROBE_CALLS", str(calls))
        note_calls_of_this_process(patch, calls)
        yield Account(aws, project, calls)
    finally:
        patch.undo()
        ministack.stop()


def keys_of_a_deployer(aws: Aws) -> dict[str, str]:
    iam = aws.client("iam")
    iam.create_user(UserName="deployer")
    allow(iam, deployer_policy(HOME)["Statement"])
    keys = iam.create_access_key(UserName="deployer")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"]}


def allow(iam: Any, statements: list[Any]) -> None:
    """Gives the deployer these rights and no others."""
    # An empty policy is none for MiniStack.
    nothing = {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": statements or [nothing]}
    iam.put_user_policy(UserName="deployer", PolicyName="deploying", PolicyDocument=json.dumps(document))


def note_calls_of_this_process(patch: pytest.MonkeyPatch, calls: Path) -> None:
    """Those of the deployer: the root's keys are for looking behind the scene."""
    real_call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation_name: str, api_params: Any) -> Any:
        if self._request_signer._credentials.access_key != "test":
            with calls.open("a") as stream:
                stream.write(f"{self.meta.service_model.service_name}:{operation_name}\n")
        return real_call(self, operation_name, api_params)

    patch.setattr(botocore.client.BaseClient, "_make_api_call", call)


class PulledPlug(BaseException):
    """As Ctrl-C or a closed laptop does, it is caught by nobody."""


def pull_plug_in(monkeypatch: pytest.MonkeyPatch, step: deploy.DeployStep, when: str) -> None:
    """Ends the deploy in the middle of a step: before its work is begun, or right after it."""

    def carry_out(deployment: deploy.Deployment, say: Say) -> None:
        if when == "after":
            step.carry_out(deployment, say)
        raise PulledPlug

    ending = dataclasses.replace(step, carry_out=carry_out)
    monkeypatch.setattr(deploy, "STEPS", tuple(ending if one == step else one for one in deploy.STEPS))


def listed_calls() -> set[str]:
    """The calls for which the deployer's policy is made."""
    return set(CALLS_FILE.read_text().split())
