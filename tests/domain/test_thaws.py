"""Thaws without S3: what is asked for, what it costs, how long copies are kept, what a machine may spend."""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.names import Location, SetId, volume_file
from chalicelib.domain.backups.objects import RestoreState
from chalicelib.domain.backups.tallies import Tally, total_bytes
from chalicelib.domain.costs.pricing import get_cost, read_cost, thaw_cost, transfer_out_cost
from chalicelib.domain.costs.restore_costs import restore_everything, tier_used
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.budget import approval_needed, with_thaw
from chalicelib.domain.restore.plans import (
    Terms,
    TierOffer,
    days_needed,
    is_dearer,
    lapses_at,
    make_offers,
    offer_of,
    rounded_up,
)
from chalicelib.domain.restore.progress import after_look, as_of, is_due, keeps_others_waiting, more_days
from chalicelib.domain.restore.thaws import Thaw, ThawMonth, ThawOwner
from chalicelib.domain.restore.volumes import (
    ListedVolume,
    VolumesFound,
    VolumeState,
    canonical_text,
    count_of,
    find_volumes,
    list_prefixes,
    read_volumes,
    state_of,
    thaw_id,
    volumes_of,
)
from chalicelib.wire import ErrorCode, ThawState, ThawTier, ThawVolumes

NOW = datetime(2026, 11, 22, 20, tzinfo=timezone.utc)
MB = 2**20
PRICES = price_table("us-east-1")
assert PRICES is not None

