"""Thaws of drills: from an allowance of their own, mailed to nobody, and never in a restore's way."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from chalicelib import wiring
from chalicelib.domain.restore.budget import DRILLS_USD_A_MONTH
from tests.hostile.memory_aws import service_in_memory
from tests.service.conftest import Answer, Service, later
from tests.service.thawing import MB, ThawingLaptop, volume


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with service_in_memory(monkeypatch) as service:
        yield service


@pytest.fixture
def laptop(service: Service) -> ThawingLaptop:
    laptop = ThawingLaptop(service)
    laptop.store(*range(1, 11))
    return laptop


def start(laptop: ThawingLaptop, thaw: str, tier: str = "Bulk") -> Answer:
    return laptop.call("POST", f"/{thaw}/start", {"tier": tier, "max_usd": 1.0, "drill": True})


def drill(laptop: ThawingLaptop, numbers: str = "1-3") -> str:
    """A drill's thaw that S3 has been asked for in full."""
    thaw = str(laptop.plan(numbers).body["thaw"])
    answer = start(laptop, thaw)
    assert answer.status == 200, answer
    laptop.run_function()
    return thaw


def drilled_usd() -> Decimal:
    from chalicelib import web

    return wiring.thaw_store().month("anna-laptop", web.now()).drilled


def test_a_drill_thaws_without_any_budget_and_is_not_counted_on_it(laptop: ThawingLaptop) -> None:
    laptop.service.admin("machine_set", name=laptop.machine, thaw_budget_usd=0)
    thaw = drill(laptop)
    assert laptop.asked() == ["1 Bulk", "2 Bulk", "3 Bulk"]
    laptop.s3.finish()
    laptop.tick(hours=13)
    assert laptop.status(thaw)["state"] == "ready"
    assert all("url" in permit for permit in laptop.download(1, 2, 3))
    shown = laptop.service.admin("machine_show", name=laptop.machine)
    assert shown["thaw_reserved_usd"] == 0
    assert drilled_usd() == Decimal("0.0005")


def test_a_drill_goes_by_bulk(laptop: ThawingLaptop) -> None:
    thaw = laptop.plan("1").body["thaw"]
    assert start(laptop, thaw, "Standard").error == "tier_unavailable"
    assert laptop.service.thaws_asked == []


def test_what_drills_may_cost_in_a_month_comes_to_an_end_without_asking_the_owner(
    laptop: ThawingLaptop,
) -> None:
    laptop.store(11, size=20_000 * MB)
    answer = start(laptop, laptop.plan("11").body["thaw"])
    assert (answer.status, answer.error) == (403, "drill_allowance")
    refused = 0
    for number in range(12, 60):
        laptop.store(number, size=1_000 * MB)
        plan = laptop.plan(str(number))
        if plan.error == "thaw_cap":
            break
        refused += start(laptop, plan.body["thaw"]).error == "drill_allowance"
        laptop.run_function()
        laptop.s3.finish()
        laptop.tick(minutes=15)
    assert refused > 5
    assert DRILLS_USD_A_MONTH / 2 < drilled_usd() <= DRILLS_USD_A_MONTH
    assert laptop.notices() == []
    assert "waiting" not in [row["state"] for row in laptop.service.admin("thaws")["thaws"]]
    later(laptop.service, days=10)
    assert start(laptop, laptop.plan("12").body["thaw"]).status == 200, "the next month"


def test_nothing_of_a_drill_is_mailed_not_even_that_its_copies_lapse_unread(laptop: ThawingLaptop) -> None:
    thaw = drill(laptop)
    laptop.s3.finish()
    laptop.tick(hours=13)
    for _ in range(20):
        laptop.tick(hours=6)
    assert laptop.status(thaw)["state"] == "lapsed"
    assert laptop.notices() == []
    assert drilled_usd() == Decimal("0.0005"), "nor were they kept longer"
    assert len(laptop.s3.asked) == 3


def test_a_restore_starts_though_a_drill_waits_for_s3_and_what_that_asked_for_thaws_on(
    laptop: ThawingLaptop,
) -> None:
    of_drill = drill(laptop, "1-3")
    restore = laptop.begin("1-10")
    assert laptop.status(of_drill)["state"] == "ended"
    laptop.run_function()
    assert len(laptop.s3.asked) == 10, "nothing is asked for twice"
    laptop.s3.finish()
    laptop.tick(hours=13)
    assert laptop.status(restore)["state"] == "ready"
    assert all("url" in permit for permit in laptop.download(*range(1, 11)))


