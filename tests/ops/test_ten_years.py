"""Ten years cost what was promised, nothing goes too soon, and the documents' sums are worked out by hand here."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from decimal import Decimal

import pytest

from bench.years.duplicity import SourceOfYears, full_every, full_when, weekly_chains
from bench.years.laptop import DEEP, INSTANT, laptop_setups, our_chains, what_safety_costs
from bench.years.letting_go import let_go
from bench.years.limits import MOST_PHOTOS_GB, MOST_USD, missed, our_setups
from bench.years.lots import END, START, Lot, months_of, readable_at_the_end
from bench.years.photos import OURS_PHOTOS, photo_setups
from bench.years.picture import ten_years_picture
from bench.years.setups import TenYears, broken_days, gone_later
from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.storage import DEEP_ARCHIVE, GLACIER_INSTANT_RETRIEVAL, STANDARD, StoragePolicy
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.price_table import PriceTable, PriceTier
from chalicelib.domain.costs.pricing import FREE_TRANSFER_GB, MINIMUM_STAY_DAYS
from chalicelib.domain.retention.limits import GRACE, SUCCESSOR_AGE

REGIONS = ("us-east-1", "eu-central-1")
MONTHS = Decimal(3650) / (Decimal(365) / 12)


def prices(region: str = "us-east-1") -> PriceTable:
    table = price_table(region)
    assert table is not None
    return table


def with_price(name: str, factor: int) -> PriceTable:
    table = prices()
    dearer = tuple(PriceTier(step.start, step.usd * factor) for step in table.steps[name])
    return dataclasses.replace(table, steps={**table.steps, name: dearer})


def cost(*lots: Lot) -> Decimal:
    return sum((month.cost(prices()) for month in months_of(lots)), Decimal(0))


class TestWhatWasPromised:
    def test_ten_years_cost_no_more_and_can_always_be_restored(self) -> None:
        assert missed(prices()) == []

    def test_a_dearer_class_is_reported(self) -> None:
        said = missed(with_price(f"storage/{GLACIER_INSTANT_RETRIEVAL}", 2))
        assert any("at most $70" in sentence for sentence in said)
        assert not any("at most $25" in sentence for sentence in said)

    @pytest.mark.parametrize("region", REGIONS)
    def test_letting_go_never_costs_a_fee_for_early_deletion(self, region: str) -> None:
        ours = our_setups()
        assert len(ours) == len(MOST_USD) + 1
        assert [one.name for one in ours.values() if one.fees(prices(region))] == []

    def test_without_the_half_year_it_would_cost_a_fee(self) -> None:
        _, at_once, *_ = what_safety_costs()
        assert at_once.fees(prices()) > Decimal("0.01")

    def test_photos_are_uploaded_once(self) -> None:
        assert round(our_setups()[OURS_PHOTOS].uploaded_gb) == MOST_PHOTOS_GB

    def test_all_photos_come_back_for_four_dollars_at_100_gb_a_month(self) -> None:
        photos = our_setups()[OURS_PHOTOS]
        assert photos.months_to_spread == 5
        spread, at_once = photos.back_spread(prices()), photos.back_at_once(prices())
        assert spread is not None
        assert at_once is not None
        assert spread == pytest.approx(Decimal(4), abs=Decimal("0.1"))
        assert at_once - spread == pytest.approx(Decimal(36), rel=Decimal("0.01"))

    def test_who_never_approves_loses_nothing_and_pays_for_all_chains(self) -> None:
        as_it_is, *_, never = what_safety_costs()
        assert {lot.gone_at for lot in never.lots} == {None}
        assert never.cost(prices()) > 2 * as_it_is.cost(prices())

    def test_the_picture_shows_the_sums_of_the_tables(self) -> None:
        picture = ten_years_picture(prices())
        for one in our_setups().values():
            assert f"${one.cost(prices()):.0f}</text>" in picture


class TestOthers:
    """Worked out before by another program, a day at a time with months of equal length."""

    @pytest.mark.parametrize(
        ("setup", "usd", "uploaded_gb", "days"),
        [
            (laptop_setups()[0], 163, 3352, 0),
            (laptop_setups()[1], 50, 997, 54),
            (laptop_setups()[2], 4141, 3352, 0),
            (laptop_setups()[3], 92, 997, 0),
            (laptop_setups()[4], 48, 312, 0),
            (photo_setups()[0], 673, 14630, 0),
            (photo_setups()[2], 101, 3672, 0),
            (photo_setups()[3], 170, 501, 0),
            (photo_setups()[4], 42.3, 500, 0),
            (photo_setups()[5], 48, 590, 0),
        ],
        ids=lambda value: value.name[:40] if isinstance(value, TenYears) else "",
    )
    def test_cost_what_they_did_in_another_sum(
        self, setup: TenYears, usd: float, uploaded_gb: int, days: int
    ) -> None:
        assert float(setup.cost(prices())) == pytest.approx(usd, rel=0.02)
        assert setup.uploaded_gb == pytest.approx(uploaded_gb, rel=0.005)
        assert setup.broken_days == days

    def test_a_rule_by_age_removes_everything_where_nothing_new_comes(self) -> None:
        script, *_ = laptop_setups()
        assert script.after_a_silent_year == "everything"
        assert all(lot.gone_at and lot.gone_at <= END + timedelta(days=365) for lot in script.newest)


class TestAChainGoes:
    def test_when_its_successor_is_half_a_year_old_and_two_mails_have_named_it(self) -> None:
        fulls = [chain[0].made_at for chain in our_chains()]
        gone = let_go(our_chains())
        assert [one.chain.end for one in gone] == fulls[:-1]
        for one, successor in zip(gone, fulls[1:], strict=True):
            waited = one.begun_at - successor - SUCCESSOR_AGE
            assert timedelta(days=7) <= waited <= timedelta(days=15)

    def test_with_every_set_of_it(self) -> None:
        went = {one.chain.end: len(one.sets) for one in let_go(our_chains())}
        assert all(went[chain[0].made_at] == len(chain) for chain in our_chains()[:-1])

    def test_only_after_the_owner_has_seen_its_successor(self) -> None:
        assert let_go(our_chains(), looks_every_days=None) == []
        [late] = let_go(our_chains()[:2], looks_every_days=1300)
        assert (late.begun_at - START).days >= 1300

    def test_at_the_latest_after_two_years(self) -> None:
        assert {len(chain) for chain in our_chains()[:-1]} == {105}

    def test_sooner_where_much_changes(self) -> None:
        busy = SourceOfYears(10 * GB, 0, GB, signature_ratio=0.01)
        assert {len(chain) for chain in weekly_chains(busy, full_when(2.0))[:-1]} == {11}


class TestALot:
    def test_in_standard_costs_its_put_and_its_months(self) -> None:
        by_hand = MONTHS * 100 * Decimal("0.023") + 4 * Decimal("0.000005")
        assert cost(Lot(Tally(4, 100 * GB), START)) == pytest.approx(by_hand, rel=Decimal("0.002"))

    def test_is_moved_after_its_days_and_is_billed_with_its_overhead(self) -> None:
        moved = Lot(Tally(1000, 100 * GB), START, DEEP)
        assert [name for name, *_ in moved.stays()] == [STANDARD, DEEP_ARCHIVE]
        week, rest = Decimal(7) / 3650 * MONTHS, Decimal(3643) / 3650 * MONTHS
        overhead = Decimal(1000 * 32) / 2**20 * Decimal("0.00099") + Decimal(1000 * 8) / 2**20 * Decimal(
            "0.023"
        )
        by_hand = week * 100 * Decimal("0.023") + rest * (100 * Decimal("0.00099") + overhead)
        by_hand += 1000 * (Decimal("0.000005") + Decimal("0.00005"))
        assert cost(moved) == pytest.approx(by_hand, rel=Decimal("0.005"))

    def test_pays_for_the_days_that_its_class_misses(self) -> None:
        stayed = timedelta(days=MINIMUM_STAY_DAYS[DEEP_ARCHIVE] - 60)
        straight = StoragePolicy(DEEP_ARCHIVE, 0)
        lot = Lot(Tally(1, 1000 * GB), START, straight, gone_at=START + stayed)
        fees = sum((month.fees(prices()) for month in months_of([lot])), Decimal(0))
        assert fees == pytest.approx(2 * 1000 * Decimal("0.00099"), rel=Decimal("0.001"))

    def test_is_billed_under_its_marker_and_not_moved_there(self) -> None:
        marked = START + timedelta(days=3)
        lot = Lot(Tally(1, GB), START, INSTANT, hidden_at=marked, gone_at=marked + GRACE)
        assert list(lot.stays()) == [(STANDARD, START, marked + GRACE)]
        assert readable_at_the_end([lot]) == {}

    def test_costs_a_tag_a_month_and_a_second_one_under_its_marker(self) -> None:
        tally, marked = Tally(10_000, 1000 * GB), START + timedelta(days=400)
        plain = Lot(tally, START, gone_at=marked + GRACE)
        tagged = dataclasses.replace(plain, tagged=True)
        let_go_lot = dataclasses.replace(tagged, hidden_at=marked)
        a_month = Decimal("0.0065") * 12 / 365
        assert cost(tagged) - cost(plain) == pytest.approx(430 * a_month, rel=Decimal("0.01"))
        requests = 10_000 * (Decimal("0.000005") + Decimal("0.0000004"))
        more = cost(let_go_lot) - cost(tagged)
        assert more == pytest.approx(30 * a_month + requests, rel=Decimal("0.01"))

    def test_spread_over_months_pays_for_no_transfer(self) -> None:
        lot = Lot(Tally(8, 4 * FREE_TRANSFER_GB * GB), START)
        years = TenYears("four hundred GB", [lot], [lot])
        spread, at_once = years.back_spread(prices()), years.back_at_once(prices())
        assert spread is not None
        assert at_once is not None
        assert spread < Decimal("0.01")
        assert at_once == pytest.approx(300 * Decimal("0.09"), abs=Decimal("0.01"))


def test_days_on_which_the_newest_set_lacks_its_full_set_are_counted() -> None:
    def lots(day: int, gone: int | None) -> Lot:
        gone_at = None if gone is None else START + timedelta(days=gone)
        return Lot(Tally(1, GB), START + timedelta(days=day), gone_at=gone_at)

    assert broken_days([(lots(0, 30), lots(7, 37)), (lots(40, None),)]) == 10
    assert broken_days([(lots(0, 47), lots(7, 54)), (lots(40, None),)]) == 0


def test_billed_longer_is_not_hidden_longer() -> None:
    hidden = START + timedelta(days=100)
    lot = Lot(Tally(1, GB), START, hidden_at=hidden, gone_at=hidden + GRACE)
    [later] = gone_later([lot], 60)
    assert (later.hidden_at, later.gone_at) == (hidden, hidden + GRACE + timedelta(days=60))
    [sooner] = gone_later([lot], -60)
    assert sooner.hidden_at == hidden - timedelta(days=60)


def test_yearly_full_backups_are_made_by_the_clients_own_policy() -> None:
    source = SourceOfYears(GB, 0, GB // 100, signature_ratio=0.01)
    chains = weekly_chains(source, full_every(365))
    assert [(chain[0].made_at - START).days for chain in chains[:3]] == [0, 371, 742]
