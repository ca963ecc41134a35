"""The journal: every change by the owner, a machine or the service has its entry, and only what was done has one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.adapters.stores.fleet.journal_store import JournalStore
from chalicelib.adapters.table import Table
from chalicelib.domain.fleet.journal import KEPT, JournalEntry, months_since
from chalicelib.journeys.admin.administer import CHANGES
from chalicelib.journeys.journal.sentences import SENTENCES, lines_about
from tests.service.conftest import NOW, TABLE, Service, later
from tests.service.letting_go import Archive

ANNA = "arn:aws:iam::123456789012:user/anna"


@pytest.fixture
def typed_by_anna(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """STS says so of every query."""
    monkeypatch.setattr("chalicelib.adapters.caller_identity.CallerIdentity.arn", lambda *_: ANNA)
    return service


def entries(service: Service, **asked: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.admin("journal", **asked)["entries"]
    return found


def told(service: Service, **asked: object) -> list[tuple[str, str, str]]:
    return [(one["what"], one["machine"], one["detail"]) for one in entries(service, **asked)]


def test_each_change_is_told_with_who_made_it_the_newest_last(typed_by_anna: Service) -> None:
    service = typed_by_anna
    service.admin("machine_add", name="web-1", jobs=["system", "home"])
    later(service, minutes=1)
    service.admin("machine_set", name="web-1", job="home", period_seconds=172_800, thaw_budget_usd="4.50")
    later(service, minutes=1)
    service.admin("machine_pause", name="web-1", until="2026-12-24")
    later(service, minutes=1)
    service.admin("machine_revoke", name="web-1")
    later(service, minutes=1)
    service.admin("machine_remove", name="web-1")
    [added, *others] = told(service)
    assert added[:2] == ("machine_add", "web-1")
    assert added[2].startswith("A code was made, valid until 2026-11-23 20:00 UTC. So was a recovery code;")
    assert added[2].endswith(". Its jobs: home, system.")
    assert others == [
        ("machine_set", "web-1", "Changed: every 2 days, $4.50 a month for thaws."),
        ("machine_pause", "web-1", "No backups are expected until 2026-12-24."),
        ("machine_revoke", "web-1", "Its token ended."),
        ("machine_remove", "web-1", "It is watched no longer; what it stored stays."),
    ]
    assert {one["who"] for one in entries(service)} == {ANNA}
    assert entries(service)[1]["job"] == "home"


def test_every_command_that_changes_something_has_its_sentence() -> None:
    assert set(CHANGES) == set(SENTENCES)


def test_a_command_without_a_sentence_is_told_all_the_same() -> None:
    [change] = lines_about("machine_polish", {"name": "web-1", "job": "home"}, object())
    assert (change.machine, change.job, change.detail) == ("web-1", "home", "")


def test_what_was_done_for_several_machines_is_told_of_each_for_which_it_was_done(service: Service) -> None:
    service.admin("group_add", name="web", thaw_budget_usd="2")
    for name in ("web-1", "web-2"):
        service.admin("machine_add", name=name, group="web")
    later(service, days=40)
    service.admin("for_machines", each="machine_pause", names=["web-1", "gone", "web-2"])
    service.admin("group_set", name="web", period_seconds=172_800, owner_mail="anna@example.org")
    service.admin("for_machines", each="machine_set", names=["web-1"], group="none")
    service.admin("group_remove", name="web", keep_settings=True)
    changed = "Changed: every 2 days, who has its mail."
    assert sorted(told(service)) == [
        ("group_remove", "", "Group web was removed."),
        ("group_remove", "web-2", "In group web no longer; its settings stay."),
        ("group_set", "", f"Group web. {changed}"),
        ("group_set", "web-1", f"As its group web. {changed}"),
        ("group_set", "web-2", f"As its group web. {changed}"),
        ("machine_pause", "web-1", "No backups are expected until it is resumed."),
        ("machine_pause", "web-2", "No backups are expected until it is resumed."),
        ("machine_set", "web-1", "Changed: no group."),
    ]
    first = service.admin("journal", since="2026-01-01")["entries"]
    assert "Group web was added. Changed: $2.00 a month for thaws." in [one["detail"] for one in first]


class Killed(BaseException):
    """The function's time was up."""


