"""The configuration that Chalice reads is made, never edited."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import botocore.session
import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

from chalicelib import web
from chalicelib.config import clock_ahead, read_settings
from ops.functions.chalice_config import (
    TIMEOUT_SECONDS,
    config_files,
    function_environment,
    stage_of,
    write_config_files,
)
from ops.stages import LAMBDA_FUNCTIONS, LOCAL, Stage

CHALICE_FOLDER = Path(__file__).parents[2] / ".chalice"
HOME = Stage(
    name="home",
    account="123456789012",
    region="eu-central-1",
    sender="a@example.org",
    recipients=("b@example.org",),
)


def test_what_is_committed_for_the_local_stage_is_what_is_made() -> None:
    committed = {path: (CHALICE_FOLDER / path).read_text() for path in config_files(LOCAL)}
    assert committed == config_files(LOCAL)


def test_the_service_can_read_the_environment_that_it_is_given() -> None:
    set_by_lambda = {"AWS_REGION": LOCAL.region}
    settings = read_settings({**set_by_lambda, **function_environment(LOCAL)})
    assert (settings.bucket, settings.table) == (LOCAL.bucket, LOCAL.table)
    assert settings.recipients == LOCAL.recipients


def test_an_older_boto3_asks_the_same_sts_as_the_owners_commands_sign_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    older = ("sts_regional_endpoints", "AWS_STS_REGIONAL_ENDPOINTS", "legacy", None)
    monkeypatch.setitem(BOTOCORE_DEFAUT_SESSION_VARIABLES, "sts_regional_endpoints", older)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name, value in function_environment(HOME).items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(botocore_session=botocore.session.Session(), region_name="eu-central-1")
    assert session.client("sts").meta.endpoint_url == "https://sts.eu-central-1.amazonaws.com"


def test_new_code_runs_with_the_settings_of_the_version_before() -> None:
    """A deploy gives a function its code first; a call in between must not fail."""
    environment = {**function_environment(LOCAL), "AWS_REGION": LOCAL.region}
    del environment["PANICROOM_THAW_FUNCTION"]
    assert read_settings(environment).thaw_function == LOCAL.function("thaw")


def test_the_clock_of_the_local_stack_alone_can_be_set_ahead() -> None:
    ahead = {"PANICROOM_CLOCK_AHEAD_SECONDS": "86400", "AWS_REGION": LOCAL.region}
    assert clock_ahead(function_environment(LOCAL)) == timedelta(0)
    assert clock_ahead({**function_environment(LOCAL), **ahead}) == timedelta(days=1)
    for read in (clock_ahead, read_settings):
        with pytest.raises(ValueError, match="PANICROOM_CLOCK_AHEAD_SECONDS is 86400"):
            read({**function_environment(HOME), **ahead})


def test_no_clock_but_that_of_the_local_stack_goes_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANICROOM_STAGE", "local")
    monkeypatch.setenv("PANICROOM_CLOCK_AHEAD_SECONDS", str(200 * 86_400))
    assert timedelta(days=199) < web.now() - datetime.now(timezone.utc) <= timedelta(days=200)
    monkeypatch.setenv("PANICROOM_STAGE", "home")
    with pytest.raises(ValueError, match="this is no local stack"):
        web.now()


@pytest.mark.parametrize("stage", [LOCAL, HOME])
def test_a_stage_can_be_read_back_from_a_function_of_it(stage: Stage) -> None:
    arn = stage.arn("lambda", f"function:{stage.function('admin')}")
    found = stage_of(arn, function_environment(stage))
    assert dataclasses.replace(found, on_local_stack=stage.on_local_stack) == stage


def test_what_adds_up_every_row_has_more_of_a_processor() -> None:
    functions = json.loads(config_files(LOCAL)["config.json"])["stages"]["local"]["lambda_functions"]
    assert [name for name, one in functions.items() if "lambda_memory_size" in one] == [
        "daily_audit",
        "reconcile",
        "weekly_reconcile",
        "admin",
        "admin_read",
    ]


def test_another_stage_is_added_beside_those_that_are_there(tmp_path: Path) -> None:
    write_config_files(LOCAL, tmp_path)
    write_config_files(HOME, tmp_path)
    stages = json.loads((tmp_path / "config.json").read_text())["stages"]
    assert list(stages) == ["local", "home"]
    assert stages["local"] == json.loads(config_files(LOCAL)["config.json"])["stages"]["local"]
    assert (tmp_path / "policies" / "home" / "discard.json").exists()


def test_every_function_has_a_policy_file_of_its_own_and_a_time_limit() -> None:
    entry = json.loads(config_files(LOCAL)["config.json"])["stages"]["local"]
    assert entry["autogen_policy"] is False
    policy_files = [entry["lambda_functions"][name]["iam_policy_file"] for name in LAMBDA_FUNCTIONS]
    assert len(set(policy_files)) == len(LAMBDA_FUNCTIONS)
    assert set(TIMEOUT_SECONDS) == set(LAMBDA_FUNCTIONS)
