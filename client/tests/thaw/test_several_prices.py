"""The sums over several plans: never less than the service asks, and the months in which a pile costs least."""

from __future__ import annotations

import dataclasses
import random
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any, cast

import pytest
from panicroom.exit_codes import Problem
from panicroom.restore.several import plans
from panicroom.restore.several.family_paths import WantedJob
from panicroom.settings import JobSettings, Settings
from panicroom.thaw.consent import ThawOptions, agree_together
from panicroom.thaw.months import Part, in_months, month_lines, months_hint, spread
from panicroom.thaw.together import together
from panicroom.wire import ListedFile, ThawOffer, ThawPlan, ThawState, ThawTier, TransferPrice

GB = 2**30
NOVEMBER = datetime(2026, 11, 30, 23, 30, tzinfo=timezone.utc)


def transfer(left_gb: float = 100) -> TransferPrice:
    return TransferPrice(100 * GB, int(left_gb * GB), 0.09)


def plan(
    size_gb: float,
    usd: float | None = 0.5,
    left_gb: float = 100,
    tiers: tuple[ThawTier, ...] = (ThawTier.BULK,),
) -> ThawPlan:
    """Of one job, as the service makes it: what is free is free for it alone."""
    out = max(0.0, size_gb - left_gb) * 0.09
    offers = tuple(
        ThawOffer(
            "2026-12-02T00:00:00Z", tier, None if usd is None else usd + out, out, "2026-12-06T00:00:00Z"
        )
        for tier in tiers
    )
    size = int(size_gb * GB)
    return ThawPlan(
        "t", ThawState.PLANNED, size, size, 10, 0, 0, (), offers, False, 1.0, 0.1, transfer(left_gb)
    )


def test_what_is_free_is_free_once() -> None:
    """Five years of 100 GB, each of which is free for itself: together they are not."""
    offer = together([plan(100)] * 5).tiers[0]
    assert offer.transfer_usd == pytest.approx(36)
    assert offer.usd == pytest.approx(36 + 5 * 0.5, abs=0.001)


def test_the_sum_is_never_less_than_the_starts_one_after_the_other() -> None:
    """Each start counts what the ones before it have begun."""
    chance = random.Random(3)
    for _round in range(300):
        sizes = [chance.uniform(0.001, 150) for _ in range(chance.randint(1, 8))]
        thaws = [round(chance.uniform(0, 2), 4) for _ in sizes]
        left = chance.uniform(0, 100)
        offer = together([plan(size, usd, left) for size, usd in zip(sizes, thaws, strict=True)]).tiers[0]
        begun = 0.0
        for size, usd in zip(sizes, thaws, strict=True):
            out = max(0.0, size - max(0.0, left))
            begun += usd + out * 0.09
            left -= size
        assert offer.usd is not None
        assert offer.usd >= begun - 1e-6
        assert offer.usd <= begun + 0.0002 * len(sizes) + 0.0001


def test_a_price_that_is_not_known_makes_no_sum() -> None:
    offer = together([plan(10), plan(10, usd=None)]).tiers[0]
    assert (offer.usd, offer.transfer_usd, offer.needs_approval) == (None, None, True)


def test_only_tiers_that_all_have_are_offered_and_the_plans_of_an_old_service_are_summed() -> None:
    both = (ThawTier.STANDARD, ThawTier.BULK)
    assert [offer.tier for offer in together([plan(1, tiers=both), plan(1)]).tiers] == [ThawTier.BULK]
    old = [dataclasses.replace(plan(120, usd=0.6), transfer=None)] * 2
    assert together(old).tiers[0].usd == pytest.approx(2 * (0.6 + 20 * 0.09))
    assert in_months(together(old), [Part("a", GB), Part("b", GB)], NOVEMBER) is None
    assert together([plan(3, usd=0.6), plan(3, usd=0.6)]).tiers[0].needs_approval, (
        "more than the budget together"
    )


