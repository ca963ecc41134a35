"""What is let go is billed until S3 removes it and no longer, never dearer than if it stayed, and counted once."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.storage import STORAGE_POLICIES, StoragePolicy
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.figures import Figures, job_figures
from chalicelib.domain.costs.months import SpanSum, merged, month_of
from chalicelib.domain.costs.removals import add_removed, removed_sets
from chalicelib.domain.costs.service_costs import Activity, service_cost
from chalicelib.domain.costs.statement import Statement, month_bill, state_costs
from chalicelib.domain.costs.usage import JobUsage, job_usage
from chalicelib.domain.mail.cost_section import describe_costs
from chalicelib.domain.retention.let_go import LetGo, let_go_of
from chalicelib.domain.retention.limits import SUCCESSOR_AGE

PRICES = price_table("us-east-1")
assert PRICES is not None
NOW = datetime(2026, 11, 16, tzinfo=timezone.utc)


def stored(at: datetime, noncurrent: dict[str, Tally] | None = None, **current: Tally) -> BackupSet:
    """A complete full set that came in one moment."""
    volumes = max((tally.count for tally in current.values()), default=0)
    numbers = frozenset(range(1, volumes + 1))
    return BackupSet(SetId(None, at), numbers, volumes, True, True, at, current, noncurrent or {}, at)


def cents(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


def fee(*sets: BackupSet, now: datetime = NOW, moved_after_days: int = 0) -> str:
    """What the month of ``now`` is charged when the owner drops all of these then."""
    assert PRICES is not None
    job, month = (
        dataclasses.replace(JOB, storage=StoragePolicy("GLACIER_IR", moved_after_days)),
        month_of(now),
    )
    spans = [
        whole(job, emptied(one), gone(one, at=now, dropped=True), month.start, month.end, now).span()
        for one in sets
    ]
    return cents(month_bill(PRICES, merged(spans), month, Decimal(0), Decimal(0)).fees)


def test_each_set_pays_for_the_days_that_its_class_misses() -> None:
    """100 GB after 30 of 90 days: 2 months x 100 x 0.0036; 500 GB after 45 of 180: 4.5 x 500 x 0.00099; 0 of IR."""
    young = stored(NOW - timedelta(days=30), GLACIER=Tally(1, 100 * GB))
    deep = stored(NOW - timedelta(days=45), DEEP_ARCHIVE=Tally(1, 500 * GB))
    over = stored(NOW - timedelta(days=90), GLACIER_IR=Tally(1, 250 * GB), STANDARD=Tally(3, GB))
    assert (fee(young), fee(deep), fee(over), fee(young, deep, over)) == ("0.72", "2.23", "0.00", "2.95")


def test_the_stay_begins_when_the_volumes_were_moved() -> None:
    """1,000 GB, uploaded 90 days ago and moved on the seventh: 7 days are missing: 1000 x 0.004 x 7 / 30."""
    one = stored(NOW - timedelta(days=90), GLACIER_IR=Tally(1, 1000 * GB))
    assert (fee(one, moved_after_days=7), fee(one)) == ("0.93", "0.00")


def test_a_volume_in_an_archive_sooner_than_the_policy_moves_it_misses_all_of_the_stay() -> None:
    one = stored(NOW - timedelta(days=2), GLACIER=Tally(1, 100 * GB))
    assert fee(one, moved_after_days=7) == "1.08"


def test_what_is_in_standard_goes_for_nothing() -> None:
    assert fee(stored(NOW, STANDARD=Tally(100, 1000 * GB))) == "0.00"


def test_older_versions_pay_too() -> None:
    hidden = {"GLACIER": Tally(1, 100 * GB)}
    assert fee(stored(NOW - timedelta(days=30), hidden, STANDARD=Tally(1, GB))) == "0.72"


def test_the_age_of_a_set_is_that_of_its_newest_file_and_not_of_its_name() -> None:
    backdated = stored(NOW - timedelta(days=30), GLACIER=Tally(1, 100 * GB))
    assert fee(dataclasses.replace(backdated, set_id=SetId(None, NOW - timedelta(days=900)))) == "0.72"


# ---------------------------------------------------------------- a chain that goes in the middle of a month

JOB = Job("anna", "system", Location("b", "anna/system/"))
OLD, YOUNG = NOW - timedelta(days=500), NOW - timedelta(days=250)
OLD_SET = stored(OLD, GLACIER_IR=Tally(100, 1000 * GB))
KEPT = stored(YOUNG, GLACIER_IR=Tally(100, 500 * GB))
MARKED = datetime(2026, 11, 5, 10, tzinfo=timezone.utc)  # and so final at the beginning of 6 December


def gone(*sets: BackupSet, at: datetime = MARKED, marked: bool = True, dropped: bool = False) -> LetGo:
    found = let_go_of("anna", "system", sets[0].set_id, sets, at, dropped=dropped)
    return dataclasses.replace(found, marked_at=at) if marked else found


def under_markers(one: BackupSet) -> BackupSet:
    """The row when all its files are marked deleted."""
    return dataclasses.replace(one, volumes=frozenset(), sealed_at=None, current={}, noncurrent=one.current)


def emptied(one: BackupSet) -> BackupSet:
    """The row when S3 has removed its files."""
    return dataclasses.replace(under_markers(one), noncurrent={})


def usage(*sets: BackupSet, let_gos: tuple[LetGo, ...] = (), **options: object) -> JobUsage:
    given = {"now": NOW, "job": JOB, **options}
    return job_usage(sets=sets, let_gos=let_gos, **given)  # type: ignore[arg-type]


def state(one: JobUsage, now: datetime = NOW, **options: object) -> Statement:
    assert PRICES is not None
    return state_costs(PRICES, [one], runs_a_month=30, mails_a_month=4, now=now, **options)  # type: ignore[arg-type]


def storage(one: JobUsage, now: datetime = NOW) -> list[str]:
    """So far, by the month's end, next month."""
    statement = state(one, now)
    return [cents(bill.storage) for bill in (statement.so_far, statement.forecast, statement.next_month)]


