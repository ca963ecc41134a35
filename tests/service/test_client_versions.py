"""The owner sees which version of the client each machine has: as its requests say, which prove nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.backups.machines import sha256_hex
from tests.service.conftest import NOW, Service


@pytest.fixture
def token(service: Service) -> str:
    return service.enrolled("anna-laptop")


def shown(service: Service) -> Any:
    return service.admin("machine_show", name="anna-laptop")["client_version"]


def test_it_is_the_one_that_its_last_request_named(service: Service, token: str) -> None:
    assert shown(service) is None
    service.call("GET", "/machine", token=token, agent="panicroom/0.1.0")
    assert shown(service) == "0.1.0"
    service.call("GET", "/jobs/system/files", token=token, agent="panicroom/0.2.0")
    assert shown(service) == "0.2.0"


@pytest.mark.parametrize("agent", ["", "curl/8", "panicroom/0.2.0 [red]", "panicroom/newest", "x" * 8000])
def test_what_names_no_version_changes_nothing(service: Service, token: str, agent: str) -> None:
    service.call("GET", "/machine", token=token, agent="panicroom/0.1.0")
    service.now = NOW + timedelta(days=1)
    assert service.call("GET", "/machine", token=token, agent=agent).status == 200
    answer = service.admin("machine_show", name="anna-laptop")
    assert (answer["client_version"], answer["last_used_at"]) == ("0.1.0", "2026-11-23T20:00:00Z")


def test_a_wrong_token_and_another_computer_with_a_recovery_code_say_nothing_of_it(service: Service) -> None:
    service.enrolled("anna-laptop")
    service.call("GET", "/machine", token="anna-laptop." + "0" * 64, agent="panicroom/6.6.6")
    code = service.admin("machine_recovery", name="anna-laptop")["recovery_code"]
    body = {"machine": "anna-laptop", "code": code, "secret_sha256": sha256_hex("9" * 64)}
    assert service.call("POST", "/recoveries", body).status == 201
    reader = "anna-laptop." + "9" * 64
    assert service.call("GET", "/machine", token=reader, agent="panicroom/6.6.6").status == 200
    assert shown(service) is None


def test_it_is_written_once_an_hour_and_when_it_changes(
    service: Service, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = wiring.machine_store()._table
    written: list[str] = []
    update = table.update
    monkeypatch.setattr(table, "update", lambda *a, **k: (written.append(a[0]), update(*a, **k)))
    for minutes, version, writes in (
        (0, "0.1.0", 1),
        (1, "0.1.0", 1),
        (2, "0.2.0", 2),
        (3, "0.2.0", 2),
        (61, "0.2.0", 2),
        (62, "0.2.0", 3),
    ):
        service.now = NOW + timedelta(minutes=minutes)
        service.call("GET", "/machine", token=token, agent=f"panicroom/{version}")
        assert len(written) == writes, minutes