def test_five_months_of_a_hundred_gb_cost_a_tenth() -> None:
    """The 500 GB that ten years of pictures end with, in whole years; a thaw of the end of November leaves AWS in
    December, whatever is left of November's."""
    parts = [Part(str(2016 + number), 50 * GB) for number in range(10)]
    price = together([plan(50, usd=0.4, left_gb=60) for _ in parts])
    advice = in_months(price, parts, NOVEMBER)
    assert advice is not None
    assert advice.at_once_usd == pytest.approx(4 + 440 * 0.09, abs=0.01)
    assert advice.usd == pytest.approx(4, abs=0.01)
    lines = list(month_lines(advice, "panicroom restore 2016 2017 --job photos --to DIR"))
    assert lines[0] == "All at once costs $43.61: only 100 GB a month may leave AWS for nothing."
    assert lines[1] == "In 5 months of at most 100 GB each it costs $4.01:"
    assert lines[2:4] == ["  Dec 2026  100.0 GB  2016, 2017", "  Jan 2027  100.0 GB  2018, 2019"]
    assert lines[-1] == "For the first part, run: panicroom restore 2016 2017 --job photos --to DIR"


def test_every_part_is_in_one_month_and_none_is_over_what_is_free_unless_it_is_alone() -> None:
    chance = random.Random(5)
    for _round in range(300):
        parts = [
            Part(str(number), int(chance.uniform(0.1, 130) * GB)) for number in range(chance.randint(1, 30))
        ]
        left = chance.choice([0, 1, 30, 100])
        months = spread(parts, transfer(left), NOVEMBER)
        assert sorted(part.name for month in months for part in month.parts) == sorted(
            part.name for part in parts
        )
        for month in months:
            assert month.bytes <= month.free_bytes or len(month.parts) == 1
        least = sum(part.bytes for part in parts) / (100 * GB)
        assert len(months) <= 2 * least + 2, "as few months as whole years allow, about"


def test_a_month_whose_hundred_gb_are_used_up_is_left_out() -> None:
    months = spread([Part("2018", 80 * GB), Part("2019", 80 * GB)], transfer(0), NOVEMBER)
    assert [month.title for month in months] == ["Dec 2026", "Jan 2027"]


def test_what_costs_no_less_in_parts_is_no_advice() -> None:
    assert in_months(plan(50), [Part("2018", 50 * GB)], NOVEMBER) is None
    assert in_months(plan(300), [Part("2018", 300 * GB)], NOVEMBER) is None, "one year cannot be split"


def test_a_single_job_says_about_what_its_months_cost() -> None:
    assert months_hint(plan(50)) is None
    assert months_hint(plan(250, usd=1.5)) == (3, pytest.approx(1.5))


@pytest.mark.parametrize(("size_gb", "is_priced"), [(20, False), (60, True)])
def test_pictures_that_can_be_read_at_once_are_priced_where_more_leaves_aws_than_is_free(
    monkeypatch: pytest.MonkeyPatch, size_gb: int, is_priced: bool
) -> None:
    asked: list[str] = []

    class Service:
        def __init__(self, *_where: str) -> None:
            pass

        def __enter__(self) -> Service:
            return self

        def __exit__(self, *_failure: object) -> None:
            pass

        def plan_thaw(self, job: str, _request: object) -> ThawPlan:
            asked.append(job)
            out = ThawOffer("2026-11-30T00:00:00Z", None, 0.1, 0.0)
            return dataclasses.replace(plan(size_gb), archived=0, readable=10, tiers=(out,))

    monkeypatch.setattr(plans, "Api", Service)
    monkeypatch.setattr(plans, "token_of", lambda _settings: "token")
    volume = ListedFile(
        "data_duplicity-full.20180101T000000Z.vol1.difftar.gpg", size_gb * GB, "e", "", "GLACIER_IR"
    )
    nothing: Any = None
    jobs = tuple(
        plans.JobPlan(
            WantedJob(JobSettings(f"photos-{year}", None), str(year)), nothing, nothing, (volume,), None
        )
        for year in (2018, 2019)
    )
    found = plans.priced(cast("Settings", SimpleNamespace(url="")), plans.JobPlans(jobs, {}))
    assert bool(asked) == is_priced
    price = found.together
    assert (price is not None and price.tiers[0].transfer_usd) == (
        pytest.approx(20 * 0.09) if is_priced else False
    )
    if price is not None:
        advice = found.months(NOVEMBER)
        assert advice is not None
        assert [month.parts[0].name for month in advice.months] == ["2018", "2019"]
        nobody = ThawOptions(("panicroom", "restore"))
        with pytest.raises(
            Problem, match=r"downloading 120\.0 GB costs \$2\.0\d; nothing was spent; to agree, run: .* --yes"
        ):
            agree_together(price, nobody)
        with pytest.raises(Problem, match="the download costs"):
            agree_together(price, dataclasses.replace(nobody, yes=True, max_usd=1))
        assert agree_together(price, dataclasses.replace(nobody, yes=True, max_usd=3)).max_usd == 3