@pytest.mark.parametrize(
    ("command", "arguments", "killed_at", "expected"),
    [
        (
            "for_machines",
            {"each": "machine_pause", "names": ["web-1", "web-2", "web-3"]},
            ("pause", 3),
            [("machine_pause", "web-1"), ("machine_pause", "web-2")],
        ),
        (
            "group_set",
            {"name": "web", "period_seconds": 172_800},
            ("change_settings", 2),
            [("group_set", ""), ("group_set", "web-1")],
        ),
        (
            "group_remove",
            {"name": "web", "keep_settings": True},
            ("change_settings", 3),
            [("group_remove", "web-1"), ("group_remove", "web-2")],
        ),
    ],
)
def test_a_command_for_many_that_dies_in_the_middle_has_told_what_it_did(
    typed_by_anna: Service,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    arguments: dict[str, Any],
    killed_at: tuple[str, int],
    expected: list[tuple[str, str]],
) -> None:
    service = typed_by_anna
    service.admin("group_add", name="web")
    for name in ("web-1", "web-2", "web-3"):
        service.admin("machine_add", name=name, group="web")
    later(service, days=40)
    method, call = killed_at
    write, calls = getattr(wiring.machine_store(), method), 0

    def dies(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Killed
        return write(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(wiring.machine_store(), method, dies)
        with pytest.raises(Killed):
            service.admin(command, **arguments)
    assert [(what, machine) for what, machine, _ in told(service)] == expected
    assert {one["who"] for one in entries(service)} == {ANNA}


def test_of_many_that_are_added_each_is_told_once_it_was(
    typed_by_anna: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, journal = typed_by_anna, wiring.journal_store()
    machines = [{"name": f"web-{number}"} for number in range(3)]
    written: list[int] = []
    write = journal.write

    def count(entries: Any) -> None:
        kept = list(entries)
        written.append(len(kept))
        write(kept)

    monkeypatch.setattr(journal, "write", count)
    service.admin("machines_add", machines=machines)
    assert written == [1, 1, 1, 0]
    assert sorted((what, machine) for what, machine, _ in told(service)) == [
        ("machine_add", f"web-{number}") for number in range(3)
    ]


def test_what_was_refused_and_what_only_looks_is_not_told(service: Service) -> None:
    service.admin("machine_revoke", name="nobody")
    service.admin("machine_add", name="NOT A NAME")
    service.admin("machine_list")
    assert entries(service) == []


def test_a_command_that_fails_is_not_told_as_done(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.admin("machine_add", name="web-1")

    def fail(*_: object) -> None:
        raise RuntimeError("the table is away")

    monkeypatch.setattr(wiring.machine_store(), "revoke", fail)
    with pytest.raises(RuntimeError, match="the table is away"):
        service.admin("machine_revoke", name="web-1")
    assert [what for what, _, _ in told(service)] == ["machine_add"]


def test_an_entry_that_cannot_be_written_fails_no_change(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Table.put_all_or_none

    def put_no_entry(table: Table, puts: Sequence[Any]) -> None:
        if puts[0][0]["pk"].startswith("JOURNAL#"):
            raise RuntimeError("no")
        put(table, puts)

    monkeypatch.setattr(Table, "put_all_or_none", put_no_entry)
    token = service.enrolled("anna-laptop")
    assert service.call("GET", "/machine", token=token).status == 200
    assert entries(service) == []


def test_a_sentence_that_fails_fails_no_change(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SENTENCES, "machine_add", lambda *_: 1 / 0)
    assert service.admin("machine_add", name="web-1")["machine"] == "web-1"


def test_what_a_caller_says_of_himself_is_worth_nothing(service: Service) -> None:
    for claimed in (ANNA, {"arn": ANNA}, ["x"], 7, "Action=GetCallerIdentity"):
        service.admin("machine_add", name="web-1", caller=claimed, who=ANNA)
    assert {one["who"] for one in entries(service)} == {"unknown caller"}


def test_an_enrolment_is_told_once_with_what_it_changed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    import app

    monkeypatch.setattr(app.web, "address_of", lambda _: "192.0.2.1")
    first = service.admin("machine_add", name="anna-laptop")["code"]
    body = {"code": first, "secret_sha256": "1" * 64}
    assert service.call("POST", "/enrolments", body).status == 201
    assert service.call("POST", "/enrolments", body).status == 201  # the answer was lost
    second = service.admin("machine_rotate", name="anna-laptop")["code"]
    assert service.call("POST", "/enrolments", {"code": second, "secret_sha256": "2" * 64}).status == 201
    assert service.call("POST", "/enrolments", {"code": second, "secret_sha256": "3" * 64}).status == 403
    enrolments = [one for one in entries(service) if one["what"] == "enrolment"]
    assert [one["who"] for one in enrolments] == ["machine anna-laptop"] * 2
    assert {one["detail"] for one in enrolments} == {
        "Its code was used from 192.0.2.1: it has a new token.",
        "Its code was used from 192.0.2.1: it has a new token. The one before ended.",
    }


def test_the_use_of_a_recovery_code_is_told_and_a_wrong_one_is_not(service: Service) -> None:
    code = service.admin("machine_add", name="anna-laptop")["recovery_code"]
    body = {"machine": "anna-laptop", "code": code, "secret_sha256": "1" * 64}
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    assert service.call("POST", "/recoveries", {**body, "code": wrong}).status in (400, 403)
    assert service.call("POST", "/recoveries", body).status == 201
    [used] = [one for one in entries(service) if one["what"] == "recovery"]
    assert (used["who"], used["machine"]) == ("recovery code", "anna-laptop")
    assert used["detail"].startswith(f"Its recovery code ending in {code[-5:]} was used")


def test_a_chain_that_goes_is_told_of_the_service_and_so_is_its_way_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moto.s3.models.utcnow", lambda: service.now.replace(tzinfo=None))
    archive = Archive(service)
    old, _ = archive.two_chains()
    archive.let_go()
    archive.wait(days=1)
    archive.let_go()
    machine, job = archive.job.machine, archive.job.name
    service.admin("retention_undo", name=machine, job=job, chain=old)
    let_go, undo = [one for one in entries(service) if one["what"] in ("let_go", "retention_undo")]
    assert (let_go["who"], let_go["machine"], let_go["job"]) == ("service", machine, job)
    assert let_go["detail"] == f"{old} is let go, by what its owner keeps: it is hidden."
    assert (undo["who"], undo["detail"]) == ("unknown caller", f"{old} is being brought back, and is held.")


def test_what_is_done_about_backups_is_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moto.s3.models.utcnow", lambda: service.now.replace(tzinfo=None))
    archive = Archive(service)
    full = archive.backup()
    machine, job = archive.job.machine, archive.job.name
    one = {"name": machine, "job": job}
    listing = service.admin("retention_preview", **one)["jobs"][0]
    look = {"machine": machine, "job": job, "digest": listing["digest"]}
    for command, asked in [
        ("retention_approve", {"looks": [look]}),
        ("retention_approve", {"looks": [{**look, "digest": "of another list"}]}),
        ("retention_hold", {**one, "chain": full}),
        ("retention_hold", {**one, "release": True}),
        ("set_place", {**one, "set": full}),
        ("set_quarantine", {**one, "set": full}),
        ("set_quarantine", {**one, "set": full, "release": True}),
        ("machine_recount", {"name": machine}),
        ("machine_resume", {"name": machine}),
        ("machine_pause", one),
        ("machine_resume", one),
        ("machine_revoke", {"name": machine, "recovery": True}),
        ("alerts_send", {}),  # nothing is due
    ]:
        later(service, minutes=1)
        assert "error" not in service.admin(command, **asked), command
    *changes, ended = told(service)[2:]  # after those of the machine and its enrolment
    assert ended[2].endswith(", and who read by it, ended.")
    assert changes == [
        ("retention_approve", machine, "Looked at and approved: 1 chain."),
        ("retention_hold", machine, f"A chain is held; held now: {full}."),
        ("retention_hold", machine, "All of it is held no longer."),
        ("set_place", machine, f"Files of {full} are being brought back."),
        ("set_quarantine", machine, f"1 set hidden from its machine: {full}."),
        ("set_quarantine", machine, f"1 set shown again: {full}."),
        ("machine_recount", machine, "Counted anew: 400 bytes are stored."),
        ("machine_resume", machine, "Backups are expected again."),
        ("machine_pause", machine, "No backups are expected until it is resumed."),
        ("machine_resume", machine, "Backups are expected again."),
    ]
    assert [entry["job"] for entry in entries(service)[-4:-1]] == ["", job, job]


def test_no_entry_has_a_code_a_token_or_an_address_of_mail(service: Service) -> None:
    added = service.admin("machine_add", name="anna-laptop", owner_mail="anna@example.org")
    service.admin("machine_set", name="anna-laptop", owner_mail="otto@example.org")
    service.admin("report_send", to=["owner@example.org"])
    service.admin("machine_recovery", name="anna-laptop")
    everything = str(entries(service))
    for secret in (added["code"], added["recovery_code"], "@"):
        assert secret not in everything
    assert "who has its mail" in everything
    assert "sent by hand to 1 address." in everything


def test_one_machine_is_asked_for_also_after_it_was_removed(service: Service) -> None:
    service.admin("machine_add", name="web-1")
    service.admin("machine_add", name="web-2")
    service.admin("machine_remove", name="web-2")
    assert {machine for _, machine, _ in told(service, name="web-2")} == {"web-2"}
    assert service.admin("journal", name="web-2\n")["error"] == "bad_request"


def test_the_last_thirty_days_are_shown_and_the_time_of_an_entry_is_what_counts(service: Service) -> None:
    service.admin("machine_add", name="web-1")
    later(service, days=29)
    service.admin("machine_add", name="web-2")
    later(service, days=2)
    assert [machine for _, machine, _ in told(service)] == ["web-2"]
    assert [machine for _, machine, _ in told(service, since="2026-01-01")] == ["web-1", "web-2"]
    assert told(service, since=service.now.isoformat()) == []


@pytest.mark.parametrize("since", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "tomorrow"])
def test_a_time_that_is_in_no_calendar_is_refused(service: Service, since: str) -> None:
    assert service.admin("journal", since=since)["message"] == (
        "since must be a day or a time such as 2026-12-24."
    )


def test_an_entry_goes_after_400_days_also_where_dynamodb_has_not_removed_it_yet(service: Service) -> None:
    service.admin("machine_add", name="web-1")
    items = service.table.scan(TableName=TABLE)["Items"]
    [item] = [item for item in items if item["pk"]["S"].startswith("JOURNAL#")]
    assert item["pk"]["S"] == "JOURNAL#2026-11"
    assert int(item["expires_at_epoch"]["N"]) == (NOW + KEPT).timestamp()
    later(service, days=399)
    assert len(entries(service, since="2020-01-01")) == 1
    later(service, days=2)
    assert entries(service, since="2020-01-01") == []


def test_entries_of_one_moment_are_all_kept_and_none_is_changed(service: Service) -> None:
    store: JournalStore = wiring.journal_store()
    entry = JournalEntry(NOW, "service", "let_go", "web-1", "system", "gone")
    store.write([entry] * 250)
    assert list(store.since(NOW, NOW)) == [entry] * 250


def test_more_than_one_answer_takes_is_left_off_and_counted(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.journeys.admin.journal.MOST_ENTRIES", 2)
    for name in ("web-1", "web-2", "web-3"):
        later(service, minutes=1)
        service.admin("machine_add", name=name)
    answer = service.admin("journal")
    assert [one["machine"] for one in answer["entries"]] == ["web-2", "web-3"]
    assert answer["left_off"] == 1


@pytest.mark.parametrize(
    ("days", "months"),
    [(0, ["2026-11"]), (22, ["2026-11", "2026-10"]), (60, ["2026-11", "2026-10", "2026-09"])],
)
def test_the_months_back_to_a_time_are_asked_for(days: int, months: list[str]) -> None:
    assert list(months_since(NOW - timedelta(days=days), NOW)) == months
