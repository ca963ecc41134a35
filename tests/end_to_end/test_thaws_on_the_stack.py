"""A thaw on the packaged service: S3's own events, its listing's state of restores, the functions' own roles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.pricing import get_cost, thaw_cost
from chalicelib.wire import ThawTier
from ops.local.thaw_hook import ThawHook
from tests.end_to_end.api_thaws import hooked
from tests.end_to_end.conftest import Service
from tests.enrolling import enrolled

FULL = "full.20261120T195500Z"
NEVER = 10_000.0


def volume(number: int) -> str:
    return f"data_duplicity-{FULL}.vol{number}.difftar.gpg"


def content(number: int) -> bytes:
    return f"volume {number}\n".encode() * 1_000


@pytest.fixture
def hook(service: Service) -> Iterator[ThawHook]:
    with hooked(service.stack.endpoint, NEVER) as hook:
        yield hook


@dataclass
class Laptop:
    """A machine with volumes in Deep Archive, and what it says to the API."""

    service: Service
    name: str
    token: str = field(init=False)

    def __post_init__(self) -> None:
        code = self.service.admin.call("machine_add", name=self.name)["code"]
        self.token = enrolled(self.service.stack.api_url, self.name, code)
        for number in range(1, 9):
            self.service.s3.put_object(
                Bucket=self.service.stack.bucket,
                Key=f"{self.name}/system/{volume(number)}",
                Body=content(number),
                StorageClass="DEEP_ARCHIVE",
            )

    def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        url, headers = self.service.stack.api_url + path, {"Authorization": f"Bearer {self.token}"}
        return httpx.request(method, url, headers=headers, json=body, timeout=30)

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = self.send(method, f"/jobs/system{path}", body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def plan(self, numbers: str) -> dict[str, Any]:
        return self.ask("POST", "/thaws", {"volumes": [{"set": FULL, "numbers": numbers}]})

    def wait_for(self, thaw: str, state: str, seconds: float = 60) -> dict[str, Any]:
        found: dict[str, Any] = self.service.wait(
            lambda: self.ask("GET", f"/thaws/{thaw}"), lambda seen: seen["state"] == state, seconds
        )
        return found

    def download(self, *numbers: int) -> list[dict[str, Any]]:
        files: list[dict[str, Any]] = self.ask("POST", "/downloads", {"names": [*map(volume, numbers)]})[
            "files"
        ]
        return files


def price(number: int, tier: ThawTier) -> float:
    """Copies are there until the midnight after three days."""
    prices = price_table("us-east-1")
    assert prices is not None
    size = sum(len(content(volume_number)) for volume_number in range(2, 2 + number))
    usd = thaw_cost(prices, "DEEP_ARCHIVE", tier, Tally(number, size), 4)
    usd += get_cost(prices, "DEEP_ARCHIVE", number)
    return math.ceil(usd * 10_000) / 10_000


def test_volumes_in_deep_archive_are_planned_started_thawed_and_downloaded(
    service: Service, hook: ThawHook
) -> None:
    laptop = Laptop(service, "cold-laptop")
    plan = laptop.plan("2-4")
    assert (plan["state"], plan["archived"], plan["readable"]) == ("planned", 3, 0)
    assert {offer["tier"]: offer["usd"] for offer in plan["tiers"]} == {
        "Standard": price(3, ThawTier.STANDARD),
        "Bulk": price(3, ThawTier.BULK),
    }
    assert hook.calls().calls == 0, "a plan asks for nothing"
    assert laptop.download(2)[0]["archived"] is True

    body = {"tier": "Bulk", "max_usd": price(3, ThawTier.BULK)}
    started = laptop.ask("POST", f"/thaws/{plan['thaw']}/start", body)
    assert (started["state"], started["of"]) == ("asking", 3)
    laptop.wait_for(plan["thaw"], "thawing")
    assert laptop.ask("POST", f"/thaws/{plan['thaw']}/start", body)["state"] == "thawing", "one start"
    permit = laptop.download(3)[0]
    assert (permit["thawing"], permit["thawing_until"]) == (True, started["ready_by"])

    hook.finish(laptop.name)
    ready = laptop.wait_for(plan["thaw"], "ready")
    assert (ready["done"], ready["of"]) == (3, 3)
    for number, permit in zip((2, 3, 4), laptop.download(2, 3, 4), strict=True):
        assert httpx.get(permit["url"]).content == content(number)
    assert laptop.download(5)[0]["archived"] is True
    calls = hook.calls()
    assert calls.calls == 3, "one a volume that is needed"
    assert set(calls.by_key) == {
        f"{service.stack.bucket}/{laptop.name}/system/{volume(number)}" for number in (2, 3, 4)
    }
    assert {request["tier"] for request in calls.requests} == {"Bulk"}


def test_a_thaw_beyond_the_budget_waits_for_the_owner_and_then_goes_on(
    service: Service, hook: ThawHook
) -> None:
    laptop = Laptop(service, "poor-laptop")
    service.admin.call("machine_set", name="poor-laptop", thaw_budget_usd=0)
    plan = laptop.plan("1-8")
    refused = laptop.send("POST", f"/jobs/system/thaws/{plan['thaw']}/start", {"tier": "Bulk", "max_usd": 1})
    assert (refused.status_code, refused.json()["error"]) == (403, "thaw_budget")
    assert service.admin.call("thaw_approve", thaw=plan["thaw"])["state"] == "asking"
    laptop.wait_for(plan["thaw"], "thawing")
    assert hook.calls().calls == 8
    hook.finish("poor-laptop")
    assert laptop.wait_for(plan["thaw"], "ready")["done"] == 8


def test_copies_that_lapse_are_gone_for_the_service_as_well(service: Service, hook: ThawHook) -> None:
    laptop = Laptop(service, "slow-laptop")
    plan = laptop.plan("1-2")
    laptop.ask("POST", f"/thaws/{plan['thaw']}/start", {"tier": "Standard", "max_usd": 1})
    laptop.wait_for(plan["thaw"], "thawing")
    hook.finish("slow-laptop")
    laptop.wait_for(plan["thaw"], "ready")
    hook.expire("slow-laptop")
    assert laptop.download(1)[0]["archived"] is True
    again = laptop.plan("1-2")
    assert (again["thaw"], again["state"], again["archived"]) == (plan["thaw"], "planned", 2)
