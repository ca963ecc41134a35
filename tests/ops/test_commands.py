"""The owner's commands, typed against a running service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.cli import commands
from ops.errors import OpsError
from ops.local_stack import local_stack

Typed = Callable[..., Result]


@pytest.fixture(scope="module")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("state")
    with local_stack(folder):
        yield folder


@pytest.fixture
def typed(state_folder: Path) -> Typed:
    """Types a command; ``typed("machine", "list")``."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(commands, [*words, "--state", str(state_folder)])

    return run


def answer(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_add_prints_the_line_to_type_on_the_machine(typed: Typed) -> None:
    result = typed("machine", "add", "desk")
    assert result.exit_code == 0, result.output
    [line] = [line.strip() for line in result.stdout.splitlines() if "panicroom enrol" in line]
    code = answer(typed("machine", "add", "desk", "--json"))["code"]
    words = line.split()
    assert words[:2] == ["panicroom", "enrol"]
    assert words[2].startswith("http://127.0.0.1:")
    assert len(words) == 4
    assert len(words[3]) == len(code)


def test_a_machines_jobs_and_how_often_they_run_can_be_given(typed: Typed) -> None:
    typed("machine", "add", "studio", "--job", "system", "--job", "photos", "--every", "1w", "--grace", "2d")
    jobs = answer(typed("machine", "show", "studio", "--json"))["jobs"]
    assert {(job["job"], job["period_seconds"], job["grace_seconds"]) for job in jobs} == {
        ("system", 604_800, 172_800),
        ("photos", 604_800, 172_800),
    }


def test_how_often_a_job_runs_can_be_changed(typed: Typed) -> None:
    typed("machine", "add", "tablet")
    assert typed("machine", "set", "tablet", "--every", "2w").exit_code == 0
    [job] = answer(typed("machine", "show", "tablet", "--json"))["jobs"]
    assert job["period_seconds"] == 1_209_600


def test_a_machine_is_paused_resumed_revoked_and_removed(typed: Typed) -> None:
    typed("machine", "add", "old")

    def status() -> str:
        return str(answer(typed("machine", "show", "old", "--json"))["status"])

    waiting = status()
    assert "paused until 2030-01-01" in typed("machine", "pause", "old", "--until", "2030-01-01").stdout
    assert status() == "paused"
    typed("machine", "resume", "old")
    assert status() == waiting
    assert typed("machine", "revoke", "old").exit_code == 0
    assert typed("machine", "remove", "old", "--yes").exit_code == 0
    assert "old" not in [row["machine"] for row in answer(typed("machine", "list", "--json"))["machines"]]


def test_the_list_is_readable_without_json(typed: Typed) -> None:
    typed("machine", "add", "kitchen")
    assert "kitchen" in typed("machine", "list").stdout
    assert "never" in typed("machine", "show", "kitchen").stdout


def test_the_mail_can_be_looked_at_and_sent(typed: Typed, tmp_path: Path) -> None:
    preview = answer(typed("report", "preview", "--json", "--out", str(tmp_path)))
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == preview["html"]
    assert (tmp_path / "report.txt").read_text(encoding="utf-8") == preview["text"]
    sent = answer(typed("report", "send", "--json"))
    assert sent["subject"] == preview["subject"]
    assert sent["sent_to"] == ["owner@example.com"]


def test_what_the_service_refuses_is_its_own_sentence(typed: Typed) -> None:
    error = typed("machine", "show", "nobody").exception
    assert isinstance(error, OpsError)
    assert "nobody" in str(error)


def test_without_a_stack_the_command_says_how_to_start_one(tmp_path: Path) -> None:
    error = CliRunner().invoke(commands, ["machine", "list", "--state", str(tmp_path)]).exception
    assert isinstance(error, OpsError)
    assert "python -m ops local up" in str(error)


def test_status_tells_programs_and_people(typed: Typed, tmp_path: Path) -> None:
    assert answer(typed("local", "status", "--json"))["running"] is True
    assert "is running" in typed("local", "status").stdout
    absent = CliRunner().invoke(commands, ["local", "status", "--json", "--state", str(tmp_path)])
    assert (absent.exit_code, json.loads(absent.stdout)) == (1, {"running": False})


@pytest.mark.parametrize("words", [["machine", "add", "x", "--every", "soon"], ["machine", "set", "x"]])
def test_a_wrong_use_is_told_before_anything_is_called(words: list[str]) -> None:
    assert CliRunner().invoke(commands, words).exit_code == 2
