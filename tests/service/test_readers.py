"""A reader's token: what a recovery code is turned into. It reads, and changes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib import wiring
from chalicelib.domain.backups.machines import sha256_hex
from chalicelib.domain.recovery.recovery import new_recovery, use
from chalicelib.recovery_code import new_recovery_code
from tests.service.conftest import Answer, Service, later

SECRET = "7" * 64
READER = f"anna-laptop.{SECRET}"
RUN = "20261122t195500z-0123456789abcdef"

WRITES = [
    ("POST", "/jobs/system/runs", {"kind": "full", "clock": "2026-11-22T20:00:00Z"}),
    ("PATCH", f"/jobs/system/runs/{RUN}", {"exit_code": 0}),
    ("POST", "/jobs/system/uploads", {"run": RUN, "files": []}),
    ("POST", "/jobs/system/multiparts", {"run": RUN, "name": "a"}),
    ("POST", "/jobs/system/discards", {"run": RUN, "names": ["a"]}),
]


@pytest.fixture
def reader(service: Service) -> str:
    service.enrolled("anna-laptop")
    make_reader(service)
    return READER


def make_reader(service: Service) -> None:
    recovery = new_recovery("anna-laptop", new_recovery_code(), service.now)
    wiring.recovery_store().replace(use(recovery, sha256_hex(SECRET), "192.0.2.1", service.now)[0])


def status(service: Service, token: str = READER) -> Answer:
    return service.call("GET", "/machine", token=token)


def test_it_sees_what_the_machine_sees_and_until_when_it_may(service: Service, reader: str) -> None:
    answer = status(service)
    assert answer.status == 200
    assert answer.body["machine"] == "anna-laptop"
    assert answer.body["reader_until"] == "2026-12-22T20:00:00Z"
    assert (answer.body["stage"], answer.body["account"]) == ("test", "123456789012")


def test_the_machine_itself_is_no_reader_and_sees_that_there_is_a_code(service: Service) -> None:
    token = service.enrolled("anna-laptop")
    make_reader(service)
    body = service.call("GET", "/machine", token=token).body
    assert "reader_until" not in body
    assert set(body["recovery_code"]) == {"made_at", "last_group"}


def test_it_lists_and_downloads(service: Service, reader: str) -> None:
    name = "data_duplicity-full.20261122T190000Z.vol1.difftar.gpg"
    service.put(f"anna-laptop/system/{name}", b"volume")
    listing = service.call("GET", "/jobs/system/files", token=reader)
    assert [file["name"] for file in listing.body["files"]] == [name]
    answer = service.call("POST", "/jobs/system/downloads", {"names": [name]}, reader)
    assert answer.body["files"][0]["url"].startswith("https://")


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_it_is_refused_all_that_changes_something(
    service: Service, reader: str, method: str, path: str, body: object
) -> None:
    answer = service.call(method, path, body, reader)
    assert (answer.status, answer.error) == (403, "read_only")
    assert "python -m ops machine add anna-laptop" in answer.body["message"]


@pytest.mark.parametrize("outcome", ["passed", "failed"])
def test_it_may_drill_and_what_it_reports_is_kept_nowhere(
    service: Service, reader: str, outcome: str
) -> None:
    answer = service.call("POST", "/jobs/system/drills", {"outcome": outcome, "message": "type this"}, reader)
    assert answer.status == 200
    assert "outcome" not in answer.body
    assert "outcome" not in status(service).body["jobs"][0]["drill"]
    assert service.admin("findings")["findings"] == []


def test_it_outlives_the_revocation_of_the_stolen_laptop(service: Service, reader: str) -> None:
    service.admin("machine_revoke", name="anna-laptop")
    assert status(service).status == 200


def test_it_ends_after_thirty_days(service: Service, reader: str) -> None:
    later(service, days=30, seconds=-1)
    assert status(service).status == 200
    later(service, seconds=1)
    assert status(service).status in (401, 403)


def test_it_ends_with_its_machine_and_is_none_of_the_next_one_of_that_name(
    service: Service, reader: str
) -> None:
    service.admin("machine_remove", name="anna-laptop")
    assert status(service).status in (401, 403)
    assert wiring.recovery_store().recovery("anna-laptop") is None
    make_reader(service)  # as if the row had stayed
    service.now += timedelta(seconds=1)
    service.enrolled("anna-laptop")
    assert status(service).status in (401, 403)


def test_it_is_no_token_of_another_machine(service: Service, reader: str) -> None:
    service.enrolled("ben-laptop")
    assert status(service, f"ben-laptop.{SECRET}").status in (401, 403)


def test_its_use_is_none_of_the_laptops_token(service: Service, reader: str) -> None:
    status(service)
    service.call("GET", "/jobs/system/files", token=reader)
    assert service.admin("machine_show", name="anna-laptop")["last_used_at"] is None


def test_a_machine_is_used_by_whatever_it_asks(service: Service) -> None:
    token = service.enrolled("anna-laptop")
    status(service, token)
    assert service.admin("machine_show", name="anna-laptop")["last_used_at"] == "2026-11-22T20:00:00Z"


def test_requests_of_the_machine_itself_do_not_read_its_recovery_code(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = service.enrolled("anna-laptop")
    monkeypatch.setattr(wiring.recovery_store(), "recovery", None)
    assert service.call("GET", "/jobs/system/files", token=token).status == 200
