"""What a person types at ``ops deploy``: read before anything is asked of AWS."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner, Result

from ops.cli import commands
from ops.commands.stage.answers import read_budget
from ops.errors import OpsError

NOBODY_LISTENS = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def types(*words: str) -> Result:
    return CliRunner().invoke(commands, ["deploy", *words])


@pytest.mark.parametrize(
    ("flag", "value", "sentence"),
    [
        ("--sender", "x", "'x' is no mail address"),
        ("--sender", "a@example.org,b@example.org", "mail comes from one address"),
        ("--mail", "ada@example", "'ada@example' is no mail address"),
        ("--mail", ",", "'nothing' is no mail address"),
        ("--budget", "0", "'0' is no amount of USD, such as 5 or 12.50; `none` for no budget"),
        ("--budget", "-1", "'-1' is no amount of USD"),
        ("--budget", "nan", "'nan' is no amount of USD"),
        ("--time-zone", "Berlin", "'Berlin' is no time zone"),
        ("--region", "nowhere-1", "'nowhere-1' is no AWS region; eu-central-1 (Frankfurt)"),
        ("--machine", "My Laptop", "'My Laptop' cannot be a machine's name"),
        ("--endpoint", "nonsense", "'nonsense' is no address of a local stack"),
        ("--lock-days", "-1", "-1 is not in the range"),
        ("--mail-day", "someday", "is not one of"),
        ("--mail-hour", "24", "24 is not in the range"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(flag: str, value: str, sentence: str) -> None:
    result = types("--stage", "home", flag, value)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    [last] = result.output.splitlines()[-1:]
    assert flag in last
    assert sentence in last


@pytest.mark.parametrize("name", ["Home", "1home", "a" * 17, "", "local", "a_b", "home-admin"])
def test_a_name_that_aws_would_not_take_is_no_stages_name(name: str) -> None:
    result = types("--stage", name)
    assert isinstance(result.exception, OpsError)


def test_where_aws_cannot_be_reached_the_credentials_are_not_blamed() -> None:
    result = types("--stage", "home", "--endpoint", NOBODY_LISTENS, "--region", "us-east-1")
    assert str(result.exception).startswith("AWS cannot be reached in us-east-1: Could not connect")


@pytest.mark.parametrize(
    ("typed", "kept"), [("5", "5"), ("$12.50", "12.50"), (" 7 ", "7"), ("none", ""), ("None", "")]
)
def test_a_budget_is_kept_as_decimal_text(typed: str, kept: str) -> None:
    assert read_budget(typed) == kept
