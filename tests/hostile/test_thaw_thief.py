"""Whoever has a laptop's token can plan and start thaws as he likes. What that costs the owner has bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.pricing import put_cost, thaw_cost
from chalicelib.domain.costs.restore_costs import longer_copies_cost
from chalicelib.domain.restore.plans import MOST_DAYS
from chalicelib.wire import ThawTier
from tests.hostile.memory_aws import MemoryS3, service_in_memory
from tests.service.conftest import NOW, Service, later
from tests.service.test_reader_thaws import reader_of, stored, thawed_bytes
from tests.service.thawing import FULL, ThawingLaptop, large, volume

GB = 2**30
BUDGET = Decimal(1)
DRILLS = Decimal("0.02")
DRILLED_BYTES = 8 * 2**30
"""What they bring back of four-gigabyte volumes."""

LISTS = Decimal("0.05")
"""What the LIST requests of a month may come to."""

PRICES = price_table("us-east-1")
assert PRICES is not None


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with service_in_memory(monkeypatch) as service:
        yield service


class Bill:
    """What AWS would charge for what S3 was asked, by month."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = service
        self.usd: Counter[str] = Counter()
        self.expedited: Counter[str] = Counter()
        self.keys: set[str] = set()
        self.new_bytes = 0
        ask, list_ = MemoryS3.restore_object, MemoryS3.list_objects_v2

        def billed_ask(s3: MemoryS3, **arguments: Any) -> Any:
            version = s3._newest(arguments["Key"])
            before = s3._copy(version) if version else None
            until = before.until if before else None
            answer = ask(s3, **arguments)
            self._charge(arguments, version, until)
            return answer

        def billed_list(s3: MemoryS3, **arguments: Any) -> Any:
            assert PRICES is not None
            self.usd[self.month] += put_cost(PRICES, "STANDARD", 1)  # type: ignore[assignment]
            return list_(s3, **arguments)

        monkeypatch.setattr(MemoryS3, "restore_object", billed_ask)
        monkeypatch.setattr(MemoryS3, "list_objects_v2", billed_list)

    @property
    def month(self) -> str:
        return f"{self.service.now:%Y-%m}"

    def clear(self) -> None:
        self.usd.clear()
        self.expedited.clear()
        self.keys.clear()
        self.new_bytes = 0

    def _charge(self, arguments: dict[str, Any], version: Any, until: Any) -> None:
        assert PRICES is not None
        tier = ThawTier(arguments["RestoreRequest"]["GlacierJobParameters"]["Tier"])
        days, tally = arguments["RestoreRequest"]["Days"], Tally(1, len(version.body))
        self.keys.add(arguments["Key"])
        if tier is ThawTier.EXPEDITED:
            self.expedited[self.month] += 1
        if until is None:
            self.new_bytes += len(version.body)
            usd = thaw_cost(PRICES, version.storage_class, tier, tally, days + 1)
        else:
            more = -(-(version.copy.until - until) // timedelta(days=1))
            usd = longer_copies_cost(PRICES, {version.storage_class: tally}, more)
        self.usd[self.month] += usd  # type: ignore[assignment]


NUMBERS = st.sets(st.integers(1, 20), min_size=1, max_size=20).map(
    lambda numbers: ",".join(map(str, sorted(numbers)))
)
STEPS = st.one_of(
    st.tuples(st.just("plan"), NUMBERS),
    st.tuples(st.just("start"), st.tuples(st.integers(0, 9), st.sampled_from(ThawTier))),
    st.tuples(st.just("start"), st.tuples(st.integers(0, 9), st.sampled_from(ThawTier))),
    st.tuples(st.just("drill"), st.integers(0, 9)),
    st.tuples(st.just("download"), st.integers(1, 20)),
    st.tuples(st.just("finish"), st.integers(0, 5)),
    st.tuples(st.just("lapse"), st.integers(1, 20)),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 60, 120])),
)


BY_BULK = st.tuples(st.just("start"), st.tuples(st.integers(0, 9), st.just(ThawTier.BULK)))
FEW = st.sets(st.integers(1, 20), min_size=1, max_size=5).map(
    lambda numbers: ",".join(map(str, sorted(numbers)))
)
AGAIN = st.tuples(st.just("again"), FEW)
READERS_STEPS = st.one_of(STEPS, BY_BULK, AGAIN)