SETS = st.builds(
    lambda day, full: SetId(None if full else NOW - timedelta(days=day + 1), NOW - timedelta(days=day)),
    st.integers(0, 60),
    st.booleans(),
)
VOLUMES = st.dictionaries(SETS, st.frozensets(st.integers(1, 3_000), min_size=1), min_size=1, max_size=5)
CLASSES = st.sampled_from(["STANDARD", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"])
SIZES = st.integers(0, 400 * MB)
LISTED = st.lists(st.tuples(CLASSES, SIZES), max_size=30)
FULL = SetId.parse("full.20261120T195500Z")


def found(
    parts: list[tuple[str, int]], restore: RestoreState | None = None, now: datetime = NOW
) -> VolumesFound:
    listed = [
        ListedVolume(volume_file(FULL, number).name, size, storage_class, restore)
        for number, (storage_class, size) in enumerate(parts, start=1)
    ]
    return find_volumes({FULL: frozenset(range(1, len(parts) + 1))}, listed, now)


def terms(already: int = 0, line: int | None = None) -> Terms:
    return Terms(PRICES, 100 * 2**30, already, line, NOW)


# ---------------------------------------------------------------- what is asked for


@given(VOLUMES, st.randoms())
def test_the_same_volumes_are_the_same_text_and_id_in_whatever_parts_they_come(
    volumes: dict[SetId, frozenset[int]], random: object
) -> None:
    parts = [
        ThawVolumes(str(set_id), str(number)) for set_id, numbers in volumes.items() for number in numbers
    ]
    random.shuffle(parts)  # type: ignore[attr-defined]
    read = read_volumes(parts)
    assert read == volumes
    assert volumes_of(canonical_text(read)) == volumes
    assert thaw_id("anna", "system", read) == thaw_id("anna", "system", volumes)
    assert thaw_id("anna", "photos", read) != thaw_id("anna", "system", volumes)


@given(VOLUMES)
def test_what_is_listed_has_every_volume_that_is_wanted_once(volumes: dict[SetId, frozenset[int]]) -> None:
    prefixes = list_prefixes(volumes)
    for set_id, numbers in volumes.items():
        for number in numbers:
            name = volume_file(set_id, number).name
            assert sum(name.startswith(prefix) for prefix in prefixes) == 1, (name, prefixes)


def test_few_volumes_are_listed_by_themselves_and_a_large_set_in_nine_parts() -> None:
    assert list_prefixes({FULL: frozenset({7})}) == ["data_duplicity-full.20261120T195500Z.vol7."]
    assert list_prefixes({FULL: frozenset(range(1, 500))}) == ["data_duplicity-full.20261120T195500Z.vol"]
    large = list_prefixes({FULL: frozenset(range(1, 40_001))})
    assert large == [f"data_duplicity-full.20261120T195500Z.vol{digit}" for digit in range(1, 10)]
    sets = {SetId(None, NOW - timedelta(days=day)): frozenset({1, 2}) for day in range(60)}
    assert list_prefixes(sets) == ["data_"]


@given(st.text(max_size=30) | st.text("0123456789,-", max_size=30))
def test_whatever_is_sent_as_numbers_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Refusal):
        volumes = read_volumes([ThawVolumes(str(FULL), text)])
        assert count_of(volumes) >= 1
        assert all(1 <= number <= 99_999_999 for number in volumes[FULL])


def test_a_million_volumes_and_a_million_ranges_are_refused_without_counting_through_them() -> None:
    for numbers in ("1-99999999", ",".join(str(2 * number) for number in range(1, 300_000))):
        with pytest.raises(Refusal) as refused:
            read_volumes([ThawVolumes(str(FULL), numbers)])
        assert refused.value.code is ErrorCode.BAD_REQUEST


# ---------------------------------------------------------------- as S3 holds them


@pytest.mark.parametrize(
    ("storage_class", "restore", "state"),
    [
        ("STANDARD", None, VolumeState.READABLE),
        ("GLACIER_IR", None, VolumeState.READABLE),
        ("DEEP_ARCHIVE", None, VolumeState.ARCHIVED),
        ("GLACIER", None, VolumeState.ARCHIVED),
        ("DEEP_ARCHIVE", RestoreState(True), VolumeState.THAWING),
        ("DEEP_ARCHIVE", RestoreState(False, NOW + timedelta(seconds=1)), VolumeState.READABLE),
        ("DEEP_ARCHIVE", RestoreState(False, NOW), VolumeState.ARCHIVED),
        ("DEEP_ARCHIVE", RestoreState(False), VolumeState.ARCHIVED),
    ],
)
def test_the_state_of_a_restore_counts_and_not_the_class_alone(
    storage_class: str, restore: RestoreState | None, state: VolumeState
) -> None:
    assert state_of(storage_class, restore, NOW) is state


def test_what_is_listed_besides_is_no_volume_of_the_plan() -> None:
    name = volume_file(FULL, 1).name
    listed = [
        ListedVolume(name, 5, "DEEP_ARCHIVE"),
        ListedVolume(name.replace(".gpg", ".gz"), 9, "STANDARD"),
        ListedVolume(name.replace("data_", "meta_"), 9, "STANDARD"),
        ListedVolume(volume_file(FULL, 10).name, 9, "STANDARD"),
        ListedVolume("readme.txt", 9, "STANDARD"),
    ]
    seen = find_volumes({FULL: frozenset({1, 2})}, listed, NOW)
    assert seen.tallies[VolumeState.ARCHIVED] == {"DEEP_ARCHIVE": Tally(1, 5)}
    assert seen.missing == {FULL: frozenset({2})}
    assert seen.count(VolumeState.READABLE) == 0


# ---------------------------------------------------------------- what it costs


@given(LISTED, st.integers(0, 200 * 2**30))
def test_an_offer_is_what_the_rules_of_prices_add_up_to(parts: list[tuple[str, int]], already: int) -> None:
    assert PRICES is not None
    seen = found(parts)
    for offer in make_offers(seen, terms(already)):
        usd = transfer_out_cost(PRICES, sum(size for _, size in parts), already)
        for storage_class, size in parts:
            usd += get_cost(PRICES, storage_class, 1) + read_cost(PRICES, storage_class, size)
            if storage_class in ("GLACIER", "DEEP_ARCHIVE"):
                assert offer.tier is not None
                tier = tier_used(storage_class, offer.tier)
                usd += thaw_cost(PRICES, storage_class, tier, Tally(1, size), offer.days + 1)
        assert offer.usd is not None
        assert abs(offer.usd - usd) <= Decimal("0.0001")
        assert offer.usd >= usd - Decimal("1e-12")


@given(LISTED)
def test_there_is_an_offer_for_each_tier_that_makes_a_difference(parts: list[tuple[str, int]]) -> None:
    classes = {storage_class for storage_class, _ in parts}
    tiers = [offer.tier for offer in make_offers(found(parts), terms())]
    if "GLACIER" in classes:
        assert tiers == [ThawTier.EXPEDITED, ThawTier.STANDARD, ThawTier.BULK]
    elif "DEEP_ARCHIVE" in classes:
        assert tiers == [ThawTier.STANDARD, ThawTier.BULK]
        assert offer_of(found(parts), ThawTier.EXPEDITED, terms()) is None
    else:
        assert tiers == [None]


@given(st.lists(SIZES, min_size=1, max_size=20), st.lists(SIZES, max_size=20))
def test_more_volumes_are_never_cheaper(one: list[int], more: list[int]) -> None:
    few = offer_of(found([("DEEP_ARCHIVE", size) for size in one]), ThawTier.BULK, terms())
    many = offer_of(found([("DEEP_ARCHIVE", size) for size in one + more]), ThawTier.BULK, terms())
    assert few is not None
    assert many is not None
    assert few.usd is not None
    assert many.usd is not None
    assert few.usd <= many.usd


def test_the_mails_price_of_everything_and_a_plan_of_everything_are_one() -> None:
    """They share their rules: a plan differs by its days alone."""
    assert PRICES is not None
    seen = found([("DEEP_ARCHIVE", 200 * MB)] * 900 + [("STANDARD", 5 * MB)])
    offers = make_offers(seen, terms(line=300_000))
    [days] = {offer.days for offer in offers}
    assert days > 7
    archived = Tally(900, 900 * 200 * MB)
    everything = {name: tally for state in VolumeState for name, tally in seen.tallies[state].items()}
    for offer, cost in zip(offers, restore_everything(PRICES, everything), strict=True):
        assert cost.cost is not None
        assert offer.tier is not None
        copies = thaw_cost(PRICES, "DEEP_ARCHIVE", offer.tier, archived, days + 1)
        copies -= thaw_cost(PRICES, "DEEP_ARCHIVE", offer.tier, archived, 7)
        assert offer.usd == rounded_up(cost.cost + copies)


def test_without_a_table_of_prices_nothing_is_free() -> None:
    unknown = dataclasses.replace(terms(), prices=None)
    [standard, bulk] = make_offers(found([("DEEP_ARCHIVE", MB)]), unknown)
    assert standard.usd is bulk.usd is bulk.transfer_usd is None
    assert approval_needed(bulk, 1, Decimal(1000), ThawMonth()) is ErrorCode.PRICE_UNKNOWN


@given(st.decimals(0, 10_000, places=9))
def test_a_sum_is_rounded_up_and_by_no_more_than_a_hundredth_of_a_cent(usd: Decimal) -> None:
    assert usd <= rounded_up(usd) < usd + Decimal("0.0001")
    assert not is_dearer(rounded_up(usd), usd)
    assert is_dearer(usd + Decimal("0.0002"), usd)


# ---------------------------------------------------------------- days


@given(st.integers(0, 2**50), st.none() | st.integers(0, 2**40), st.integers(1, 2**50))
def test_copies_are_kept_as_long_as_fetching_takes_and_two_days_more(
    size: int, line: int | None, cap: int
) -> None:
    days = days_needed(size, line, cap)
    assert 3 <= days <= 30
    a_day = min((line or 12_500_000) * 86_400, cap)
    if days < 30:
        assert (days - 2) * a_day >= size
    if days > 3:
        assert (days - 3) * a_day < size


@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)), st.integers(1, 30))
def test_a_copy_lapses_at_a_midnight_after_its_days(ready: datetime, days: int) -> None:
    ready = ready.replace(tzinfo=timezone.utc)
    until = lapses_at(ready, days)
    assert (until.hour, until.minute, until.second, until.microsecond) == (0, 0, 0, 0)
    assert timedelta(0) <= until - (ready + timedelta(days=days)) < timedelta(days=1)