def test_a_chain_under_markers_is_billed_until_the_day_on_which_it_is_final() -> None:
    """1,000 GB in Instant Retrieval: 4.00 a month, and 5 of December's 31 days: 0.65."""
    assert storage(usage(under_markers(OLD_SET), let_gos=(gone(OLD_SET),))) == ["2.00", "4.00", "0.65"]


@pytest.mark.parametrize("row", [[under_markers(OLD_SET)], [emptied(OLD_SET)], []])
def test_what_became_final_within_the_month_counts_until_that_day(row: list[BackupSet]) -> None:
    """Marked on 10 October and final on 10 November: 9 of 30 days, whether or not S3 was late with removing it."""
    let_go = gone(OLD_SET, at=datetime(2026, 10, 10, 12, tzinfo=timezone.utc))
    assert storage(usage(*row, let_gos=(let_go,))) == ["1.20", "1.20", "0.00"]
    assert usage(*row, let_gos=(let_go,)).stored_bytes == 0


def test_a_chain_of_which_the_last_marker_is_missing_is_billed_for_the_whole_grace_from_now_on() -> None:
    """Begun eleven days ago. Were it marked now, it would be final on 16 December: 15 of 31 days."""
    let_go = gone(OLD_SET, marked=False)
    for row in (OLD_SET, under_markers(OLD_SET)):
        assert storage(usage(row, let_gos=(let_go,))) == ["2.00", "4.00", "1.94"]


def test_a_chain_that_is_being_brought_back_stays() -> None:
    let_go = dataclasses.replace(gone(OLD_SET), undone_at=NOW)
    assert usage(OLD_SET, let_gos=(let_go,)) == dataclasses.replace(usage(OLD_SET), let_go_files=100)


def test_a_chain_is_counted_once_from_before_it_goes_until_it_is_final() -> None:
    let_go = gone(OLD_SET, marked=False)
    before = usage(OLD_SET, KEPT)
    begun = usage(OLD_SET, KEPT, let_gos=(let_go,))
    half = dataclasses.replace(
        OLD_SET, current={"GLACIER_IR": Tally(50, 500 * GB)}, noncurrent={"GLACIER_IR": Tally(50, 500 * GB)}
    )
    between = usage(half, KEPT, let_gos=(let_go,))
    marked = usage(under_markers(OLD_SET), KEPT, let_gos=(gone(OLD_SET),))
    assert {one.stored_bytes for one in (before, begun, between, marked)} == {1500 * GB}
    assert (
        len({state(one).monthly - state(one).tags_monthly for one in (before, begun, between, marked)}) == 1
    )
    for one in (begun, between, marked):
        assert (one.current, one.let_go) == (KEPT.current, OLD_SET.current)
        statement = state(one)
        [line] = statement.by_class
        assert (line.current_bytes, line.noncurrent_bytes) == (500 * GB, 1000 * GB)
        assert statement.stored_bytes == sum(machine.stored_bytes for machine in statement.by_machine)


