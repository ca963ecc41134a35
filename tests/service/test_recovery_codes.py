"""A recovery code becomes a reader's token: what is taken, what is refused, and what the owner hears of it."""

from __future__ import annotations

import email.policy
import hashlib
import itertools
from email import message_from_string
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sesv2.models import sesv2_backends

from chalicelib import wiring
from chalicelib.domain.recovery.tries import GUESSED_FROM, MAX_TRIES_AN_HOUR
from chalicelib.journeys.send_alerts import send_alerts
from chalicelib.recovery_code import new_recovery_code
from tests.service.conftest import Answer, Service, later

SECRETS = [f"{number:064x}" for number in range(10)]


@pytest.fixture
def code(service: Service) -> str:
    """Of a machine that has enrolled, and whose mail about it has gone out."""
    code: str = service.admin("machine_add", name="anna-laptop")["recovery_code"]
    service.enrolled("anna-laptop")
    send_alerts(wiring.alert_context(service.now))
    return code


def recover(service: Service, code: str, secret: str = SECRETS[0], machine: str = "anna-laptop") -> Answer:
    secret_sha256 = hashlib.sha256(secret.encode()).hexdigest()
    return service.call(
        "POST", "/recoveries", {"machine": machine, "code": code, "secret_sha256": secret_sha256}
    )


def can_read(service: Service, secret: str = SECRETS[0]) -> bool:
    return service.call("GET", "/machine", token=f"anna-laptop.{secret}").status == 200


def come_from(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    import app

    monkeypatch.setattr(app.web, "address_of", lambda _: address)


def mail_of_the_next_minute(service: Service) -> str | None:
    """What the minute's tick sends."""
    later(service, minutes=1)
    if send_alerts(wiring.alert_context(service.now)) is None:
        return None
    backend = sesv2_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].core_backend
    message = message_from_string(backend.sent_messages[-1].raw_data, policy=email.policy.default)
    text = next(part for part in message.walk() if part.get_content_type() == "text/plain")
    return f"{message['subject']}\n{text.get_content()}"


def notices(service: Service) -> list[str]:
    return [item["code"]["S"] for item in service.table.scan(TableName="panicroom-test")["Items"]
            if item["pk"]["S"] == "NOTICES"]  # fmt: skip


