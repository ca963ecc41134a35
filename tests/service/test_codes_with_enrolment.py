"""The recovery code that goes with a machine's enrolment: made with the first code, given to the laptop once."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.recovery_code import read_recovery_code
from tests.service.conftest import Answer, Service, later

SECRET, OTHER = "5" * 64, "6" * 64


def add(service: Service, name: str = "anna-laptop") -> dict[str, Any]:
    added: dict[str, Any] = service.admin("machine_add", name=name)
    return added


def enrol(service: Service, code: str, secret: str = SECRET) -> Answer:
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return service.call("POST", "/enrolments", {"code": code, "secret_sha256": digest})


def test_the_first_code_of_a_machine_comes_with_a_recovery_code_which_the_laptop_is_given_too(
    service: Service,
) -> None:
    added = add(service)
    assert read_recovery_code(added["recovery_code"]) == added["recovery_code"]
    assert enrol(service, added["code"]).body["recovery_code"] == added["recovery_code"]


def test_however_the_enrolment_code_is_typed(service: Service) -> None:
    added = add(service)
    typed = added["code"].lower().replace("-", " ")
    assert enrol(service, typed).body["recovery_code"] == added["recovery_code"]


def test_a_lost_answer_is_given_again_with_it(service: Service) -> None:
    added = add(service)
    answers = [enrol(service, added["code"]).body for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert "recovery_code" in answers[0]


@pytest.mark.parametrize("path", ["/machine", "/jobs/system/files"])
def test_it_is_given_no_more_once_the_token_was_used(service: Service, path: str) -> None:
    """The enrolment code stays in the shell's history, where whatever runs on the laptop can find it."""
    added = add(service)
    enrol(service, added["code"])
    assert service.call("GET", path, token=f"anna-laptop.{SECRET}").status == 200
    for _ in range(2):
        later(service, minutes=1)
        answer = enrol(service, added["code"])
        assert answer.status == 201
        assert "recovery_code" not in answer.body


def test_another_secret_gets_neither_token_nor_code(service: Service) -> None:
    added = add(service)
    enrol(service, added["code"])
    answer = enrol(service, added["code"], OTHER)
    assert answer.error == "code_used"
    assert added["recovery_code"] not in str(answer.body)


def test_the_paper_stays_good_when_the_laptop_is_enrolled_anew(service: Service) -> None:
    first = add(service)
    enrol(service, first["code"])
    for command in ("machine_add", "machine_rotate"):
        later(service, minutes=1)
        again = service.admin(command, name="anna-laptop")
        assert again["recovery_code"] is None
        assert again["recovery"]["last_group"] == first["recovery"]["last_group"]
        assert "recovery_code" not in enrol(service, again["code"], OTHER).body


def test_a_machine_of_before_gets_one_with_its_next_code(service: Service) -> None:
    service.enrolled("anna-laptop")
    wiring.recovery_store().end("anna-laptop")
    later(service, minutes=1)
    rotated = service.admin("machine_rotate", name="anna-laptop")
    assert (
        enrol(service, rotated["code"], OTHER).body["recovery_code"] == rotated["recovery_code"] is not None
    )


def test_one_that_was_replaced_or_ended_meanwhile_is_not_given(service: Service) -> None:
    added = add(service)
    service.admin("machine_recovery", name="anna-laptop")
    assert "recovery_code" not in enrol(service, added["code"]).body
    other = add(service, "ben-laptop")
    service.admin("machine_revoke", name="ben-laptop", recovery=True)
    assert "recovery_code" not in enrol(service, other["code"], OTHER).body


def test_the_table_does_not_have_it(service: Service) -> None:
    added = add(service)
    enrol(service, added["code"])
    rows = str(service.table.scan(TableName="panicroom-test")["Items"])
    assert added["recovery_code"] not in rows
    assert added["recovery_code"].replace("-", "") not in rows
    assert added["code"] not in rows


def test_the_status_of_the_machine_names_it_by_date_and_last_group(service: Service) -> None:
    added = add(service)
    enrol(service, added["code"])
    body = service.call("GET", "/machine", token=f"anna-laptop.{SECRET}").body
    last_group = added["recovery_code"].rpartition("-")[2]
    assert body["recovery_code"] == {"made_at": "2026-11-22T20:00:00Z", "last_group": last_group}
    assert added["recovery_code"] not in str(body)