def test_a_drill_that_a_restore_ended_in_the_midst_of_asking_asks_no_more(laptop: ThawingLaptop) -> None:
    of_drill = laptop.plan("1-3").body["thaw"]
    assert start(laptop, of_drill).status == 200
    restore = laptop.begin("2-5")
    laptop.run_function()
    assert sorted(laptop.asked()) == ["2 Bulk", "3 Bulk", "4 Bulk", "5 Bulk"]
    assert (laptop.status(of_drill)["state"], laptop.status(restore)["state"]) == ("ended", "thawing")


@pytest.mark.parametrize("asked", [True, False])
def test_a_restore_of_the_very_volumes_of_a_drill_is_a_restore_from_then_on(
    laptop: ThawingLaptop, asked: bool
) -> None:
    thaw = laptop.plan("1-3").body["thaw"]
    assert start(laptop, thaw).status == 200
    if asked:
        laptop.run_function()
    later(laptop.service, minutes=1)
    assert laptop.start(thaw).status == 200
    laptop.run_function()
    assert len(laptop.s3.asked) == 3
    [known] = wiring.thaw_store().thaws()
    assert not known.is_drill
    laptop.s3.finish()
    laptop.tick(hours=13)
    assert laptop.status(thaw)["state"] == "ready"


def test_a_drill_waits_for_a_restore_and_for_another_drill(laptop: ThawingLaptop) -> None:
    laptop.begin("1-3")
    laptop.run_function()
    assert start(laptop, laptop.plan("4").body["thaw"]).error == "thaw_in_progress"
    laptop.s3.finish()
    laptop.tick(hours=13)
    drill(laptop, "4")
    assert start(laptop, laptop.plan("5").body["thaw"]).error == "thaw_in_progress"


def test_a_drill_of_the_volumes_of_a_restore_joins_it(laptop: ThawingLaptop) -> None:
    thaw = laptop.begin("1-3")
    laptop.run_function()
    assert start(laptop, thaw).body["state"] == "thawing"
    [known] = wiring.thaw_store().thaws()
    assert not known.is_drill
    assert drilled_usd() == 0


def test_a_drill_takes_no_restores_place_that_waits_for_the_owner(laptop: ThawingLaptop) -> None:
    laptop.service.admin("machine_set", name=laptop.machine, thaw_budget_usd=0)
    thaw = laptop.plan("1-3").body["thaw"]
    assert laptop.start(thaw).error == "thaw_budget"
    assert start(laptop, thaw).error == "thaw_in_progress"
    assert laptop.service.admin("thaw_approve", thaw=thaw)["state"] == "asking"


def test_what_can_be_read_is_drilled_for_nothing(laptop: ThawingLaptop) -> None:
    laptop.store(20, storage_class="GLACIER_IR")
    answer = start(laptop, laptop.plan("20").body["thaw"])
    assert (answer.status, answer.body["state"], drilled_usd()) == (200, "ready", 0)


def test_a_download_after_a_drill_counts_for_the_restore_that_is_ready(laptop: ThawingLaptop) -> None:
    restore = laptop.begin("1-3")
    laptop.run_function()
    laptop.s3.finish()
    laptop.tick(hours=13)
    drill(laptop, "4")
    laptop.s3.finish()
    laptop.tick(hours=13)
    laptop.download(1)
    of_restore = wiring.thaw_store().thaw(laptop.machine, laptop.job, restore)
    assert of_restore is not None
    assert of_restore.downloaded_bytes == 25 * MB
    assert laptop.place + volume(4) in [key for key, _, _ in laptop.s3.asked]


def test_the_weekly_statement_counts_what_drills_cost(laptop: ThawingLaptop) -> None:
    from chalicelib import web
    from chalicelib.journeys.gather_thaws import gather_thaws

    drill(laptop)
    stores, now = (wiring.thaw_store(), wiring.machine_store(), wiring.recovery_store()), web.now()
    gathered = gather_thaws(*stores, now, now)
    assert gathered.this_month == Decimal("0.0005")
    assert gathered.recent == [], "the list of restores is for restores"
