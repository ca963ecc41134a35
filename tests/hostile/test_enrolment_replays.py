"""A code that was used, or that is older than what the owner has done since, gives nobody a token."""

from __future__ import annotations

import hashlib

import pytest

from tests.service.conftest import Answer, Service, later

OLD, NEW = "1" * 64, "2" * 64


def enrol(service: Service, code: str, secret: str = OLD) -> Answer:
    body = {"code": code, "secret_sha256": hashlib.sha256(secret.encode()).hexdigest()}
    return service.call("POST", "/enrolments", body)


def is_welcome(service: Service, secret: str = OLD) -> bool:
    return service.call("GET", "/machine", token=f"anna-laptop.{secret}").status == 200


@pytest.fixture
def code(service: Service) -> str:
    code: str = service.admin("machine_add", name="anna-laptop")["code"]
    later(service, minutes=1)
    return code


def test_a_thief_who_has_the_code_cannot_undo_a_revocation(service: Service, code: str) -> None:
    enrol(service, code)
    service.admin("machine_revoke", name="anna-laptop")
    assert enrol(service, code).status == 403
    assert not is_welcome(service)


def test_a_replaced_laptop_cannot_take_its_place_back_with_its_old_code(service: Service, code: str) -> None:
    enrol(service, code, OLD)
    enrol(service, service.admin("machine_add", name="anna-laptop")["code"], NEW)
    assert enrol(service, code, OLD).status == 403
    assert not is_welcome(service, OLD)
    assert is_welcome(service, NEW)


def test_a_revocation_ends_codes_that_nobody_has_used_yet(service: Service, code: str) -> None:
    enrol(service, code, OLD)
    waiting = service.admin("machine_add", name="anna-laptop")["code"]
    later(service, minutes=1)
    service.admin("machine_revoke", name="anna-laptop")
    assert enrol(service, waiting, NEW).status == 403
    assert not is_welcome(service, NEW)


def test_a_code_made_after_the_revocation_works(service: Service, code: str) -> None:
    enrol(service, code, OLD)
    service.admin("machine_revoke", name="anna-laptop")
    later(service, minutes=1)
    assert enrol(service, service.admin("machine_add", name="anna-laptop")["code"], NEW).status == 201
    assert is_welcome(service, NEW)


def test_a_code_of_a_machine_that_was_removed_is_not_valid(service: Service, code: str) -> None:
    service.admin("machine_remove", name="anna-laptop")
    answer = enrol(service, code)
    assert (answer.status, answer.error) == (403, "bad_code")


def test_a_code_of_a_removed_machine_is_not_one_of_its_namesakes(service: Service, code: str) -> None:
    service.admin("machine_remove", name="anna-laptop")
    later(service, minutes=1)
    service.admin("machine_add", name="anna-laptop")
    assert enrol(service, code).status == 403
    assert not is_welcome(service)


def test_an_answer_that_was_lost_can_still_be_asked_for_again(service: Service, code: str) -> None:
    assert [enrol(service, code).status for _ in range(3)] == [201, 201, 201]
    assert is_welcome(service)


def test_an_enrolment_that_was_cut_off_in_the_middle_can_be_repeated(
    service: Service, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between marking the code and setting the token the function may die."""
    from chalicelib.adapters.table import Table

    update = Table.update

    def die_at_the_machine(table: Table, pk: str, *arguments: object, **fields: object) -> None:
        if pk == "MACHINES":
            raise TimeoutError
        update(table, pk, *arguments, **fields)  # type: ignore[arg-type]

    with monkeypatch.context() as dying:
        dying.setattr(Table, "update", die_at_the_machine)
        enrol(service, code)
    assert enrol(service, code).status == 201
    assert is_welcome(service)
