"""``ops audit`` reads what the service answers, also the answer of a newer one."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from click.testing import CliRunner

from chalicelib import wire
from chalicelib.domain.audit.findings import new_finding
from chalicelib.owner_wire import AuditAnswer
from ops.cli import commands
from ops.commands import audit as audit_command
from ops.service.admin_client import AdminClient

GAP = new_finding("gap", machine="anna", job="system", subject="s", message="Volume 2 is missing.")
ANSWER = AuditAnswer((GAP,), left_off=2_001, left_off_by_code={"stray": 2_000, "wrong_tag": 1})


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the stand-in of the ``admin`` function answers to ``audit``."""
    answer: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(ANSWER)))

    class Admin(AdminClient):
        def __init__(self) -> None: ...

        def call(self, command: str, **_: Any) -> Any:
            assert command == "audit"
            return answer

    monkeypatch.setattr(audit_command, "admin_client", lambda *_: Admin())
    return answer


def typed(*words: str) -> tuple[str, int]:
    result = CliRunner().invoke(commands, ["audit", *words])
    return result.stdout, result.exit_code


def test_findings_beyond_what_an_answer_takes_are_counted(answer: dict[str, Any]) -> None:
    shown, code = typed()
    assert "2,001 more that matter less are not listed (stray 2,000, wrong_tag 1)." in " ".join(shown.split())
    assert code == 2
    assert json.loads(typed("--json")[0])["left_off"] == 2_001
    answer.update(left_off=0, left_off_by_code={})
    assert "not listed" not in typed()[0]


def test_what_only_a_newer_service_knows_is_passed_over(answer: dict[str, Any]) -> None:
    answer["findings"][0]["seen_since"] = "2026-11-22"
    assert "Volume 2 is missing." in typed()[0]


def test_an_answer_is_read_back_as_it_was_made(answer: dict[str, Any]) -> None:
    assert wire.from_json(AuditAnswer, answer) == ANSWER
    assert wire.from_json(AuditAnswer, json.loads(json.dumps(wire.to_json(ANSWER)))) == ANSWER
    del answer["left_off"], answer["left_off_by_code"]
    assert wire.from_json(AuditAnswer, answer) == AuditAnswer((GAP,))


@pytest.mark.parametrize("severity", ["fatal", 2, ["critical"], None])
def test_a_choice_that_there_is_not_is_named(answer: dict[str, Any], severity: object) -> None:
    answer["findings"][0]["severity"] = severity
    with pytest.raises(
        wire.WireError, match=r"^findings\[0\].severity must be one of critical, warning, info$"
    ):
        wire.from_json(AuditAnswer, answer)
