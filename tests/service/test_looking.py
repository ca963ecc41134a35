"""The owner's commands that only look, by ``admin_read``: they answer as ``admin`` does, and write nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import botocore.client
import pytest

import app
from chalicelib.journeys.admin.administer import CHANGES, READS
from chalicelib.owner_wire import READ_COMMANDS
from tests.service.conftest import TABLE, Service
from tests.service.letting_go import Archive

FULL = "full.20261122T195900Z"
JOB = {"name": "anna-laptop", "job": "system"}
ARGUMENTS: Mapping[str, dict[str, Any]] = {
    "status": {},
    "machine_list": {},
    "machine_show": {"name": "berts-disk"},
    "group_list": {},
    "group_show": {"name": "web"},
    "machine_drop_plan": {"name": "anna-laptop"},
    "job_list": {},
    "thaws": {},
    "retention_preview": {},
    "retention_drop_plan": {**JOB, "chain": FULL},
    "findings": {},
    "alerts_preview": {},
    "catalogue_objects": JOB,
    "catalogue_differences": JOB,
    "report_preview": {},
    "report_status": {},
    "report_weeks": {},
    "journal": {},
}
"""Of every command that only looks; one without a line here fails the tests."""

LOOKING = ("Get", "BatchGet", "Query", "List", "Head")


@pytest.fixture
def watched(service: Service) -> Service:
    """A machine with a backup, and one of pictures, with the summaries of none."""
    Archive(service).backup()
    service.admin("group_add", name="web", period_seconds=3600)
    service.admin("machine_set", name="anna-laptop", group="web")
    token = service.enrolled("berts-disk", photos=True)
    service.call("POST", "/jobs", {"job": "photos-2018", "family": "photos"}, token)
    for job in ("anna-laptop/system", "berts-disk/photos-2018"):
        key = {"pk": {"S": "SUMMARIES"}, "sk": {"S": job}}
        service.table.delete_item(TableName=TABLE, Key=key)
    return service


@pytest.fixture
def calls(watched: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the operations that AWS is asked for."""
    real_call, made = botocore.client.BaseClient._make_api_call, list[str]()  # type: ignore[attr-defined]

    def call(self: Any, operation_name: str, api_params: Any) -> Any:
        made.append(operation_name)
        return real_call(self, operation_name, api_params)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    return made


def answer_of(function: Any, command: str, arguments: Mapping[str, object]) -> Any:
    return json.loads(json.dumps(function({"command": command, **arguments}, None)))


def test_each_command_that_only_reads_is_one_of_the_service() -> None:
    assert set(READS) == READ_COMMANDS


@pytest.mark.parametrize("command", READS)
def test_a_look_answers_and_writes_nothing(calls: list[str], command: str) -> None:
    looked = answer_of(app.admin_read, command, ARGUMENTS[command])
    assert "result" in looked
    assert calls
    assert [one for one in calls if not one.startswith(LOOKING)] == []
    assert looked == answer_of(app.admin, command, ARGUMENTS[command])


@pytest.mark.parametrize("command", CHANGES)
def test_a_command_that_changes_something_is_not_taken_and_calls_nothing(
    calls: list[str], command: str
) -> None:
    refused = answer_of(app.admin_read, command, {"name": "anna-laptop"})
    assert refused["error"] == "bad_request"
    assert "this function only looks" in refused["message"]
    assert calls == []


def test_what_no_function_knows_is_refused_as_such(watched: Service) -> None:
    assert answer_of(app.admin_read, "sing", {})["message"] == "There is no command 'sing'."