def test_older_versions_of_a_chain_that_goes_stay() -> None:
    """They carry no tag, so no rule removes them: 100 of 1,100 GB cost 0.40 a month for ever."""
    hidden = {"GLACIER_IR": Tally(10, 100 * GB)}
    there = dataclasses.replace(under_markers(OLD_SET), noncurrent={"GLACIER_IR": Tally(110, 1100 * GB)})
    one = usage(there, let_gos=(gone(OLD_SET),))
    assert storage(one) == ["2.20", "4.40", "1.05"]
    assert (one.noncurrent, one.let_go) == (hidden, OLD_SET.current)


def test_next_month_falls_by_what_becomes_final() -> None:
    """By 26 of 31 days of 4.00: 3.35."""
    stays, goes = (
        state(usage(OLD_SET, KEPT)),
        state(usage(under_markers(OLD_SET), KEPT, let_gos=(gone(OLD_SET),))),
    )
    assert cents(stays.next_month.storage - goes.next_month.storage) == "3.35"
    assert stays.forecast.storage == goes.forecast.storage
    assert goes.next_month.tags < stays.next_month.tags


def test_what_was_let_go_cannot_be_restored_and_has_no_price_of_a_restore() -> None:
    """Neither before its files are marked, when they are there as ever."""
    let_go = gone(OLD_SET, marked=False)
    assert state(usage(OLD_SET, KEPT, let_gos=(let_go,))).restores == state(usage(KEPT)).restores
    assert state(usage(OLD_SET, let_gos=(let_go,))).restores == ()


def test_nobody_is_advised_to_remove_what_is_removed_by_itself() -> None:
    assert state(usage(under_markers(OLD_SET), KEPT)).advice != ()
    assert state(usage(under_markers(OLD_SET), KEPT, let_gos=(gone(OLD_SET),))).advice == ()


def test_the_pace_of_a_job_is_not_that_of_what_it_lets_go() -> None:
    """Neither what goes nor the younger chain, which is the oldest then, changes what is expected to come."""
    increment = dataclasses.replace(
        stored(NOW - timedelta(days=2), STANDARD=Tally(4, GB)), set_id=SetId(YOUNG, NOW - timedelta(days=2))
    )
    stays = usage(OLD_SET, KEPT, increment)
    for rows in ([OLD_SET], [under_markers(OLD_SET)], [emptied(OLD_SET)], []):
        goes = usage(*rows, KEPT, increment, let_gos=(gone(OLD_SET),))
        assert goes.rest.put_objects == stays.rest.put_objects > 0
        assert goes.next_month.held["STANDARD"] == stays.next_month.held["STANDARD"]


def test_each_version_has_two_tags_until_it_is_final() -> None:
    """A million versions with a tag each cost 0.65 a month. From 5 November, 10 o'clock, they have two."""
    many = stored(OLD, STANDARD=Tally(10**6, GB))
    one = usage(under_markers(many), let_gos=(gone(many),))
    statement = state(one)
    assert (statement.tags, cents(statement.tags_monthly)) == (2 * 10**6, "1.30")
    assert cents(statement.forecast.tags) == cents(Decimal("0.65") * (1 + Decimal(25 * 24 + 14) / 720))
    assert cents(statement.next_month.tags) == cents(Decimal("1.30") * 5 / 31)


# ---------------------------------------------------------------- what the owner drops


def test_a_set_that_the_owner_drops_is_billed_until_then_and_pays_its_fee_in_that_month() -> None:
    """
    1,000 GB came into Deep Archive on 1 October, 7 days after the upload, and are dropped on 12 November, after 42 of
    180 days: 1000 x 0.00099 x 138 / 30 = 4.554. In November 11 of 30 days of 0.99.
    """
    job = dataclasses.replace(JOB, storage=StoragePolicy("DEEP_ARCHIVE", 7))
    at = datetime(2026, 11, 12, tzinfo=timezone.utc)
    deep = stored(datetime(2026, 9, 24, tzinfo=timezone.utc), DEEP_ARCHIVE=Tally(100, 1000 * GB))
    let_go = gone(deep, at=at, dropped=True)
    for rows in ([emptied(deep)], [BackupSet(deep.set_id, changed_at=deep.changed_at)]):
        one = usage(*rows, job=job, let_gos=(let_go,))
        assert storage(one) == ["0.36", "0.36", "0.00"]
        statement = state(one)
        assert [
            cents(bill.fees) for bill in (statement.so_far, statement.forecast, statement.next_month)
        ] == [
            "4.55",
            "4.55",
            "0.00",
        ]
        assert fee(deep, now=at, moved_after_days=7) == "4.55"
        months = describe_costs(statement, (), budget=None, now=NOW, zone=timezone.utc).months
        assert [(month.label, month.value) for month in months][2] == (
            "Of that, fees for early deletion",
            "$4.55",
        )
        assert "early deletion $4.55" in months[1].note
        assert statement.so_far.total >= statement.so_far.fees