def test_a_terabyte_over_a_slow_line_is_kept_for_a_month_at_most() -> None:
    assert days_needed(2**40, 100_000, 2**50) == 30
    assert days_needed(2**40, None, 100 * 2**30) == 13


@given(st.integers(1, 30), st.integers(0, 23))
def test_keeping_copies_longer_is_priced_by_the_days_that_it_adds(days: int, hours: int) -> None:
    until = datetime(2026, 11, 24, tzinfo=timezone.utc)
    now = until - timedelta(hours=hours)
    assert lapses_at(now, days) - until == timedelta(days=more_days(now, days, until))


# ---------------------------------------------------------------- budget


@given(st.lists(st.tuples(st.decimals(0, 2, places=4), st.booleans()), max_size=30))
def test_what_is_started_without_the_owner_stays_within_the_budget(sums: list[tuple[Decimal, bool]]) -> None:
    month, budget = ThawMonth(), Decimal(1)
    for usd, approved in sums:
        offer = dataclasses.replace(an_offer(), usd=usd)
        thaw = dataclasses.replace(THAW, usd=usd, approved_at=NOW if approved else None)
        if approved or approval_needed(offer, 1, budget, month) is None:
            month = with_thaw(month, thaw, 1)
    assert month.reserved <= budget
    assert month.approved == sum((usd for usd, approved in sums if approved), Decimal(0))


