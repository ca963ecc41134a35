"""What a client reports of its drills, and what the laptop and the owner are told of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import app
from chalicelib import wire, wiring
from ops.commands.machines.shown import drills_shown
from tests.hostile.memory_aws import service_in_memory
from tests.service.conftest import Answer, Service, fire, later
from tests.service.uploading import MANIFEST, PREFIX, SIGNATURES, VOLUME_1, Laptop

DAY = 86_400


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Whose bucket has the service's clock: moto's has the day's."""
    with service_in_memory(monkeypatch) as service:
        yield service


@pytest.fixture
def laptop(service: Service) -> Laptop:
    laptop = Laptop(service)
    for name in (VOLUME_1, SIGNATURES):
        laptop.put(name)
    laptop.seal()
    service.catalogue(*(PREFIX + name for name in (VOLUME_1, SIGNATURES, MANIFEST)))
    return laptop


def report(laptop: Laptop, outcome: str, **fields: object) -> Answer:
    return laptop.service.call("POST", "/jobs/system/drills", {"outcome": outcome, **fields}, laptop.token)


def drill_of(laptop: Laptop) -> dict[str, Any]:
    answer = laptop.service.call("GET", "/machine", None, laptop.token)
    assert answer.status == 200, answer
    drill: dict[str, Any] = answer.body["jobs"][0]["drill"]
    return drill


def findings(service: Service) -> list[str]:
    found = service.admin("findings")["findings"]
    return [one["code"] for one in found if one["code"].startswith("drill")]


def test_the_laptop_is_told_when_a_drill_is_due(laptop: Laptop) -> None:
    assert drill_of(laptop) == {
        "due": False,
        "every_seconds": 30 * DAY,
        "first_due_at": "2026-11-29T20:00:00Z",
    }
    later(laptop.service, days=8)
    assert drill_of(laptop)["due"]
    assert report(laptop, "asked", volumes=3).body == {
        "due": False,
        "every_seconds": 30 * DAY,
        "outcome": "asked",
        "reported_at": "2026-11-30T20:00:00Z",
    }
    later(laptop.service, hours=7)
    assert drill_of(laptop)["due"]
    report(laptop, "passed", files=3, bytes=1_000, volumes=3)
    assert drill_of(laptop) == {
        "due": False,
        "every_seconds": 30 * DAY,
        "outcome": "passed",
        "passed_at": "2026-12-01T03:00:00Z",
        "reported_at": "2026-12-01T03:00:00Z",
    }
    later(laptop.service, days=30)
    assert drill_of(laptop)["due"]


def test_a_summary_of_a_version_without_drills_is_made_anew_once(laptop: Laptop) -> None:
    """The time of the first complete set is not in it."""
    table, key = wiring._table(), ("SUMMARIES", "anna-laptop/system")
    table.update(*key, {"oldest_complete_at": None, "volumes": None})
    later(laptop.service, days=8)
    assert drill_of(laptop)["due"]
    assert "oldest_complete_at" in (table.get(*key) or {})


def test_a_failure_is_a_finding_at_once_and_gone_with_the_next_pass(laptop: Laptop) -> None:
    report(laptop, "failed", message="letters.txt is not what was backed up")
    [found] = [one for one in laptop.service.admin("findings")["findings"] if one["code"] == "drill_failed"]
    assert (found["code"], found["severity"]) == ("drill_failed", "critical")
    assert "letters.txt is not what was backed up" in found["message"]
    assert found["commands"] == ["panicroom drill --job system", "panicroom verify --job system"]
    for outcome in ("asked", "skipped"):
        report(laptop, outcome)
        assert findings(laptop.service) == ["drill_failed"]
    fire(app.daily_audit)
    assert findings(laptop.service) == ["drill_failed"]
    report(laptop, "passed", files=3)
    assert findings(laptop.service) == []
    fire(app.daily_audit)
    assert findings(laptop.service) == []


def test_the_daily_audit_finds_a_drill_overdue_and_counts_from_its_first_day(laptop: Laptop) -> None:
    """As after an upgrade: the backups are old, and the client may be."""
    later(laptop.service, days=300)
    fire(app.daily_audit)
    assert findings(laptop.service) == []
    later(laptop.service, days=44)
    fire(app.daily_audit)
    assert findings(laptop.service) == []
    later(laptop.service, days=2)
    fire(app.daily_audit)
    assert findings(laptop.service) == ["drill_overdue"]
    report(laptop, "passed", files=3)
    assert findings(laptop.service) == []