class TestWhatIsTaken:
    def test_the_code_makes_a_token_that_reads_for_thirty_days(self, service: Service, code: str) -> None:
        answer = recover(service, code)
        assert answer.status == 201
        assert answer.body == {
            "machine": "anna-laptop",
            "jobs": [{"job": "system", "period_seconds": 86_400}],
            "reader_until": "2026-12-22T20:00:00Z",
        }
        assert can_read(service)

    def test_however_it_is_cased_and_spaced_and_with_o_for_0_and_l_for_1(
        self, service: Service, code: str
    ) -> None:
        typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
        assert recover(service, typed).status == 201

    def test_a_second_computer_gets_a_token_of_its_own(self, service: Service, code: str) -> None:
        assert recover(service, code, SECRETS[0]).status == 201
        assert recover(service, code, SECRETS[1]).status == 201
        assert can_read(service, SECRETS[0])
        assert can_read(service, SECRETS[1])

    def test_a_sixth_replaces_the_first(self, service: Service, code: str) -> None:
        for secret in SECRETS[:6]:
            assert recover(service, code, secret).status == 201
        assert [can_read(service, secret) for secret in SECRETS[:6]] == [False, *[True] * 5]

    def test_after_the_laptop_was_stolen_and_revoked(self, service: Service, code: str) -> None:
        service.admin("machine_revoke", name="anna-laptop")
        assert recover(service, code).status == 201
        assert can_read(service)

    def test_a_lost_answer_is_given_again_and_mailed_once(self, service: Service, code: str) -> None:
        first = recover(service, code)
        assert mail_of_the_next_minute(service) is not None
        assert recover(service, code).body == first.body
        assert mail_of_the_next_minute(service) is None

    def test_an_answer_that_gets_lost_again_and_again_is_no_try(self, service: Service, code: str) -> None:
        for _ in range(2 * MAX_TRIES_AN_HOUR):
            assert recover(service, code).status == 201

    def test_two_at_once_both_get_in(
        self, service: Service, code: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, stored = wiring.recovery_store(), []
        use = store.use

        def after_another(used: Any, known: Any, notice: Any) -> bool:
            if not stored:
                stored.append(True)
                assert recover(service, code, SECRETS[1]).status == 201
            return use(used, known, notice)

        monkeypatch.setattr(store, "use", after_another)
        assert recover(service, code, SECRETS[0]).status == 201
        assert can_read(service, SECRETS[0])
        assert can_read(service, SECRETS[1])


class TestWhatIsRefused:
    @pytest.mark.parametrize("group", range(6))
    def test_a_mistyped_group_is_named_without_a_look_into_the_table(
        self, service: Service, code: str, group: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        groups = code.split("-")
        groups[group] = groups[group][:-1] + ("7" if groups[group][-1] != "7" else "8")
        monkeypatch.setattr(wiring, "_table", None)
        for builder in (wiring.machine_store, wiring.recovery_store, wiring.notice_store):
            monkeypatch.setattr(builder(), "_table", None)
        answer = recover(service, "-".join(groups))
        assert (answer.status, answer.error) == (403, "bad_code")
        assert f"group {group + 1}" in answer.body["message"]

    def test_swapped_letters_and_swapped_groups_are_mistyped(self, service: Service, code: str) -> None:
        groups = code.split("-")
        pairs = [
            (one, other) for one, other in itertools.combinations(range(6), 2) if groups[one] != groups[other]
        ]
        for one, other in pairs:
            swapped = list(groups)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            assert "mistyped" in recover(service, "-".join(swapped)).body["message"]
        letters = code.replace("-", "")
        for place in range(len(letters) - 1):
            swapped_letters = letters[:place] + letters[place + 1] + letters[place] + letters[place + 2 :]
            if swapped_letters != letters:
                assert "mistyped" in recover(service, swapped_letters).body["message"]

    def test_wrong_unknown_replaced_revoked_and_another_machines_get_one_and_the_same_answer(
        self, service: Service, code: str
    ) -> None:
        service.admin("machine_add", name="ben-laptop")
        answers = [
            recover(service, new_recovery_code()),
            recover(service, code, machine="nobodys-laptop"),
            recover(service, code, machine="ben-laptop"),
            recover(service, code, machine="Anna Laptop"),
        ]
        new = service.admin("machine_recovery", name="anna-laptop")["recovery_code"]
        answers.append(recover(service, code))
        service.admin("machine_revoke", name="anna-laptop", recovery=True)
        answers.append(recover(service, new))
        assert {(answer.status, answer.error) for answer in answers} == {(403, "bad_code")}
        assert len({answer.body["message"] for answer in answers}) == 1
        assert "second half of the sheet" in answers[0].body["message"]
        assert "`python -m ops machine recovery NAME`" in answers[0].body["message"]

    def test_the_paper_of_a_machine_that_was_removed_is_worthless_for_the_next_one_of_that_name(
        self, service: Service, code: str
    ) -> None:
        recover(service, code)
        service.admin("machine_remove", name="anna-laptop")
        assert recover(service, code, SECRETS[1]).error == "bad_code"
        later(service, minutes=1)
        new = service.admin("machine_add", name="anna-laptop")["recovery_code"]
        assert recover(service, code, SECRETS[1]).error == "bad_code"
        assert not can_read(service)
        assert recover(service, new, SECRETS[1]).status == 201

    @pytest.mark.parametrize("digest", ["", "x" * 64, "A" * 64, "0" * 63])
    def test_what_is_no_digest(self, service: Service, code: str, digest: str) -> None:
        body = {"machine": "anna-laptop", "code": code, "secret_sha256": digest}
        assert service.call("POST", "/recoveries", body).error == "bad_digest"


class TestWhatTheOwnerHears:
    def test_each_use_is_in_the_mail_of_the_next_minute(
        self, service: Service, code: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number, secret in enumerate(SECRETS[:3], 1):
            come_from(monkeypatch, f"192.0.2.{number}")
            recover(service, code, secret)
            mail = mail_of_the_next_minute(service)
            assert mail is not None
            assert "Look now: anna-laptop: its recovery code was used" in mail
            assert f"192.0.2.{number}" in mail
            assert "python -m ops machine revoke anna-laptop --recovery --stage test" in mail
        assert mail_of_the_next_minute(service) is None

    def test_a_use_of_the_same_secret_with_a_newer_code_is_mailed_as_well(
        self, service: Service, code: str
    ) -> None:
        recover(service, code)
        new = service.admin("machine_recovery", name="anna-laptop")["recovery_code"]
        mail_of_the_next_minute(service)
        recover(service, new)
        assert "its recovery code was used" in str(mail_of_the_next_minute(service))

    def test_there_is_no_reader_without_a_notice(
        self, service: Service, code: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both are one transaction: a call that dies in between would leave a reader that nobody hears of."""
        table = wiring.recovery_store()._table
        monkeypatch.setattr(table, "put", None)
        assert recover(service, code).status == 201
        assert notices(service).count("recovery_used") == 1

    def test_ten_wrong_codes_within_an_hour_are_reported_once(self, service: Service, code: str) -> None:
        for _ in range(GUESSED_FROM - 1):
            recover(service, new_recovery_code())
        assert "recovery_guessed" not in notices(service)
        for _ in range(5):
            recover(service, new_recovery_code())
        assert notices(service).count("recovery_guessed") == 1
        assert "wrong recovery codes" in service.admin("alerts_preview")["mail"]["text"]

    def test_wrong_codes_of_an_earlier_hour_and_for_nobodys_machine_are_not_reported(
        self, service: Service, code: str
    ) -> None:
        for _ in range(GUESSED_FROM - 1):
            recover(service, new_recovery_code())
        later(service, hours=1)
        recover(service, new_recovery_code())
        for _ in range(GUESSED_FROM):
            recover(service, new_recovery_code(), machine="nobodys-laptop")
        assert "recovery_guessed" not in notices(service)


class TestTries:
    def test_from_one_address_twenty_an_hour_and_then_not_even_a_right_code(
        self, service: Service, code: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A right one within that hour waits as well: it would have to be looked at to be known as right."""
        come_from(monkeypatch, "192.0.2.1")
        for _ in range(MAX_TRIES_AN_HOUR):
            assert recover(service, new_recovery_code()).error == "bad_code"
        later(service, minutes=15)
        monkeypatch.setattr(wiring.recovery_store(), "with_machine", None)
        answer = recover(service, code)
        assert (answer.status, answer.error) == (429, "too_many_tries")
        assert answer.headers["Retry-After"] == "2700"
        assert answer.body["retry_after_seconds"] == 2700
        assert "45 minutes" in answer.body["message"]
        monkeypatch.undo()
        later(service, minutes=45)

    def test_others_are_not_held_up_by_it(
        self, service: Service, code: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        come_from(monkeypatch, "192.0.2.1")
        for _ in range(MAX_TRIES_AN_HOUR + 5):
            recover(service, new_recovery_code())
        come_from(monkeypatch, "192.0.2.2")
        assert recover(service, code).status == 201

    def test_it_goes_on_in_the_next_hour(
        self, service: Service, code: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        come_from(monkeypatch, "192.0.2.1")
        for _ in range(MAX_TRIES_AN_HOUR + 1):
            recover(service, new_recovery_code())
        later(service, hours=1)
        assert recover(service, code).status == 201

    def test_a_site_of_ipv6_is_one(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(MAX_TRIES_AN_HOUR):
            come_from(monkeypatch, f"2001:db8::{number:x}")
            recover(service, new_recovery_code())
        come_from(monkeypatch, "2001:db8::ffff")
        assert recover(service, new_recovery_code()).error == "too_many_tries"
        come_from(monkeypatch, "2001:db8:0:1::1")
        assert recover(service, new_recovery_code()).error == "bad_code"

    def test_whoever_has_the_code_cannot_flood_the_owner_with_readers(
        self, service: Service, code: str
    ) -> None:
        answers = [recover(service, code, f"{number:064x}").error for number in range(100, 130)]
        assert answers.count("too_many_tries") == 30 - MAX_TRIES_AN_HOUR

    def test_the_rows_of_tries_go_by_themselves(self, service: Service, code: str) -> None:
        recover(service, new_recovery_code())
        rows = boto3.client("dynamodb").scan(TableName="panicroom-test")["Items"]
        tries = [row for row in rows if row["pk"]["S"].startswith("RECOVERY_TRIES")]
        assert len(tries) == 2
        for row in tries:
            assert 3600 <= int(row["expires_at_epoch"]["N"]) - service.now.timestamp() <= 7200
