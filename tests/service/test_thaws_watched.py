"""What the owner sees of thaws: findings that open and close by themselves, alerts, and the weekly mail."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from chalicelib import wiring
from chalicelib.adapters.ses_mailer import Mailer
from chalicelib.adapters.stores import rows
from chalicelib.adapters.stores.thaw_store import ThawStore, thaw_item
from chalicelib.domain.audit.notices import THAW_WAITING, Notice
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.journeys.send_alerts import send_alerts
from chalicelib.journeys.send_weekly_report import compose_for, gather
from chalicelib.rendering import Mail, render
from chalicelib.wire import ThawState, ThawTier
from tests.hostile.memory_aws import service_in_memory
from tests.service.conftest import NOW, Service, later
from tests.service.thawing import ThawingLaptop, send

BULK = Thaw(
    machine="anna-laptop",
    job="system",
    id="5e02",
    state=ThawState.ASKING,
    tier=ThawTier.BULK,
    started_at=NOW,
    volumes=40,
    size_bytes=1000,
    days=5,
    ready_by=NOW + timedelta(hours=48),
)


@pytest.fixture
def machine(service: Service) -> Service:
    service.enrolled("anna-laptop", owner_mail="anna@example.org")
    return service


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Mail, Sequence[str]]]:
    mails: list[tuple[Mail, Sequence[str]]] = []

    def send(_: Mailer, mail: Mail, recipients: Sequence[str]) -> str:
        mails.append((mail, recipients))
        return f"id-{len(mails)}"

    monkeypatch.setattr(Mailer, "send", send)
    return mails


def put(thaw: Thaw) -> None:
    wiring._table().put(thaw_item(thaw))


def minute(service: Service) -> None:
    later(service, minutes=1)
    send_alerts(wiring.alert_context(service.now))


def found(service: Service) -> list[str]:
    codes = [one["code"] for one in service.admin("findings")["findings"]]
    return [code for code in codes if code.startswith("thaw")]


def test_a_stuck_thaw_is_found_within_half_an_hour_mailed_and_closed_again(
    machine: Service, sent: list[tuple[Mail, Sequence[str]]]
) -> None:
    put(BULK)
    minute(machine)
    later(machine, minutes=70)
    minute(machine)
    assert found(machine) == ["thaw_stuck"]
    later(machine, minutes=2)
    minute(machine)
    assert [mail.subject for mail, _ in sent] == [
        "[panicroom] anna-laptop/system: a thaw does not come to its end"
    ] * 2
    assert [list(recipients) for _, recipients in sent] == [["owner@example.org"], ["anna@example.org"]]
    put(dataclasses.replace(BULK, state=ThawState.THAWING))
    later(machine, minutes=60)
    minute(machine)
    assert found(machine) == []
    assert (
        sent[-2][0].subject
        == "[panicroom] All clear: anna-laptop/system: over: a thaw does not come to its end"
    )


def test_copies_that_lapse_unread_are_in_the_audit_and_in_no_alert_of_their_own(
    machine: Service, sent: list[tuple[Mail, Sequence[str]]]
) -> None:
    put(dataclasses.replace(BULK, state=ThawState.READY, done=40, readable_until=NOW + timedelta(days=2)))
    assert "thaw_unread" not in [one["code"] for one in machine.admin("audit")["findings"]]
    later(machine, hours=25)
    assert "thaw_unread" in [one["code"] for one in machine.admin("audit")["findings"]]
    for _ in range(3):
        minute(machine)
    assert not [mail for mail, _ in sent if "thaw" in mail.subject]
    put(dataclasses.replace(BULK, state=ThawState.LAPSED, done=40, readable_until=NOW))
    machine.admin("audit")
    assert found(machine) == []


def test_who_waits_for_approval_is_mailed_within_the_minute_with_the_line_to_type(
    machine: Service, sent: list[tuple[Mail, Sequence[str]]]
) -> None:
    minute(machine)
    message = "A restore of anna-laptop/system needs 40 volumes: $9.12, and $0.88 of the budget are left."
    wiring.notice_store().put(Notice(THAW_WAITING, "anna-laptop", "system", message, machine.now, "5e02"))
    minute(machine)
    (mail, _), (own, recipients) = sent[-2:]
    assert mail.subject == "[panicroom] anna-laptop/system: a restore waits for your approval"
    assert "python -m ops thaw approve 5e02 --stage test" in mail.text
    assert "python -m ops thaw approve 5e02 --stage test" in mail.html
    assert message in own.text
    assert list(recipients) == ["anna@example.org"]


def test_the_findings_of_a_machine_that_was_removed_go_with_it(
    machine: Service, sent: list[tuple[Mail, Sequence[str]]]
) -> None:
    put(BULK)
    later(machine, hours=2)
    machine.admin("audit")
    assert found(machine) == ["thaw_stuck"]
    machine.admin("machine_remove", name="anna-laptop")
    machine.admin("audit")
    assert found(machine) == []


def put_month(machine: str, reserved: int, approved: int) -> None:
    """In millionths of a dollar."""
    row = rows.new_row(
        f"THAW_MONTHS#{machine}", f"{NOW:%Y-%m}", reserved_micro_usd=reserved, approved_micro_usd=approved
    )
    wiring._table().put(row)


def test_the_weekly_mail_has_thaws_and_what_they_cost_and_each_owner_has_their_own(machine: Service) -> None:
    machine.enrolled("bens-laptop")
    put(dataclasses.replace(BULK, state=ThawState.WAITING, usd=Decimal("9.12")))
    put(dataclasses.replace(BULK, machine="bens-laptop", id="77aa", usd=Decimal("0.25")))
    put_month("bens-laptop", 250_000, 1_500_000)
    message = "A restore needs 40 volumes."
    wiring.notice_store().put(Notice(THAW_WAITING, "anna-laptop", "system", message, machine.now, "5e02"))
    text = machine.admin("report_preview")["text"]
    assert "anna-laptop / system: $9.12\n  Waits for your approval" in text
    assert "python -m ops thaw approve 5e02 --stage test" in text
    assert "$0.25 of $1.00, $0.75 left" in text
    assert "Approved by you, beyond the budget: bens-laptop $1.50." in text
    assert re.search(r"Of that for thaws +\$1\.75\n", text)
    assert message not in text
    context = wiring.report_context(machine.now)
    own = render(compose_for(context, gather(context), frozenset({"anna-laptop"}))).text
    assert "anna-laptop / system: $9.12" in own
    assert "bens-laptop" not in own


def test_a_weekly_mail_without_thaws_reads_no_months(
    machine: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(ThawStore, "months")
    assert "thaws" not in machine.admin("report_preview")["text"]


def test_a_thaw_of_a_token_that_was_revoked_waits_for_nobody_in_the_mail(machine: Service) -> None:
    put(dataclasses.replace(BULK, state=ThawState.WAITING, usd=Decimal("9.12")))
    later(machine, days=1)
    machine.admin("machine_revoke", name="anna-laptop")
    text = machine.admin("report_preview")["text"]
    assert "Over; 0 bytes of it downloaded. The machine's token was revoked." in text
    assert "thaw approve" not in text


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThawingLaptop]:
    with service_in_memory(monkeypatch) as service:
        yield ThawingLaptop(service)


def alert(service: Service) -> str:
    """The text of the mail that would go out a minute later."""
    later(service, minutes=1)
    mail = service.admin("alerts_preview")["mail"]
    return str(mail["text"]) if mail else ""


def test_a_restore_beyond_the_budget_is_mailed_at_once_with_price_what_is_left_and_one_line_to_approve(
    laptop: ThawingLaptop,
) -> None:
    laptop.service.admin("machine_set", name="anna-laptop", thaw_budget_usd="0")
    laptop.store(*range(1, 41))
    thaw = laptop.plan("1-40").body["thaw"]
    assert laptop.start(thaw).error == "thaw_budget"
    text = alert(laptop.service)
    assert re.search(
        r"A thaw of 40 volumes \(\S+ \wB\) of anna-laptop/system waits for you\. This thaw costs \$0\.\d+, and "
        r"\$0\.0000 is left of this month's budget\.",
        text,
    )
    assert text.count("thaw approve") == text.count(f"python -m ops thaw approve {thaw} --stage test") == 1


def test_that_all_can_be_downloaded_is_mailed_in_the_owners_time_with_what_the_laptop_types(
    laptop: ThawingLaptop,
) -> None:
    laptop.store(1, 2, 3)
    laptop.begin("1-3")
    laptop.run_function()
    later(laptop.service, hours=20)
    send("Completed", laptop.s3.finish())
    laptop.tick()
    text = alert(laptop.service)
    assert "anna-laptop/system: archived files can be downloaded" in text
    assert re.search(r"can be downloaded until \w{3} \d\d \w{3} 2026, 01:00\.", text)
    assert "type the same `panicroom restore` again" in text
    assert "UTC" not in text
