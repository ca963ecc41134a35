"""Archived volumes come back: planned, started, asked for, looked at, downloaded."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.pricing import get_cost, thaw_cost
from chalicelib.wire import ThawTier
from tests.hostile.memory_aws import service_in_memory
from tests.service.conftest import later
from tests.service.thawing import FULL, INC, VOLUME_BYTES, ThawingLaptop, send, volume

PRICES = price_table("us-east-1")
assert PRICES is not None


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThawingLaptop]:
    with service_in_memory(monkeypatch) as service:
        yield ThawingLaptop(service)


def price(tier: ThawTier, number: int) -> float:
    """By the rules of prices themselves, rounded up to a hundredth of a cent; copies are there until the midnight after
    three days."""
    assert PRICES is not None
    tally = Tally(number, number * VOLUME_BYTES)
    usd = thaw_cost(PRICES, "DEEP_ARCHIVE", tier, tally, 4) + get_cost(PRICES, "DEEP_ARCHIVE", number)
    return math.ceil(usd * 10_000) / 10_000


# ---------------------------------------------------------------- the main path


def test_archived_volumes_are_planned_started_thawed_and_downloaded(laptop: ThawingLaptop) -> None:
    laptop.store(*range(1, 11))
    plan = laptop.plan("2-4").body
    assert (plan["state"], plan["archived"], plan["readable"], plan["missing"]) == ("planned", 3, 0, [])
    assert plan["bytes"] == plan["archived_bytes"] == 3 * VOLUME_BYTES
    assert {offer["tier"]: offer["usd"] for offer in plan["tiers"]} == {
        "Standard": price(ThawTier.STANDARD, 3),
        "Bulk": price(ThawTier.BULK, 3),
    }
    assert laptop.download(2) == [
        {"name": volume(2), "size": VOLUME_BYTES, "archived": True, "sha256": laptop.download(2)[0]["sha256"]}
    ]

    started = laptop.start(plan["thaw"], max_usd=price(ThawTier.BULK, 3))
    assert started.status == 200
    assert (started.body["state"], started.body["done"], started.body["of"]) == ("asking", 0, 3)
    assert laptop.run_function() == 1
    assert laptop.asked() == ["2 Bulk", "3 Bulk", "4 Bulk"]
    assert laptop.status(plan["thaw"])["state"] == "thawing"

    later(laptop.service, hours=20)
    send("Completed", laptop.s3.finish())
    assert laptop.run_function() == 1, "the last event of all that it lacks brings the look forward"
    ready = laptop.status(plan["thaw"])
    assert (ready["state"], ready["done"], ready["of"]) == ("ready", 3, 3)
    assert ready["readable_until"] == "2026-11-27T00:00:00Z"
    assert all("url" in permit for permit in laptop.download(2, 3, 4))
    assert "url" not in laptop.download(5)[0]
    assert len(laptop.s3.asked) == 3, "one request a volume, and none for what was not needed"


def test_a_day_without_a_look_costs_nothing_and_the_tick_finds_what_is_ready(laptop: ThawingLaptop) -> None:
    laptop.store(1, 2, 3)
    thaw = laptop.begin()
    assert laptop.run_function() == 1
    assert laptop.tick(minutes=5) == 0, "not before the quarter of an hour"
    assert laptop.tick(minutes=10) == 1
    assert laptop.status(thaw)["state"] == "thawing"
    laptop.s3.finish(at_most=2)
    assert laptop.tick(minutes=15) == 1
    assert (laptop.status(thaw)["state"], laptop.status(thaw)["done"]) == ("thawing", 2)
    laptop.s3.finish()
    assert laptop.tick(minutes=15) == 1
    assert laptop.status(thaw)["state"] == "ready"
    assert laptop.tick(minutes=15) == 0, "nothing is due before the copies are about to lapse"


def test_a_tier_is_not_looked_at_before_its_earliest_time(laptop: ThawingLaptop) -> None:
    laptop.store(1, 2, 3, storage_class="GLACIER")
    laptop.begin(tier="Bulk")
    laptop.run_function()
    assert laptop.tick(hours=4, minutes=59) == 0
    assert laptop.tick(minutes=1) == 1


# ---------------------------------------------------------------- plans


def test_the_same_volumes_have_the_same_id_however_they_are_asked_for(laptop: ThawingLaptop) -> None:
    laptop.store(1, 2, 3, 4)
    parts = [{"set": FULL, "numbers": "3,1"}, {"set": INC, "numbers": "1"}, {"set": FULL, "numbers": "2-4"}]
    one = laptop.call("POST", "", {"volumes": parts}).body["thaw"]
    other = [{"set": INC, "numbers": "1"}, {"set": FULL, "numbers": "1-4"}]
    assert laptop.call("POST", "", {"volumes": other}).body["thaw"] == one
    assert laptop.plan("1-4").body["thaw"] != one


def test_a_client_that_was_killed_finds_its_thaw_by_planning_again(laptop: ThawingLaptop) -> None:
    laptop.store(1, 2, 3)
    thaw = laptop.begin()
    again = laptop.plan().body
    assert (again["thaw"], again["state"]) == (thaw, "asking")
    laptop.run_function()
    assert laptop.plan().body["state"] == "thawing"
    laptop.s3.finish()
    laptop.tick(minutes=15)
    assert laptop.plan().body["state"] == "ready"
    [offer] = laptop.plan().body["tiers"]
    assert "tier" not in offer, "there is nothing to be asked for"


def test_a_plan_tells_archived_thawing_readable_and_missing_volumes_apart(laptop: ThawingLaptop) -> None:
    laptop.store(1, 2, 3, 4)
    laptop.store(5, storage_class="GLACIER_IR")
    laptop.store(6, storage_class="STANDARD")
    laptop.begin("1-2")
    laptop.run_function()
    laptop.s3.finish(laptop.place + volume(1))
    plan = laptop.plan("1-8").body
    assert {name: plan[name] for name in ("archived", "thawing", "readable")} == {
        "archived": 2,
        "thawing": 1,
        "readable": 3,
    }
    assert plan["missing"] == [f"{FULL}.vol7", f"{FULL}.vol8"]
    assert plan["archived_bytes"] == 2 * VOLUME_BYTES
    assert plan["bytes"] == 6 * VOLUME_BYTES


@pytest.mark.parametrize(
    "numbers", ["", "0", "1-", "-1", "3-1", "1,,2", "1-3;4", "١", "1-99999999", "123456789", " 1"]
)
def test_numbers_that_are_no_ranges_or_far_too_many_are_refused(laptop: ThawingLaptop, numbers: str) -> None:
    assert laptop.plan(numbers).error == "bad_request"


@pytest.mark.parametrize("name", ["", "full", "full.20261320T195500Z", "inc.20261120T195500Z", "../x"])
def test_what_is_no_set_is_refused(laptop: ThawingLaptop, name: str) -> None:
    assert laptop.plan("1", name).error == "bad_request"
