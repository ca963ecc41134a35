"""Downloads go by the state of a file's copy, not by its class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import wiring
from tests.hostile.memory_aws import MemoryDynamo, service_in_memory
from tests.service.conftest import BUCKET, Service, later
from tests.service.thawing import VOLUME_BYTES, ThawingLaptop, send, volume

GB = 2**30


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with service_in_memory(monkeypatch) as service:
        yield service


@pytest.fixture
def laptop(service: Service) -> ThawingLaptop:
    laptop = ThawingLaptop(service)
    laptop.store(1, 2, 3, 4)
    laptop.store(5, storage_class="STANDARD")
    laptop.store(6, storage_class="GLACIER_IR")
    return laptop


def states(laptop: ThawingLaptop, *numbers: int) -> list[str]:
    return [
        "readable" if "url" in permit else "thawing" if permit.get("thawing") else "archived"
        for permit in laptop.download(*numbers)
    ]


def thawed(laptop: ThawingLaptop, numbers: str) -> str:
    thaw = laptop.begin(numbers)
    laptop.run_function()
    laptop.s3.finish()
    laptop.tick(minutes=15)
    assert laptop.status(thaw)["state"] == "ready"
    return thaw


def test_archived_thawing_and_readable_files_are_told_apart(laptop: ThawingLaptop) -> None:
    laptop.begin("1-2")
    laptop.run_function()
    laptop.s3.finish(laptop.place + volume(1))
    assert states(laptop, 1, 2, 3, 5, 6) == ["readable", "thawing", "archived", "readable", "readable"]


def test_it_is_said_until_when_a_thaw_of_this_service_takes(laptop: ThawingLaptop) -> None:
    laptop.begin("1-2")
    laptop.run_function()
    [permit] = laptop.download(1)
    assert (permit["archived"], permit["thawing"]) == (True, True)
    assert permit["thawing_until"] == "2026-11-24T20:00:00Z"


def test_nobody_knows_how_long_a_thaw_takes_that_somebody_else_began(laptop: ThawingLaptop) -> None:
    request = {"Days": 9, "GlacierJobParameters": {"Tier": "Bulk"}}
    laptop.s3.restore_object(Key=laptop.place + volume(1), RestoreRequest=request)
    [permit] = laptop.download(1)
    assert (permit["archived"], permit["thawing"]) == (True, True)
    assert "thawing_until" not in permit
    laptop.s3.finish()
    assert states(laptop, 1) == ["readable"], "its copy can be read all the same"


def test_facts_of_a_thawed_file_cost_nothing_and_count_for_nothing(laptop: ThawingLaptop) -> None:
    thawed(laptop, "1")
    body = {"names": [volume(1), volume(2)], "facts_only": True}
    answer = laptop.service.call("POST", "/jobs/system/downloads", body, laptop.token)
    assert ["archived" in permit for permit in answer.body["files"]] == [False, True]
    assert laptop.service.admin("thaws")["thaws"][0]["downloaded_bytes"] == 0


def test_what_is_downloaded_of_a_thaw_is_counted_and_other_files_are_not(laptop: ThawingLaptop) -> None:
    thawed(laptop, "1-2")
    laptop.download(1, 5, 6)
    assert laptop.service.admin("thaws")["thaws"][0]["downloaded_bytes"] == VOLUME_BYTES
    laptop.download(2, 3)
    assert laptop.service.admin("thaws")["thaws"][0]["downloaded_bytes"] == 2 * VOLUME_BYTES


def test_downloads_that_are_permitted_side_by_side_all_count(laptop: ThawingLaptop) -> None:
    thaw = thawed(laptop, "1-3")
    store = wiring.thaw_store()
    known = store.thaw(laptop.machine, laptop.job, thaw)
    assert known is not None
    for size_bytes in (1000, 200):  # two requests that have read the same row
        store.record_download(known, size_bytes, laptop.service.now)
    found = store.thaw(laptop.machine, laptop.job, thaw)
    assert found is not None
    assert (found.downloaded_bytes, found.last_download_at) == (1200, laptop.service.now)


def partition_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """The keys of a call to the table."""
    keys: dict[str, Any] = arguments.get(
        "Key", arguments.get("Item", arguments.get("ExpressionAttributeValues"))
    )
    return keys


def test_jobs_without_archived_volumes_pay_nothing_for_thaws(
    laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("get_item", "query", "update_item", "put_item"):
        inner = getattr(MemoryDynamo, name)

        def counted(table: Any, _inner: Any = inner, _name: str = name, **arguments: Any) -> Any:
            partition = partition_of(arguments)
            calls.append(f"{_name} {partition.get('pk', partition.get(':pk'))}")
            return _inner(table, **arguments)

        monkeypatch.setattr(MemoryDynamo, name, counted)
    who = {"get_item MACHINES", "get_item JOBS", "get_item LEASES", "update_item MACHINES"}
    letting_go = {"query QUARANTINES", "put_item FETCHED"}  # what is hidden, and that it was fetched
    laptop.download(5, 6)
    assert [call for call in calls if call not in who | letting_go] == ["update_item DOWNLOADS#anna-laptop"]
    calls.clear()
    laptop.download(1, 5)
    assert [call for call in calls if call not in who | letting_go] == ["update_item DOWNLOADS#anna-laptop"]


def test_a_request_for_thawed_files_costs_one_read_and_one_write_more(
    laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    thawed(laptop, "1-3")
    calls: list[str] = []
    for name in ("query", "update_item"):
        inner = getattr(MemoryDynamo, name)

        def counted(table: Any, _inner: Any = inner, _name: str = name, **arguments: Any) -> Any:
            if not {"QUARANTINES", "FETCHED"} & {str(value) for value in partition_of(arguments).values()}:
                calls.append(_name)
            return _inner(table, **arguments)

        monkeypatch.setattr(MemoryDynamo, name, counted)
    laptop.download(1, 2, 3)
    assert calls == ["query", "update_item", "update_item"], "one for the day's limit, one for the thaw"


def test_an_approved_thaw_lifts_the_days_cap_by_its_own_bytes(service: Service) -> None:
    laptop = ThawingLaptop(service)
    service.admin("machine_set", name="anna-laptop", download_cap_bytes=5 * GB, thaw_budget_usd=0)
    laptop.store(1, 2, 3, size=4 * GB)
    laptop.store(4, storage_class="STANDARD", size=5 * GB)
    thaw = laptop.plan("1-3").body["thaw"]
    laptop.start(thaw)
    service.admin("thaw_approve", thaw=thaw)
    laptop.run_function()
    laptop.s3.finish()
    laptop.tick(minutes=15)
    assert states(laptop, 4) == ["readable"]
    assert states(laptop, 1, 2, 3) == ["readable"] * 3
    assert laptop.download(1)[0]["error"] == "download_cap"


def test_a_thaw_within_the_budget_lifts_no_cap(service: Service) -> None:
    laptop = ThawingLaptop(service)
    service.admin("machine_set", name="anna-laptop", download_cap_bytes=5 * GB)
    laptop.store(1, 2, size=4 * GB)
    thawed(laptop, "1-2")
    assert "url" in laptop.download(1)[0]
    assert laptop.download(2)[0]["error"] == "download_cap"


def test_transfer_beyond_the_free_100_gb_is_in_the_price_and_counts_what_was_downloaded(
    service: Service,
) -> None:
    laptop = ThawingLaptop(service)
    service.admin("machine_set", name="anna-laptop", download_cap_bytes=1000 * GB)
    laptop.store(1, size=60 * GB)
    laptop.store(2, storage_class="STANDARD", size=60 * GB)
    assert laptop.plan("1").body["tiers"][-1]["transfer_usd"] == 0
    laptop.download(2)
    assert laptop.plan("1").body["tiers"][-1]["transfer_usd"] == pytest.approx(20 * 0.09)
    later(service, days=10)
    assert laptop.plan("1").body["tiers"][-1]["transfer_usd"] == 0, "the next month has a hundred of its own"


def test_a_plan_says_what_is_left_of_the_free_transfer_for_sums_over_several_plans(service: Service) -> None:
    laptop = ThawingLaptop(service)
    service.admin("machine_set", name="anna-laptop", download_cap_bytes=1000 * GB, thaw_budget_usd=100)
    laptop.store(1, size=60 * GB)
    laptop.store(2, storage_class="STANDARD", size=60 * GB)

    def left_gb() -> float:
        transfer = laptop.plan("1").body["transfer"]
        assert (transfer["month_free_bytes"], transfer["usd_a_gb"]) == (100 * GB, 0.09)
        return float(transfer["left_bytes"]) / GB

    assert left_gb() == 100
    laptop.download(2)
    assert left_gb() == 40
    laptop.begin("1")
    assert left_gb() == 40, "what was started counts as much as what was downloaded, not both"
    later(service, days=10)
    assert left_gb() == 100


def test_transfer_of_what_was_started_and_not_fetched_yet_is_not_free_twice(service: Service) -> None:
    laptop = ThawingLaptop(service)
    service.admin("machine_set", name="anna-laptop", thaw_budget_usd=100)
    laptop.store(1, 2, size=60 * GB)
    laptop.begin("1")
    assert laptop.plan("2").body["tiers"][-1]["transfer_usd"] == pytest.approx(20 * 0.09)


def test_over_moto_s3s_own_header_says_that_a_copy_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.service.conftest import running_service

    with running_service(monkeypatch) as service:
        laptop = ThawingLaptop(service)
        for number in (1, 2):
            service.put(laptop.place + volume(number), b"content", StorageClass="DEEP_ARCHIVE")
        assert states(laptop, 1, 2) == ["archived", "archived"]
        thaw = laptop.begin("1")
        laptop.run_function()
        assert laptop.status(thaw)["state"] == "thawing"
        service.s3.head_object(Bucket=BUCKET, Key=laptop.place + volume(1))  # moto is done at the first look
        assert states(laptop, 1, 2) == ["readable", "archived"]
        send("Completed", [laptop.place + volume(1)])
        assert service.thaws_asked == [("anna-laptop", "system", thaw)]
