"""A reader of the recovery code thaws everything once without the owner, whatever a thief with the laptop does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.table import Table
from chalicelib.domain.backups.freshness import SealedSummary
from chalicelib.domain.backups.machines import sha256_hex
from chalicelib.domain.recovery.recovery import Recovery, new_recovery, use
from chalicelib.journeys.gather_thaws import gather_thaws
from chalicelib.recovery_code import new_recovery_code
from ops.functions.policies import policy_document
from ops.stages import LOCAL
from tests.hostile.memory_aws import service_in_memory
from tests.service.conftest import Service, later
from tests.service.thawing import MB, ThawingLaptop

GB = 2**30
SECRET, OTHER_SECRET = "7" * 64, "8" * 64


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with service_in_memory(monkeypatch) as service:
        yield service


@pytest.fixture
def laptop(service: Service) -> ThawingLaptop:
    """Of 20 volumes of 100 GB: to thaw and fetch all of them costs two hundred times its budget."""
    laptop = ThawingLaptop(service)
    laptop.store(*range(1, 21), size=100 * GB)
    laptop.store(21, size=MB)  # within its budget
    stored(2_000 * GB)
    return laptop


@pytest.fixture
def reader(laptop: ThawingLaptop) -> ThawingLaptop:
    return reader_of(laptop.service)


def stored(size_bytes: int, job: str = "system", volumes: int = 21) -> None:
    """What the catalogue has of the job's sets."""
    [known] = wiring.machine_store().jobs_named([("anna-laptop", job)]).values()
    summary = SealedSummary(None, 1, size_bytes, volumes=volumes)
    wiring.catalogue_store().summaries.put_summary(known, summary)


def reader_of(service: Service, secret: str = SECRET) -> ThawingLaptop:
    """One more reader, of the code that there is or else of a new one."""
    code = wiring.recovery_store().recovery("anna-laptop") or a_code(service)
    wiring.recovery_store().replace(use(code, sha256_hex(secret), "192.0.2.1", service.now)[0])
    return ThawingLaptop(service, token=f"anna-laptop.{secret}")


def a_code(service: Service) -> Recovery:
    return new_recovery("anna-laptop", new_recovery_code(), service.now)


def thawed_bytes() -> int:
    recovery = wiring.recovery_store().recovery("anna-laptop")
    assert recovery is not None
    return recovery.thawed_bytes


def forbidden(*_: object, **__: object) -> None:
    raise PermissionError("The function's role may not do that.")


def offers(laptop: ThawingLaptop, numbers: str) -> dict[str, bool]:
    plan = laptop.plan(numbers).body
    return {offer["tier"]: offer["needs_approval"] for offer in plan["tiers"]}


def finished(reader: ThawingLaptop, thaw: str) -> dict[str, Any]:
    reader.run_function()
    reader.s3.finish()
    reader.tick(hours=13)
    return reader.status(thaw)


# ---------------------------------------------------------------- everything once


def test_a_reader_thaws_everything_by_bulk_without_anybodys_approval(reader: ThawingLaptop) -> None:
    assert offers(reader, "1-20") == {"Standard": True, "Bulk": False}
    thaw = reader.begin("1-20")
    assert thawed_bytes() == 2_000 * GB
    assert finished(reader, thaw)["state"] == "ready"
    assert len(reader.s3.asked) == 20
    month = wiring.thaw_store().month("anna-laptop", reader.service.now)
    assert (month.reserved, month.approved > 4) == (0, True)


def test_what_was_approved_so_may_be_downloaded_in_a_day(reader: ThawingLaptop) -> None:
    finished(reader, reader.begin("1-20"))
    assert all("url" in permit for permit in reader.download(*range(1, 21)))


def test_the_laptop_itself_still_asks_the_owner(laptop: ThawingLaptop, reader: ThawingLaptop) -> None:
    assert offers(laptop, "1-20") == {"Standard": True, "Bulk": True}
    assert laptop.start(laptop.plan("1-20").body["thaw"]).error == "thaw_budget"
    assert thawed_bytes() == 0


def test_in_parts_it_is_everything_once_too_and_then_the_ordinary_budget(reader: ThawingLaptop) -> None:
    for numbers in ("1-7", "8-14", "15-20"):
        assert finished(reader, reader.begin(numbers))["state"] == "ready"
    assert thawed_bytes() == 2_000 * GB
    reader.s3.expire()
    assert offers(reader, "1-20") == {"Standard": True, "Bulk": True}
    assert reader.start(reader.plan("1-20").body["thaw"]).error == "thaw_budget"


def test_all_readers_of_one_code_have_everything_once_together(reader: ThawingLaptop) -> None:
    finished(reader, reader.begin("1-20"))
    reader.s3.expire()
    another = reader_of(reader.service, OTHER_SECRET)
    assert another.start(another.plan("1-20").body["thaw"]).error == "thaw_budget"


def test_a_new_code_has_everything_once_again(reader: ThawingLaptop) -> None:
    finished(reader, reader.begin("1-20"))
    reader.s3.expire()
    later(reader.service, minutes=1)
    reader.service.admin("machine_recovery", name="anna-laptop")
    another = reader_of(reader.service, OTHER_SECRET)
    assert another.start(another.plan("1-20").body["thaw"]).status == 200


