"""A stage in an AWS account, which the local stack plays here, reached by a person's own credentials."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.cli import commands
from ops.errors import OpsError
from ops.functions.chalice_config import configured_region, function_environment, write_config_files
from ops.service.deployed_stage import deployed_stage
from ops.stages import Stage
from tests.ops.conftest import Owner

HOME = Stage(
    name="home",
    account="000000000000",
    region="us-east-1",
    sender="backup@example.org",
    recipients=("ada@example.org", "grace@example.net"),
    report_weekday="friday",
)


@pytest.fixture
def account(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> Owner:
    """An account in which boto3 finds itself by its usual settings."""
    settings = {
        "AWS_ENDPOINT_URL": owner.stack.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return owner


def test_a_stage_tells_its_own_settings(account: Owner) -> None:
    functions = account.client("lambda")
    local = functions.get_function_configuration(FunctionName=account.stack.functions["admin"])
    name = HOME.function("admin")
    functions.create_function(
        FunctionName=name,
        Role=local["Role"],
        Runtime="python3.11",
        Handler="app.admin",
        Code={"S3Bucket": "panicroom-local-code", "S3Key": any_key(account)},
        Environment={"Variables": function_environment(HOME)},
    )
    try:
        found = deployed_stage("home", account.state_folder)
        assert found.stage == HOME
        assert found.function("reconcile").name == "panicroom-home-reconcile"
    finally:
        functions.delete_function(FunctionName=name)


def any_key(account: Owner) -> str:
    """The zip that the local stack runs."""
    stored = account.client("s3").list_objects_v2(Bucket="panicroom-local-code")["Contents"]
    [zipped] = [one["Key"] for one in stored if one["Key"].endswith(".zip")]
    return str(zipped)


@pytest.mark.parametrize("words", [("dead-letters", "list"), ("machine", "add", "x", "--bucket", "b")])
def test_a_stage_that_is_not_there_is_reported(account: Owner, words: tuple[str, ...]) -> None:
    error = account.types(*words, "--stage", "nowhere").exception
    assert isinstance(error, OpsError)
    assert "The stage nowhere was not found" in str(error)


def test_a_command_reaches_the_stage_that_it_names(account: Owner) -> None:
    error = account.types("machine", "list", "--stage", "nowhere").exception
    assert isinstance(error, OpsError)
    assert "panicroom-nowhere-admin could not be called" in str(error)


def test_the_local_stack_needs_no_credentials(owner: Owner) -> None:
    assert json.loads(owner.types("dead-letters", "list", "--json").stdout)["messages"] == []


def test_without_a_region_or_credentials_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for words in ("machine", "list"), ("dead-letters", "list"), ("report", "status"), ("reconcile",):
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        assert "No AWS region is set" in said(*words)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        assert "No AWS credentials were found" in said(*words)


def said(*words: str) -> str:
    error = CliRunner().invoke(commands, [*words, "--stage", "nowhere"]).exception
    assert isinstance(error, OpsError), error
    return str(error)


def test_a_clone_remembers_the_region_that_it_deployed_to(tmp_path: Path) -> None:
    frankfurt = dataclasses.replace(HOME, region="eu-central-1")
    assert configured_region("home", tmp_path) is None
    write_config_files(frankfurt, tmp_path)
    assert configured_region("home", tmp_path) == "eu-central-1"
    assert configured_region("another", tmp_path) is None