def an_offer(tier: ThawTier = ThawTier.BULK) -> TierOffer:
    offer = offer_of(found([("GLACIER", 1)]), tier, terms())
    assert offer is not None
    return offer


THAW = Thaw(
    machine="anna",
    job="system",
    id="0" * 20,
    state=ThawState.THAWING,
    tier=ThawTier.EXPEDITED,
    started_at=NOW,
    volumes=4,
    size_bytes=100,
    days=3,
    ready_by=NOW + timedelta(hours=48),
)


def test_ten_volumes_a_month_go_by_expedited_and_no_more_in_however_many_thaws() -> None:
    offer, month = an_offer(ThawTier.EXPEDITED), ThawMonth()
    for _ in range(2):
        assert approval_needed(offer, 4, Decimal(100), month) is None
        month = with_thaw(month, THAW, 100)
    assert approval_needed(offer, 2, Decimal(100), month) is None
    assert approval_needed(offer, 3, Decimal(100), month) is ErrorCode.THAW_BUDGET
    approved = with_thaw(month, dataclasses.replace(THAW, approved_at=NOW), 100)
    assert approved.expedited == month.expedited


# ---------------------------------------------------------------- how it goes on

MACHINE = Machine("anna", NOW - timedelta(days=30), token_sha256="0" * 64)
JOB = Job("anna", "system", Location("bucket", "anna/system/"))
OWNER = ThawOwner(MACHINE, JOB)


def test_another_thaw_is_held_up_for_as_long_as_the_tier_takes_and_a_day_at_most() -> None:
    assert keeps_others_waiting(THAW, OWNER, NOW + timedelta(hours=71))
    assert not keeps_others_waiting(THAW, OWNER, NOW + timedelta(hours=72))
    assert not keeps_others_waiting(dataclasses.replace(THAW, state=ThawState.READY), OWNER, NOW)


def test_a_thaw_of_an_earlier_token_holds_up_nothing() -> None:
    enrolled_anew = dataclasses.replace(MACHINE, code_issued_at=NOW + timedelta(minutes=5))
    owner = ThawOwner(enrolled_anew, JOB)
    assert not keeps_others_waiting(THAW, owner, NOW + timedelta(minutes=10))


@pytest.mark.parametrize("state", ThawState)
def test_only_what_goes_on_by_itself_is_ever_due(state: ThawState) -> None:
    thaw = dataclasses.replace(THAW, state=state, next_look_at=NOW)
    goes_on = (ThawState.ASKING, ThawState.THAWING, ThawState.READY)
    assert is_due(thaw, NOW) is (state in goes_on)


@given(st.lists(st.sampled_from(["archived", "thawing", "readable"]), min_size=1, max_size=20))
def test_a_look_says_ready_exactly_when_nothing_is_on_its_way_and_something_can_be_read(
    states: list[str],
) -> None:
    restores = {
        "archived": None,
        "thawing": RestoreState(True),
        "readable": RestoreState(False, NOW + timedelta(days=3)),
    }
    listed = [
        ListedVolume(volume_file(FULL, number).name, 1, "DEEP_ARCHIVE", restores[state])
        for number, state in enumerate(states, start=1)
    ]
    asked = {FULL: frozenset(range(1, len(states) + 1))}
    thaw = dataclasses.replace(THAW, volumes=len(states))
    after = after_look(thaw, find_volumes(asked, listed, NOW), asked, NOW, NOW + timedelta(minutes=15))
    assert after.done == states.count("readable")
    if "thawing" in states:
        assert after.state is ThawState.THAWING
    else:
        assert after.state is (ThawState.READY if "readable" in states else ThawState.LAPSED)
        assert bool(after.message) is ("archived" in states)


def test_two_weeks_without_an_approval_end_a_thaw() -> None:
    waiting = dataclasses.replace(THAW, state=ThawState.WAITING)
    assert as_of(waiting, OWNER, NOW + timedelta(days=13)) == waiting
    assert as_of(waiting, OWNER, NOW + timedelta(days=14)).state is ThawState.ENDED
    assert as_of(waiting, ThawOwner(None, None), NOW).state is ThawState.ENDED


def test_bytes_of_a_plan_are_those_of_its_volumes() -> None:
    assert total_bytes(found([("STANDARD", 5), ("STANDARD", 7)]).tallies[VolumeState.READABLE]) == 12
