"""A laptop turns its one-time code into a token of its own making."""

from __future__ import annotations

import hashlib

import pytest

from chalicelib import wiring
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.authenticate import authenticate
from chalicelib.journeys.send_alerts import send_alerts
from tests.service.conftest import Service, later

SECRET = "5" * 64
HASH = hashlib.sha256(SECRET.encode()).hexdigest()


def enrol(service: Service, code: str, secret_hash: str = HASH) -> tuple[int, str | None]:
    answer = service.call("POST", "/enrolments", {"code": code, "secret_sha256": secret_hash})
    return answer.status, answer.error


def test_a_code_makes_a_token_that_works(service: Service) -> None:
    added = service.admin("machine_add", name="anna-laptop", jobs=["system", "photos-2018"])
    answer = service.call("POST", "/enrolments", {"code": added["code"], "secret_sha256": HASH})
    assert answer.status == 201
    assert answer.body["machine"] == "anna-laptop"
    assert [job["job"] for job in answer.body["jobs"]] == ["photos-2018", "system"]
    assert service.call("GET", "/machine", token=f"anna-laptop.{SECRET}").status == 200


def test_a_code_has_at_least_128_bits_and_can_be_typed_in_any_case(service: Service) -> None:
    code = service.admin("machine_add", name="anna-laptop")["code"]
    letters = code.replace("-", "")
    assert len(letters) * 5 >= 128
    assert not set(letters) & set("0189")
    assert enrol(service, code.lower().replace("-", " ")) == (201, None)


def test_the_same_code_with_the_same_secret_may_be_sent_again(service: Service) -> None:
    code = service.admin("machine_add", name="anna-laptop")["code"]
    assert enrol(service, code) == (201, None)
    assert enrol(service, code) == (201, None)


@pytest.mark.parametrize(
    ("address", "minutes", "said"),
    [
        ("192.0.2.1", 59, "was typed again"),
        ("192.0.2.1", 61, "was used twice"),
        ("198.51.100.7", 1, "was used twice"),
        ("", 1, "was used twice"),
    ],
)
def test_a_code_typed_again_is_an_alert_unless_the_same_laptop_did_it_within_the_hour(
    service: Service, monkeypatch: pytest.MonkeyPatch, address: str, minutes: int, said: str
) -> None:
    import app

    code = service.admin("machine_add", name="anna-laptop")["code"]
    monkeypatch.setattr(app.web, "address_of", lambda _: address and "192.0.2.1")
    enrol(service, code)
    later(service, minutes=minutes)
    monkeypatch.setattr(app.web, "address_of", lambda _: address)
    assert enrol(service, code, "a" * 64) == (403, "code_used")
    is_sent = send_alerts(wiring.alert_context(service.now)) is not None
    assert is_sent == (said == "was used twice")
    assert said in " ".join(service.admin("report_preview")["text"].split())


def test_a_code_used_with_another_secret_is_refused_and_the_first_token_goes_on(service: Service) -> None:
    code = service.admin("machine_add", name="anna-laptop")["code"]
    enrol(service, code)
    assert enrol(service, code, "a" * 64) == (403, "code_used")
    assert service.call("GET", "/machine", token=f"anna-laptop.{SECRET}").status == 200


@pytest.mark.parametrize("code", ["", "AAAA-BBBB", "x" * 2000, "ünïcode"])
def test_a_wrong_code_is_refused(service: Service, code: str) -> None:
    assert enrol(service, code) == (403, "bad_code")


def test_a_code_lives_24_hours(service: Service) -> None:
    code = service.admin("machine_add", name="anna-laptop")["code"]
    later(service, hours=24)
    assert enrol(service, code) == (403, "bad_code")


def test_enrolling_a_replaced_laptop_keeps_its_backups_and_ends_the_old_token(service: Service) -> None:
    old = service.enrolled("anna-laptop")
    service.put("anna-laptop/system/data_duplicity-full.20261122T190000Z.vol1.difftar.gpg", b"volume")
    code = service.admin("machine_add", name="anna-laptop")["code"]
    assert service.call("GET", "/machine", token=old).status == 200, (
        "the old one works until the new one enrols"
    )
    assert enrol(service, code) == (201, None)
    assert service.call("GET", "/machine", token=old).status in (401, 403)
    listing = service.call("GET", "/jobs/system/files", token=f"anna-laptop.{SECRET}")
    assert len(listing.body["files"]) == 1


def test_a_revoked_token_fails_at_the_next_call(service: Service) -> None:
    token = service.enrolled("anna-laptop")
    service.admin("machine_revoke", name="anna-laptop")
    assert service.call("GET", "/machine", token=token).status in (401, 403)


def test_a_machine_that_was_removed_is_told_whom_to_ask(service: Service) -> None:
    """By the handler, in the minutes in which the gateway still lets it through."""
    token = service.enrolled("anna-laptop")
    service.admin("machine_remove", name="anna-laptop")
    stores = wiring.machine_store(), wiring.recovery_store()
    with pytest.raises(
        Refusal, match=r"the machine was removed, or enrolled anew\. Ask the owner for a code"
    ):
        authenticate(*stores, f"Bearer {token}", service.now)