def test_a_chain_that_is_dropped_while_it_can_still_be_brought_back_is_billed_until_it_is_dropped() -> None:
    """Let go on 5 November, dropped from the 14th on: 1,000 GB for 13 of 30 days of 4.00. Half done, the rest is billed
    as before."""
    at = datetime(2026, 11, 14, tzinfo=timezone.utc)
    dropped = dataclasses.replace(gone(OLD_SET), dropped=True, marked_at=at)
    assert storage(usage(emptied(OLD_SET), let_gos=(dropped,))) == ["1.73", "1.73", "0.00"]
    half = dataclasses.replace(emptied(OLD_SET), noncurrent={"GLACIER_IR": Tally(50, 500 * GB)})
    on_its_way = dataclasses.replace(dropped, marked_at=None)
    assert storage(usage(half, let_gos=(on_its_way,))) == ["2.00", "3.00", "2.00"]


def test_what_came_and_was_dropped_within_the_month_was_uploaded_and_moved() -> None:
    young = stored(datetime(2026, 11, 2, tzinfo=timezone.utc), GLACIER_IR=Tally(100, 30 * GB))
    let_go = gone(young, at=datetime(2026, 11, 12, tzinfo=timezone.utc), dropped=True)
    statement = state(usage(emptied(young), let_gos=(let_go,)))
    assert (statement.puts, statement.moves) == (100, 100)


def test_what_a_lock_holds_back_of_a_dropped_set_is_billed_on() -> None:
    """500 of 1,000 GB, 2.00 a month; of the others 4.42 days of 30, 0.29."""
    let_go = gone(OLD_SET, dropped=True)
    locked = dataclasses.replace(emptied(OLD_SET), noncurrent={"GLACIER_IR": Tally(50, 500 * GB)})
    one = usage(locked, let_gos=(let_go,))
    assert one.stored_bytes == 500 * GB
    assert storage(one) == ["1.29", "2.29", "2.00"]


def test_without_a_fee_the_mail_has_no_line_for_it() -> None:
    section = describe_costs(
        state(usage(under_markers(OLD_SET), let_gos=(gone(OLD_SET),))),
        (),
        budget=None,
        now=NOW,
        zone=timezone.utc,
    )
    assert [month.label for month in section.months] == [
        "This month so far",
        "By the month's end",
        "Next month",
    ]


# ---------------------------------------------------------------- what the mail says of it


def test_bytes_that_were_removed_are_named_once_as_let_go() -> None:
    """Final on 10 November: in the mail of the 16th, and in none after it."""
    assert PRICES is not None
    let_go = gone(OLD_SET, at=datetime(2026, 10, 10, 12, tzinfo=timezone.utc))
    last = NOW - timedelta(days=7)
    known = job_figures(PRICES, [usage(under_markers(OLD_SET), KEPT, let_gos=(let_go,), now=last)])
    before = Figures(last, 1, 0, 1500 * GB, Decimal("6.00"), Decimal(0), Decimal(0)), known
    now = usage(emptied(OLD_SET), KEPT, let_gos=(let_go,), since=last)
    statement = state(now, before=before)
    section = describe_costs(statement, (), budget=None, now=NOW, zone=timezone.utc)
    assert section.removal == (
        "Since 9 Nov, 0.977 TB of old backups that were let go has been removed for good. Keeping it would cost $4.00"
        " a month."
    )
    assert section.rise == ""
    later = usage(emptied(OLD_SET), KEPT, let_gos=(let_go,), since=NOW, now=NOW + timedelta(days=7))
    assert later.news.removed == {}