def test_who_ends_the_drills_ends_what_is_overdue(laptop: Laptop) -> None:
    fire(app.daily_audit)
    later(laptop.service, days=50)
    fire(app.daily_audit)
    assert findings(laptop.service) == ["drill_overdue"]
    laptop.service.admin("machine_set", name="anna-laptop", drill_every_seconds=0)
    fire(app.daily_audit)
    assert findings(laptop.service) == []
    assert drill_of(laptop) == {"due": False}


def test_the_owner_chooses_how_often_and_sees_how_the_last_one_went(laptop: Laptop) -> None:
    shown = laptop.service.admin("machine_set", name="anna-laptop", drill_every_seconds=90 * DAY)
    [job] = shown["jobs"]
    assert drills_shown(wire.from_json(wire.DrillStatus, job["drill"])) == "every 90 days: none yet"
    report(laptop, "passed", files=3)
    later(laptop.service, days=1)
    report(laptop, "skipped", message="the allowance is used up")
    [job] = laptop.service.admin("machine_show", name="anna-laptop")["jobs"]
    assert drills_shown(wire.from_json(wire.DrillStatus, job["drill"])) == (
        "every 90 days: could not be tried at 2026-11-23 20:00 UTC (the allowance is used up), "
        "the last one passed at 2026-11-22 20:00 UTC"
    )


def test_what_a_report_says_cannot_write_on_the_owners_terminal(laptop: Laptop) -> None:
    report(laptop, "failed", message="\x1b[2Jall is well\n\u202e")
    [job] = laptop.service.admin("machine_show", name="anna-laptop")["jobs"]
    assert drills_shown(wire.from_json(wire.DrillStatus, job["drill"])).isprintable()


@pytest.mark.parametrize("every", [-1, 1, 86_399, "30d", 1.5, 11 * 366 * DAY])
def test_a_time_between_drills_that_is_none_is_refused(laptop: Laptop, every: object) -> None:
    refused = laptop.service.admin("machine_set", name="anna-laptop", drill_every_seconds=every)
    assert refused["error"] == "bad_request"
    assert drill_of(laptop)["every_seconds"] == 30 * DAY


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"outcome": "well"},
        {"outcome": "passed", "files": -1},
        {"outcome": "failed", "message": 7},
        {"outcome": "asked", "bytes": 2**60},
    ],
)
def test_a_report_that_is_none_changes_nothing(laptop: Laptop, body: dict[str, object]) -> None:
    answer = laptop.service.call("POST", "/jobs/system/drills", body, laptop.token)
    assert answer.error == "bad_request"
    assert "outcome" not in drill_of(laptop)


def test_nobody_else_reports_a_drill_of_a_machine(laptop: Laptop) -> None:
    ben = laptop.service.enrolled("bens-laptop", jobs=["photos"])
    body = {"outcome": "passed"}
    assert laptop.service.call("POST", "/jobs/system/drills", body, ben).error == "unknown_job"
    assert laptop.service.call("POST", "/jobs/system/drills", body).status in (401, 403)


def test_a_machines_name_that_is_used_again_has_no_drills(laptop: Laptop) -> None:
    report(laptop, "failed", message="letters.txt")
    laptop.service.admin("machine_remove", name="anna-laptop")
    later(laptop.service, minutes=1)
    laptop.token = laptop.service.enrolled()
    fire(app.daily_audit)
    assert "outcome" not in drill_of(laptop)
    assert findings(laptop.service) == []


def test_uploads_and_downloads_read_nothing_for_drills(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job's drills are in its own row, which each request reads anyhow."""
    client = wiring._table()._client
    calls: list[str] = []
    for name in ("get_item", "batch_get_item", "query", "update_item", "put_item"):
        monkeypatch.setattr(client, name, counted(getattr(client, name), name, calls))

    def downloads() -> list[str]:
        calls.clear()
        body = {"names": [MANIFEST]}
        assert laptop.service.call("POST", "/jobs/system/downloads", body, laptop.token).status == 200
        return list(calls)

    downloads()  # the hour's first call notes that the token was used
    before = downloads()
    report(laptop, "failed", message="letters.txt")
    assert downloads() == before
    assert (before.count("batch_get_item"), before.count("query")) == (1, 1)


def counted(call: Callable[..., Any], name: str, calls: list[str]) -> Callable[..., Any]:
    def counting(**arguments: Any) -> Any:
        calls.append(name)
        return call(**arguments)

    return counting