def take(laptop: ThawingLaptop, plans: list[str], step: tuple[str, Any]) -> None:
    kind, value = step
    if kind == "plan":
        answer = laptop.plan(value)
        if answer.status == 200:
            plans.append(answer.body["thaw"])
    elif kind == "start" and plans:
        laptop.start(plans[value[0] % len(plans)], value[1].value)
    elif kind == "drill" and plans:
        body = {"tier": "Bulk", "max_usd": 1000.0, "drill": True}
        laptop.call("POST", f"/{plans[value % len(plans)]}/start", body)
    elif kind == "again":  # everything has come and gone, and is wanted once more
        laptop.s3.finish()
        laptop.tick(hours=60)
        laptop.s3.expire()
        take(laptop, plans, ("plan", value))
        laptop.start(plans[-1])
    elif kind == "download":
        laptop.download(value)
    elif kind == "finish":
        laptop.s3.finish(at_most=value)
    elif kind == "lapse":
        laptop.s3.expire(laptop.place + volume(value))
    elif kind == "wait":
        laptop.tick(hours=value)
    laptop.run_function()


def test_no_order_of_calls_costs_more_in_a_month_than_the_budget_and_seven_cents(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    bill, seen = Bill(service, monkeypatch), Counter[str]()

    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(STEPS, min_size=8, max_size=30))
    def steal(steps: list[tuple[str, Any]]) -> None:
        service.table.clear()
        service.s3.clear()
        service.thaws_asked.clear()
        service.now = NOW
        bill.clear()
        laptop = ThawingLaptop(service)
        for number in range(1, 21):
            laptop.store(number, storage_class=class_of(number), size=4 * GB)
        plans: list[str] = []
        for step in steps:
            take(laptop, plans, step)
        for month, usd in bill.usd.items():
            assert usd <= BUDGET + DRILLS + LISTS, (month, usd)
            assert bill.expedited[month] <= 10
        assert all(key.startswith(laptop.place) for key in bill.keys)
        approved = [row for row in service.admin("thaws")["thaws"] if row.get("approved_at")]
        assert approved == []
        seen["asked"] += bool(bill.keys)
        seen["near"] += any(usd > BUDGET / 3 for usd in bill.usd.values())

    steal()
    assert seen["asked"] > 20, "else this has tried nothing"
    assert seen["near"] > 5, seen


def test_a_found_sheet_costs_one_thaw_of_everything_by_bulk_and_the_ordinary_budget(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the laptop's token too pays from the same budget."""
    bill, seen = Bill(service, monkeypatch), Counter[str]()
    assert PRICES is not None
    of_one = [
        thaw_cost(PRICES, one, ThawTier.BULK, Tally(1, 4 * GB), MOST_DAYS + 1)
        for one in ("GLACIER", "DEEP_ARCHIVE")
    ]
    everything = 6 * max(of_one)

    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        FEW,
        st.sampled_from([0, 1]),
        st.lists(st.tuples(st.sampled_from([True, True, False]), READERS_STEPS), min_size=8, max_size=30),
    )
    def steal(first: str, budget: int, steps: list[tuple[bool, tuple[str, Any]]]) -> None:
        service.table.clear()
        service.s3.clear()
        service.thaws_asked.clear()
        service.now = NOW
        bill.clear()
        laptop = ThawingLaptop(service)
        for number in range(1, 21):
            laptop.store(number, storage_class=class_of(number), size=4 * GB)
        stored(24 * GB)  # of six volumes, so that few calls reach the bound
        service.admin("machine_set", name="anna-laptop", thaw_budget_usd=budget)
        reader, plans = reader_of(service), list[str]()
        reader_plan = reader.plan(first, line_bytes_a_second=1)  # copies for a month
        plans.append(reader_plan.body["thaw"])
        for is_reader, step in steps:
            take(reader if is_reader else laptop, plans, step)
        months = len(bill.usd)
        total = sum(bill.usd.values(), Decimal(0))
        assert total <= everything + months * (BUDGET + DRILLS + 2 * LISTS), (total, everything)
        assert thawed_bytes() <= 24 * GB
        assert budget or bill.new_bytes <= thawed_bytes() + months * DRILLED_BYTES, "not all was counted"
        assert all(count <= 10 for count in bill.expedited.values())
        assert all(key.startswith(laptop.place) for key in bill.keys)
        seen["by code"] += thawed_bytes() > 0
        seen["all"] += thawed_bytes() > 16 * GB
        seen["near"] += total > everything / 3

    steal()
    assert seen["by code"] > 20, "else this has tried nothing"
    assert seen["all"] > 3, seen
    assert seen["near"] > 5, seen