def test_letting_go_is_never_the_cause_of_a_rise() -> None:
    """Its bytes are under markers now, and were there before; the rise is what came."""
    assert PRICES is not None
    last = NOW - timedelta(days=14)
    known = job_figures(PRICES, [usage(OLD_SET, now=last)])
    before = Figures(last, 1, 0, 1000 * GB, Decimal("4.00"), Decimal(0), Decimal(0)), known
    full = stored(NOW - timedelta(days=1), STANDARD=Tally(50, 120 * GB))
    one = usage(under_markers(OLD_SET), full, let_gos=(gone(OLD_SET),), since=last)
    rise = state(one, before=before).rise
    assert rise is not None
    assert rise.cause.startswith("a new full backup (120.00 GB")


def test_a_set_of_which_nothing_is_left_is_no_news() -> None:
    since = NOW - timedelta(days=7)
    young = stored(NOW - timedelta(days=2), STANDARD=Tally(4, GB))
    increment = dataclasses.replace(young, set_id=SetId(YOUNG, NOW - timedelta(days=2)))
    dropped = gone(increment, at=NOW - timedelta(days=1), dropped=True)
    assert usage(KEPT, emptied(increment), let_gos=(dropped,), since=since).news.increments == 0
    assert usage(KEPT, increment, since=since).news.increments == 1


def test_the_requests_of_letting_go_are_counted_with_the_service() -> None:
    """
    A file: its tags read and written, two HEADs or less, and three events, of which each is looked at with a LIST:
    4 x 0.000005 + 2 x 0.0000004 of a request each, 0.0208 for a thousand.
    """
    assert PRICES is not None
    plain, going = Activity(1, 100, 30, 0, 4), Activity(1, 100, 30, 0, 4, let_go=1000)
    parts = [{part.name: part.in_full for part in service_cost(PRICES, one)} for one in (plain, going)]
    assert str(parts[1]["looking at S3"] - parts[0]["looking at S3"]).startswith("0.0208")
    assert all(parts[1][name] >= parts[0][name] for name in parts[0])
    assert usage(under_markers(OLD_SET), let_gos=(gone(OLD_SET),)).let_go_files == 100
    assert (
        usage(under_markers(OLD_SET), let_gos=(gone(OLD_SET),), now=NOW + timedelta(days=20)).let_go_files
        == 0
    )


# ---------------------------------------------------------------- whatever goes, and whenever

sets = st.builds(
    lambda age, name, count, size: stored(NOW - timedelta(days=age), **{name: Tally(count, size)}),
    st.integers(0, 600),
    st.sampled_from(["STANDARD", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]),
    st.integers(1, 10**5),
    st.integers(1, 10**13),
)
policies = st.sampled_from(STORAGE_POLICIES)


def whole(job: Job, one: BackupSet, let_go: LetGo, start: datetime, end: datetime, now: datetime) -> SpanSum:
    total = SpanSum(start, end)
    for removed in removed_sets([one], [let_go], now).values():
        add_removed(job, removed, [total], now)
    return total


