"""The owner's commands, typed against a running service."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from chalicelib.owner_wire import SetRow
from ops.cli import commands
from ops.commands.arguments.options import folding_table
from ops.commands.machines.shown import set_state
from ops.errors import OpsError
from tests.ops.conftest import Owner

VOLUME = "data_duplicity-full.20261101T000000Z.vol1.difftar.gpg"
ENOUGH_SECONDS = 20


def test_add_prints_the_line_to_type_on_the_machine(owner: Owner) -> None:
    result = owner.types("machine", "add", "context")
    assert result.exit_code == 0, result.output
    [line] = [line.strip() for line in result.stdout.splitlines() if "panicroom enrol" in line]
    code = owner.asks("machine", "add", "context")["code"]
    words = line.split()
    assert words[:2] == ["panicroom", "enrol"]
    assert words[2].startswith("http://127.0.0.1:")
    assert len(words) == 4
    assert len(words[3]) == len(code)


def test_a_machines_jobs_and_how_often_they_run_can_be_given(owner: Owner) -> None:
    owner.types(
        "machine", "add", "studio", "--job", "system", "--job", "photos", "--every", "1w", "--grace", "2d"
    )
    jobs = owner.asks("machine", "show", "studio")["jobs"]
    assert {(job["job"], job["period_seconds"], job["grace_seconds"]) for job in jobs} == {
        ("system", 604_800, 172_800),
        ("photos", 604_800, 172_800),
    }


def test_how_often_a_job_runs_can_be_changed(owner: Owner) -> None:
    owner.types("machine", "add", "tablet")
    assert owner.types("machine", "set", "tablet", "--every", "2w").exit_code == 0
    [job] = owner.asks("machine", "show", "tablet")["jobs"]
    assert job["period_seconds"] == 1_209_600


def test_how_often_all_jobs_run_or_one_of_them_can_be_changed(owner: Owner) -> None:
    owner.types("machine", "add", "server", "--job", "system", "--job", "mail")

    def periods() -> dict[str, int]:
        return {job["job"]: job["period_seconds"] for job in owner.asks("machine", "show", "server")["jobs"]}

    owner.types("machine", "set", "server", "--every", "1w")
    assert periods() == {"system": 604_800, "mail": 604_800}
    assert owner.types("machine", "set", "server", "--job", "mail", "--every", "1h").exit_code == 0
    assert periods() == {"system": 604_800, "mail": 3_600}


def test_the_caps_of_a_machine_can_be_changed(owner: Owner) -> None:
    owner.types("machine", "add", "archive")
    words = ["machine", "set", "archive", "--storage-cap", "20TB", "--download-cap", "1000GB"]
    assert owner.types(*words).exit_code == 0
    key = {"pk": {"S": "MACHINES"}, "sk": {"S": "archive"}}
    row = owner.client("dynamodb").get_item(TableName=owner.stack.table, Key=key)["Item"]
    assert row["storage_cap_bytes"]["N"] == str(20 * 2**40)
    assert row["download_cap_bytes"]["N"] == str(1000 * 2**30)


def test_the_budget_for_thaws_is_set_and_shown(owner: Owner) -> None:
    owner.types("machine", "add", "larder", "--thaw-budget", "$2.50")
    assert "thaws: $0.00 of $2.50 this month" in owner.types("machine", "show", "larder").stdout
    assert owner.types("machine", "set", "larder", "--thaw-budget", "0").exit_code == 0
    assert owner.asks("machine", "show", "larder")["thaw_budget_usd"] == 0
    assert "thaws: each one needs your approval" in owner.types("machine", "show", "larder").stdout


def test_recount_says_how_much_of_its_cap_a_machine_has_used(owner: Owner) -> None:
    owner.types("machine", "add", "attic")
    for content in (b"first", b"second"):
        owner.client("s3").put_object(Bucket=owner.stack.bucket, Key=f"attic/system/{VOLUME}", Body=content)
    answer = owner.asks("machine", "recount", "attic")
    assert answer["stored_bytes"] == len(b"first") + len(b"second")
    said = owner.types("machine", "recount", "attic").stdout
    assert "attic has stored 11 bytes of the 10 TB that it may" in said


def test_rotate_prints_a_new_line_to_type(owner: Owner) -> None:
    first = owner.asks("machine", "add", "pocket")["code"]
    rotated = owner.asks("machine", "rotate", "pocket")
    assert rotated["code"] != first
    assert f"panicroom enrol {rotated['api_url']} " in owner.types("machine", "rotate", "pocket").stdout
    assert isinstance(owner.types("machine", "rotate", "nobody").exception, OpsError)


def test_a_set_is_hidden_and_shown_again(owner: Owner) -> None:
    owner.types("machine", "add", "cellar")
    owner.client("s3").put_object(Bucket=owner.stack.bucket, Key=f"cellar/system/{VOLUME}", Body=b"rubbish")

    def states() -> list[str]:
        [job] = owner.asks("machine", "show", "cellar")["jobs"]
        return [set_state(SetRow(**one)) for one in job["sets"]]

    wait(lambda: states() == ["open"])
    words = ["set", "quarantine", "cellar", "system", "full.20261101T000000Z"]
    assert "is hidden from cellar/system" in owner.types(*words).stdout
    assert states() == ["in quarantine (open)"]
    assert "in quarantine" in owner.types("machine", "show", "cellar").stdout
    assert owner.asks(*words, "--release")["quarantined"] is False
    assert states() == ["open"]


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"sealed": False, "complete": False, "gaps": ""}, "open"),
        ({"sealed": True, "complete": True, "gaps": ""}, "complete"),
        ({"sealed": True, "complete": False, "gaps": ""}, "unproven"),
        ({"sealed": True, "complete": False, "gaps": "2-3"}, "missing volumes 2-3"),
        ({"sealed": True, "complete": True, "gaps": "", "quarantined": True}, "in quarantine (complete)"),
    ],
)
def test_a_sets_state_is_one_of_a_few_words(told: dict[str, Any], state: str) -> None:
    shown = {"set": "full.20261101T000000Z", "kind": "full", "volumes": 1, "bytes": 1, "quarantined": False}
    row = SetRow(**{**shown, **told})
    assert set_state(row) == state


def test_a_machine_is_paused_resumed_revoked_and_removed(owner: Owner) -> None:
    owner.types("machine", "add", "old")

    def status() -> str:
        return str(owner.asks("machine", "show", "old")["status"])

    waiting = status()
    assert "paused until 2030-01-01" in owner.types("machine", "pause", "old", "--until", "2030-01-01").stdout
    assert status() == "paused"
    owner.types("machine", "resume", "old")
    assert status() == waiting
    assert owner.types("machine", "revoke", "old").exit_code == 0
    assert owner.types("machine", "remove", "old", "--yes").exit_code == 0
    assert "old" not in [row["machine"] for row in owner.asks("machine", "list")["machines"]]


def test_the_list_is_readable_without_json(owner: Owner) -> None:
    owner.types("machine", "add", "kitchen")
    assert "kitchen" in owner.types("machine", "list").stdout
    assert "never" in owner.types("machine", "show", "kitchen").stdout


def test_the_mail_can_be_looked_at_and_sent(owner: Owner, tmp_path: Path) -> None:
    preview = owner.asks("report", "preview", "--out", str(tmp_path))
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == preview["html"]
    assert (tmp_path / "report.txt").read_text(encoding="utf-8") == preview["text"]
    sent = owner.asks("report", "send")
    assert sent["subject"] == preview["subject"]
    assert sent["sent_to"] == ["owner@example.com"]


def test_what_the_service_refuses_is_its_own_sentence(owner: Owner) -> None:
    error = owner.types("machine", "show", "nobody").exception
    assert isinstance(error, OpsError)
    assert "nobody" in str(error)


def test_without_a_stack_the_command_says_how_to_start_one(tmp_path: Path) -> None:
    error = CliRunner().invoke(commands, ["machine", "list", "--state", str(tmp_path)]).exception
    assert isinstance(error, OpsError)
    assert "python -m ops local up" in str(error)


def test_status_tells_programs_and_people(owner: Owner, tmp_path: Path) -> None:
    assert owner.asks("local", "status")["running"] is True
    assert "is running" in owner.types("local", "status").stdout
    absent = CliRunner().invoke(commands, ["local", "status", "--json", "--state", str(tmp_path)])
    assert (absent.exit_code, json.loads(absent.stdout)) == (1, {"running": False})


@pytest.mark.parametrize(
    "words",
    [
        ["machine", "add", "x", "--every", "soon"],
        ["machine", "set", "x"],
        ["machine", "set", "x", "--storage-cap", "much"],
        ["machine", "set", "x", "--thaw-budget", "much"],
        ["machine", "add", "x", "--thaw-budget", "-1"],
        ["machine", "set", "x", "--job", "system", "--thaw-budget", "1"],
        ["machine", "set", "x", "--job", "system", "--storage-cap", "1TB"],
    ],
)
def test_a_wrong_use_is_reported_before_anything_is_called(words: list[str]) -> None:
    assert CliRunner().invoke(commands, words).exit_code == 2


def wait(until: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + ENOUGH_SECONDS
    while not until():
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


@pytest.mark.parametrize("words", [[], ["machine"], ["report"], ["set"], ["dead-letters"]])
def test_help_lists_each_command_with_its_whole_sentence(words: list[str]) -> None:
    said = CliRunner().invoke(commands, [*words, "--help"], terminal_width=60).stdout
    assert "..." not in said.partition("Commands:")[2]
    assert max(map(len, said.splitlines())) <= 60


@pytest.mark.parametrize(
    "headers", [("machine", "status", "jobs", "added", "last used"), ("set", "volumes", "size", "state")]
)
def test_a_table_cuts_nothing_in_a_terminal_of_sixty_columns(headers: tuple[str, ...]) -> None:
    cells = [f"{number}{'x' * 40}" for number in range(len(headers))]
    table = folding_table(*headers)
    table.add_row(*cells)
    said = io.StringIO()
    Console(file=said, width=60, force_terminal=True, color_system=None).print(table)
    lines = said.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    assert "\u2026" not in said.getvalue()
    assert sum(line.count("x") for line in lines) == 40 * len(headers)