def test_by_a_faster_tier_the_ordinary_budget_counts(reader: ThawingLaptop) -> None:
    thaw = reader.plan("1-20").body["thaw"]
    assert reader.start(thaw, "Standard").error == "thaw_budget"
    assert thawed_bytes() == 0
    assert reader.start(thaw, "Bulk").status == 200, "nor does the one that waits stand in its way"


def test_a_start_that_is_lost_to_another_counts_nothing(
    reader: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.adapters.stores.thaw_store import ThawStore

    thaw = reader.plan("1-20").body["thaw"]
    monkeypatch.setattr(ThawStore, "start", lambda *_: False)
    assert reader.start(thaw).error == "try_again"
    assert thawed_bytes() == 0


def test_starting_twice_counts_once(reader: ThawingLaptop) -> None:
    thaw = reader.begin("1-20")
    assert reader.start(thaw).status == 200
    assert thawed_bytes() == 2_000 * GB


def test_the_smallest_volumes_count_a_megabyte(reader: ThawingLaptop) -> None:
    """Else a found sheet would be good for as many requests as the backup has bytes."""
    reader.store(30, size=1)
    reader.begin("30")
    assert thawed_bytes() == MB


@pytest.mark.parametrize(("volumes", "counted"), [(20, 20 * MB), (19, 0)], ids=["covered", "by the budget"])
def test_everything_has_a_megabyte_more_for_each_volume(service: Service, volumes: int, counted: int) -> None:
    reader = reader_of(ThawingLaptop(service).service)
    reader.store(*range(1, 21), size=1)
    stored(20, volumes=volumes)
    reader.begin("1-20")
    assert thawed_bytes() == counted


def test_what_is_stored_is_not_read_set_by_set(
    reader: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of years of daily backups that would be megabytes for each plan, and for each try to start."""
    read: list[object] = []
    monkeypatch.setattr(CatalogueStore, "sets", lambda _store, job: read.append(job) or [])
    assert offers(reader, "1-20")["Bulk"] is False
    reader.begin("1-20")
    assert read == []


def test_what_other_jobs_have_stored_counts_too(service: Service) -> None:
    laptop = ThawingLaptop(service, token=service.enrolled(jobs=["system", "photos"]))
    laptop.store(1, size=2_000 * GB)
    stored(1_000 * GB)
    reader = reader_of(service)
    assert offers(reader, "1")["Bulk"]
    stored(1_000 * GB, "photos")
    assert not offers(reader, "1")["Bulk"]


def test_its_start_is_mailed_and_says_what_ends_it(reader: ThawingLaptop) -> None:
    reader.begin("1-20")
    [notice] = wiring.notice_store().since(reader.service.now)
    assert notice.code == "thaw_started"
    assert "machine revoke anna-laptop --recovery" in notice.message


def test_the_weekly_mail_has_it_by_the_rights_that_its_function_has(
    reader: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    thaw = reader.begin("1-20")
    statements = policy_document(LOCAL, "weekly_report")["Statement"]
    rights = {action for statement in statements for action in statement["Action"]}
    calls = {"get": "GetItem", "get_many": "BatchGetItem", "query": "Query"}
    lacking = [call for call, right in calls.items() if f"dynamodb:{right}" not in rights]
    assert lacking == ["get"]
    context = wiring.report_context(reader.service.now)
    for call in lacking:
        monkeypatch.setattr(Table, call, forbidden)
    found = gather_thaws(context.thaws, context.machines, context.recoveries, context.now, context.now)
    assert [one.id for one in found.recent] == [thaw]


# ---------------------------------------------------------------- what ends it, and what does not


def test_revoking_the_laptop_does_not_stop_it(reader: ThawingLaptop) -> None:
    thaw = reader.begin("1-20")
    reader.service.admin("machine_revoke", name="anna-laptop")
    assert finished(reader, thaw)["state"] == "ready"


@pytest.mark.parametrize("command", ["machine_recovery", "machine_revoke"])
def test_the_end_of_the_code_stops_it(laptop: ThawingLaptop, reader: ThawingLaptop, command: str) -> None:
    thaw = reader.begin("1-20")
    later(reader.service, minutes=1)
    arguments = {"recovery": True} if command == "machine_revoke" else {}
    reader.service.admin(command, name="anna-laptop", **arguments)
    reader.run_function()
    assert reader.s3.asked == []
    assert laptop.status(thaw)["state"] == "ended"
    assert reader.call("GET", f"/{thaw}").status in (401, 403)


def test_what_a_reader_waits_for_is_over_with_its_code(laptop: ThawingLaptop, reader: ThawingLaptop) -> None:
    thaw = reader.plan("1-20").body["thaw"]
    assert reader.start(thaw, "Standard").error == "thaw_budget"
    assert laptop.status(thaw)["state"] == "waiting"
    reader.service.admin("machine_revoke", name="anna-laptop", recovery=True)
    assert laptop.status(thaw)["state"] == "ended"
    assert reader.service.admin("thaws")["thaws"][0]["state"] == "ended"
    assert reader.service.admin("thaw_approve", thaw=thaw)["error"] == "unknown_thaw"


def test_what_the_owner_approved_for_a_reader_outlives_its_code(
    laptop: ThawingLaptop, reader: ThawingLaptop
) -> None:
    thaw = reader.plan("1-20").body["thaw"]
    assert reader.start(thaw, "Standard").error == "thaw_budget"
    reader.service.admin("thaw_approve", thaw=thaw)
    reader.service.admin("machine_revoke", name="anna-laptop", recovery=True)
    laptop.run_function()
    assert len(laptop.s3.asked) == 20


# ---------------------------------------------------------------- a thief


@pytest.mark.parametrize("numbers", ["1", "2", "1-3"])
def test_a_thiefs_open_thaw_does_not_hold_up_a_reader(
    laptop: ThawingLaptop, reader: ThawingLaptop, numbers: str
) -> None:
    """The thief has the laptop, and the owner has not revoked its token yet."""
    laptop.service.admin("machine_set", name="anna-laptop", thaw_budget_usd=100)
    laptop.begin("1-3")
    laptop.run_function()
    thaw = reader.begin("4-20" if numbers == "1" else "1-20")
    assert finished(reader, thaw)["state"] == "ready"


def test_a_thiefs_thaw_of_the_same_volumes_is_not_what_a_reader_depends_on(
    laptop: ThawingLaptop, reader: ThawingLaptop
) -> None:
    """S3 is asked under the reader's name: what the thief began is ended with the token."""
    laptop.service.admin("machine_set", name="anna-laptop", thaw_budget_usd=1000)
    thaw = laptop.begin("1-20")
    later(laptop.service, minutes=1)
    assert reader.begin("1-20") == thaw
    laptop.service.admin("machine_revoke", name="anna-laptop")
    assert finished(reader, thaw)["state"] == "ready"


def test_a_thiefs_waiting_thaw_of_the_same_volumes_is_in_no_readers_way(
    laptop: ThawingLaptop, reader: ThawingLaptop
) -> None:
    assert laptop.start(laptop.plan("1-20").body["thaw"]).error == "thaw_budget"
    assert finished(reader, reader.begin("1-20"))["state"] == "ready"


def test_a_thief_uses_up_no_plans_and_no_lists_of_a_reader(
    laptop: ThawingLaptop, reader: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.adapters.stores import thaw_store

    monkeypatch.setattr(thaw_store, "MAX_PAGES_A_MONTH", 100)
    errors = {laptop.plan(str(number % 20 + 1)).error for number in range(200)}
    assert errors == {None, "thaw_cap"}
    assert laptop.plan("1-2").error == "thaw_cap"
    assert reader.plan("1-20").status == 200


def test_a_found_sheet_holds_up_the_laptop_for_as_long_as_its_thaw_takes_and_a_day_at_most(
    laptop: ThawingLaptop, reader: ThawingLaptop
) -> None:
    reader.begin("20")
    reader.run_function()
    assert laptop.start(laptop.plan("21").body["thaw"]).error == "thaw_in_progress"
    later(laptop.service, hours=72)
    assert laptop.start(laptop.plan("21").body["thaw"]).status == 200


def test_with_the_code_ended_its_thaw_holds_up_nobody(laptop: ThawingLaptop, reader: ThawingLaptop) -> None:
    reader.begin("20")
    reader.run_function()
    laptop.service.admin("machine_revoke", name="anna-laptop", recovery=True)
    assert laptop.start(laptop.plan("21").body["thaw"]).status == 200


def test_two_readers_wait_for_each_other_as_two_laptops_would(reader: ThawingLaptop) -> None:
    another = reader_of(reader.service, OTHER_SECRET)
    reader.begin("1-3")
    reader.run_function()
    assert another.start(another.plan("4").body["thaw"]).error == "thaw_in_progress"


def test_a_drill_by_a_reader_is_paid_from_the_allowance_for_drills(reader: ThawingLaptop) -> None:
    reader.store(40, size=25 * MB)
    thaw = reader.plan("40").body["thaw"]
    body = {"tier": "Bulk", "max_usd": 1.0, "drill": True}
    assert reader.call("POST", f"/{thaw}/start", body).status == 200
    assert thawed_bytes() == 0
    month = wiring.thaw_store().month("anna-laptop", reader.service.now)
    assert month.drilled > 0 == month.approved


def test_a_readers_drill_ends_no_drill_of_the_laptop_but_waits_for_it(
    laptop: ThawingLaptop, reader: ThawingLaptop
) -> None:
    """Whoever finds the sheet must not keep the laptop from ever passing a drill."""
    reader.store(40, 41, size=25 * MB)
    of_laptop, of_reader = laptop.plan("40").body["thaw"], reader.plan("41").body["thaw"]
    body = {"tier": "Bulk", "max_usd": 1.0, "drill": True}
    assert laptop.call("POST", f"/{of_laptop}/start", body).status == 200
    assert reader.call("POST", f"/{of_reader}/start", body).error == "thaw_in_progress"
    assert laptop.status(of_laptop)["state"] == "asking"