@given(sets, policies, st.integers(0, 24 * 80), st.booleans())
def test_the_days_add_up_to_the_month(
    one: BackupSet, policy: StoragePolicy, hours: int, dropped: bool
) -> None:
    job, now = dataclasses.replace(JOB, storage=policy), NOW + timedelta(hours=hours)
    let_go, month = gone(one, at=NOW, dropped=dropped), month_of(now)
    days = [month.start + timedelta(days=day) for day in range(month.hours // 24)]
    row = emptied(one)
    summed = merged([whole(job, row, let_go, day, day + timedelta(days=1), now).span() for day in days])
    in_one = whole(job, row, let_go, month.start, month.end, now).span()
    assert (summed.moved, summed.put_objects, summed.cut_short) == (
        in_one.moved,
        in_one.put_objects,
        in_one.cut_short,
    )
    assert summed.held == pytest.approx(in_one.held, rel=1e-9, abs=64)  # each day is rounded to bytes
    assert summed.tag_seconds == pytest.approx(in_one.tag_seconds, abs=64)


@given(
    sets.filter(lambda one: NOW - one.set_id.end > timedelta(days=100)),
    policies,
    st.integers(0, 45),
    st.booleans(),
)
def test_a_chain_that_goes_never_costs_more_storage_than_if_it_had_stayed(
    one: BackupSet, policy: StoragePolicy, day: int, dropped: bool
) -> None:
    """In no part of any month. Younger ones might: what is marked while it is in Standard is not moved any more."""
    job, now = dataclasses.replace(JOB, storage=policy), NOW + timedelta(days=day)
    let_go = gone(one, at=NOW, dropped=dropped)
    stays = usage(one, job=job, now=now)
    for row in (one, under_markers(one), emptied(one)):
        if dropped and row != emptied(one):
            continue
        goes = usage(row, job=job, now=now, let_gos=(let_go,))
        for before, after in (
            (stays.so_far, goes.so_far),
            (stays.rest, goes.rest),
            (stays.next_month, goes.next_month),
        ):
            assert PRICES is not None
            month, none = month_of(NOW), Decimal(0)
            bills = [month_bill(PRICES, span, month, none, none) for span in (before, after)]
            assert bills[1].storage <= bills[0].storage
            assert bills[1].transitions <= bills[0].transitions


@given(sets, policies)
def test_storage_and_fee_of_what_goes_are_never_more_than_keeping_it_for_its_minimum_stay(
    one: BackupSet, policy: StoragePolicy
) -> None:
    """The fee is the storage of the days that are missing, so going early saves nothing and loses nothing."""
    assert PRICES is not None
    job = dataclasses.replace(JOB, storage=policy)
    let_go = gone(one, at=NOW)
    assert one.changed_at is not None
    end = max(let_go.final_at, one.changed_at + timedelta(days=policy.archive_after_days + 180))
    goes = whole(job, emptied(one), let_go, OLD - timedelta(days=200), end + timedelta(days=1), NOW).span()
    stays = SpanSum(OLD - timedelta(days=200), end)
    forever = dataclasses.replace(let_go, marked_at=end - timedelta(days=30))
    for removed in removed_sets([emptied(one)], [forever], NOW).values():
        add_removed(job, removed, [stays], NOW)
    month = month_of(datetime(2026, 11, 1, tzinfo=timezone.utc))  # of 30 days, as fees are counted by
    none = Decimal(0)
    paid, kept = (month_bill(PRICES, span, month, none, none) for span in (goes, stays.span()))
    assert paid.storage + paid.fees <= kept.storage + Decimal("0.000001")


@given(
    st.lists(st.tuples(sets, st.sampled_from(["stays", "begun", "marked", "final", "dropped"])), max_size=5),
    st.integers(0, 40),
)
def test_stored_bytes_count_each_set_once(members: list[tuple[BackupSet, str]], day: int) -> None:
    unique = {one.set_id: (one, what) for one, what in members}
    now, let_gos, there, expected = NOW + timedelta(days=day), [], [], 0
    for one, what in unique.values():
        size = sum(tally.size_bytes for tally in one.current.values())
        if what != "stays":
            let_gos.append(gone(one, at=NOW, marked=what != "begun", dropped=what == "dropped"))
        shown = {"stays": one, "begun": one, "marked": under_markers(one)}.get(what, emptied(one))
        there.append(shown)
        billed = what in ("stays", "begun") or (what == "marked" and now < let_gos[-1].final_at)
        expected += size if billed else 0
    one = usage(*there, let_gos=tuple(let_gos), now=now)
    statement = state(one, now)
    assert one.stored_bytes == statement.stored_bytes == expected
    assert sum(line.monthly for line in statement.by_machine) == statement.monthly.quantize(Decimal("0.01"))


# ---------------------------------------------------------------- the rules of retention cost no fee


@pytest.mark.parametrize("policy", STORAGE_POLICIES, ids=lambda policy: policy.tag_value)
def test_what_the_rules_let_go_pays_no_fee_but_where_volumes_move_to_deep_archive_late(
    policy: StoragePolicy,
) -> None:
    """
    The newest set of a chain is 180 days old at least when it goes, and 210 when it is final. Moved to Deep Archive
    after 90 days, 120 of the 180 have passed then: 1000 x 0.00099 x 60 / 30 = 1.98.
    """
    assert PRICES is not None
    job, begun_at = dataclasses.replace(JOB, storage=policy), datetime(2026, 11, 2, tzinfo=timezone.utc)
    one = stored(begun_at - SUCCESSOR_AGE, **{policy.archive_class: Tally(100, 1000 * GB)})
    let_go = gone(one, at=begun_at)
    span = whole(job, emptied(one), let_go, begun_at, let_go.final_at + timedelta(days=1), NOW).span()
    fees = month_bill(PRICES, span, month_of(NOW), Decimal(0), Decimal(0)).fees
    assert cents(fees) == ("1.98" if policy == StoragePolicy("DEEP_ARCHIVE", 90) else "0.00")
