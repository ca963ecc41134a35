"""What the owner sees of thaws: findings that open and close by themselves, alerts, and the weekly mail."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
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
from tests.service.conftest import NOW, Service, later

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
    service.admin("machine_add", name="anna-laptop", owner_mail="anna@example.org")
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
    machine.admin("machine_add", name="bens-laptop")
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