def class_of(number: int) -> str:
    return "DEEP_ARCHIVE" if number % 2 else "GLACIER"


def test_a_budget_holds_over_many_small_thaws(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    bill, laptop = Bill(service, monkeypatch), ThawingLaptop(service)
    laptop.store(*range(1, 201), size=2 * GB)
    refused = 0
    for number in range(1, 201):
        plan = laptop.plan(str(number))
        if plan.error == "thaw_cap":
            later(service, hours=24)
            plan = laptop.plan(str(number))
        refused += laptop.start(plan.body["thaw"], "Standard").error == "thaw_budget"
        laptop.run_function()
        laptop.s3.finish()
        laptop.tick(minutes=15)
        if service.now.month != NOW.month:
            break
    assert refused > 50
    november = bill.usd["2026-11"]
    assert BUDGET / 2 < november <= BUDGET + LISTS


def test_expedited_for_ten_volumes_and_no_more_however_they_are_parted(service: Service) -> None:
    laptop = ThawingLaptop(service)
    laptop.store(*range(1, 31), storage_class="GLACIER", size=1)
    assert laptop.start(laptop.plan("1-11").body["thaw"], "Expedited").error == "thaw_budget"
    for number in range(12, 30):
        laptop.start(laptop.plan(str(number)).body["thaw"], "Expedited")
        laptop.run_function()
        laptop.s3.finish()
        laptop.tick(minutes=15)
    assert sum(tier == "Expedited" for _, tier, _ in laptop.s3.asked) == 10


def test_nobody_elses_volumes_are_thawed_or_seen(service: Service) -> None:
    anna, ben = ThawingLaptop(service), ThawingLaptop(service, "bens-laptop")
    photos = ThawingLaptop(
        service, "carlas-laptop", "photos", service.enrolled("carlas-laptop", jobs=["photos"])
    )
    for laptop in (anna, ben, photos):
        laptop.store(1, 2)
    thaw = anna.plan("1").body["thaw"]
    for stranger in (ben, photos):
        assert stranger.start(thaw).error == "unknown_thaw"
        assert stranger.call("GET", f"/{thaw}").error == "unknown_thaw"
    path = f"/jobs/photos/thaws/{thaw}/start"
    assert service.call("POST", path, {"tier": "Bulk", "max_usd": 1}, anna.token).error == "unknown_job"
    anna.start(thaw)
    for laptop in (ben, photos):
        assert laptop.call("GET", f"/{thaw}").error == "unknown_thaw"
        assert laptop.plan("1").body["state"] == "planned"
    anna.run_function()
    assert [key for key, _, _ in anna.s3.asked] == [anna.place + volume(1)]


def test_a_name_that_leads_out_of_the_job_is_no_set(service: Service) -> None:
    laptop = ThawingLaptop(service)
    for name in (
        "../../bens-laptop/system/x",
        "full.20261120T195500Z/../..",
        "full.*",
        "full.20261120T195500Z\n",
    ):
        assert laptop.plan("1", name).error == "bad_request"
    assert laptop.s3.listed_pages == 0


def test_a_thief_does_not_hold_up_the_owners_restore_for_ever(service: Service) -> None:
    """S3 may take its time: the thief's thaw does not count once the machine has a new token."""
    thief = ThawingLaptop(service)
    thief.store(*range(1, 6))
    thief.begin("1")
    thief.run_function()
    owner_waits = thief.start(thief.plan("2-5").body["thaw"])
    assert owner_waits.error == "thaw_in_progress"
    later(service, minutes=10)
    service.admin("machine_revoke", name="anna-laptop")
    later(service, minutes=1)
    owner = ThawingLaptop(service, token=service.enrolled(secret="2" * 64))
    assert owner.start(owner.plan("2-5").body["thaw"]).status == 200


def test_a_thaw_that_s3_forgets_holds_up_its_job_for_three_days_at_most(service: Service) -> None:
    laptop = ThawingLaptop(service)
    laptop.store(1, 2)
    laptop.begin("1")
    laptop.run_function()
    other = laptop.plan("2").body["thaw"]
    later(service, hours=71)
    laptop.plan("2")
    assert laptop.start(other).error == "thaw_in_progress"
    later(service, hours=1)
    assert laptop.start(other).status == 200


def test_the_owner_may_approve_what_a_thiefs_thaw_holds_up(service: Service) -> None:
    laptop = ThawingLaptop(service)
    laptop.store(1)
    laptop.store(2, size=2_000 * GB)
    laptop.begin("1")
    laptop.run_function()
    thaw = laptop.plan("2").body["thaw"]
    assert laptop.start(thaw).error == "thaw_budget"
    assert service.admin("thaw_approve", thaw=thaw)["state"] == "asking"
    assert laptop.start(laptop.plan("1").body["thaw"]).body["state"] == "thawing"


def test_twenty_plans_a_day_and_ten_thousand_pages_a_month(service: Service) -> None:
    laptop = ThawingLaptop(service)
    laptop.store(*range(1, 40))
    answers = [laptop.plan(str(number)) for number in range(1, 40)]
    assert Counter(answer.error for answer in answers) == {None: 20, "thaw_cap": 19}
    assert answers[-1].status == 429
    assert laptop.s3.listed_pages == 20
    assert laptop.plan("1").status == 200, "a plan made again is no new one"


def test_the_same_plan_over_and_over_comes_to_an_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.adapters.stores import thaw_store

    monkeypatch.setattr(thaw_store, "MAX_PAGES_A_MONTH", 100)
    laptop = ThawingLaptop(service)
    laptop.store(*range(1, 11))
    answers = [laptop.plan("1-10") for _ in range(30)]
    assert Counter(answer.error for answer in answers) == {None: 10, "thaw_cap": 20}
    thaw = answers[0].body["thaw"]
    refused = [laptop.start(thaw, max_usd=0.0) for _ in range(30)]
    assert {answer.error for answer in refused} == {"thaw_cap"}
    assert laptop.s3.listed_pages == 100
    later(service, days=10)
    assert laptop.plan("1-10").status == 200, "the next month"


def test_every_page_of_a_listing_counts(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.adapters.stores import thaw_store

    monkeypatch.setattr(thaw_store, "MAX_PAGES_A_MONTH", 6)
    laptop = ThawingLaptop(service)
    laptop.store(*range(1, 2_501))
    answers = [laptop.plan("1-900") for _ in range(3)]
    assert [answer.error for answer in answers] == [None, None, "thaw_cap"]
    assert laptop.s3.listed_pages == 6


def test_a_token_cannot_approve_or_decline(service: Service) -> None:
    laptop = ThawingLaptop(service)
    laptop.store(1, size=2_000 * GB)
    thaw = laptop.plan("1").body["thaw"]
    assert laptop.start(thaw).error == "thaw_budget"
    for field in ("approved", "approved_at", "state", "needs_approval"):
        body = {"tier": "Bulk", "max_usd": 1e6, field: True}
        assert laptop.call("POST", f"/{thaw}/start", body).error == "thaw_budget"
    for method, path in (("POST", "/approve"), ("PATCH", ""), ("PUT", ""), ("DELETE", "")):
        assert service.client.http.request(method, f"/jobs/system/thaws/{thaw}{path}").status_code in (
            403,
            405,
        )
    assert laptop.status(thaw)["state"] == "waiting"
    assert service.thaws_asked == []


def test_a_thousand_starts_that_wait_are_one_mail(service: Service) -> None:
    laptop = ThawingLaptop(service)
    laptop.store(1, size=2_000 * GB)
    thaw = laptop.plan("1").body["thaw"]
    for _ in range(100):
        assert laptop.start(thaw).error == "thaw_budget"
    assert laptop.notices() == ["thaw_waiting"]
    assert len(service.admin("thaws")["thaws"]) == 1


@pytest.mark.parametrize("line", [0, 1, 2**50])
def test_a_line_that_is_made_up_costs_what_the_plan_says(service: Service, line: int) -> None:
    """A copy is kept thirty days at most, and its days are in the price."""
    laptop = ThawingLaptop(service)
    laptop.store(1, size=GB)
    laptop.begin("1", line_bytes_a_second=line)
    laptop.run_function()
    [(_, _, days)] = laptop.s3.asked
    assert 3 <= days <= 30


def test_max_usd_of_any_size_lifts_no_budget(service: Service) -> None:
    laptop = ThawingLaptop(service)
    laptop.s3.put_object(Key=laptop.place + volume(1), Body=large(2_000 * GB), StorageClass="DEEP_ARCHIVE")
    thaw = laptop.plan("1", FULL).body["thaw"]
    assert laptop.start(thaw, max_usd=1e17).error == "thaw_budget"
    assert laptop.start(thaw, max_usd=-1.0).error == "plan_changed"
    assert service.thaws_asked == []
