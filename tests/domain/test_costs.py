"""The statement of costs: months worked by hand, parts that add up, and sentences that name their cause."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.freshness import Progress
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.storage import DEEP_ARCHIVE, KEPT_IN_STANDARD, StoragePolicy
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.figures import Figures, JobFigures, job_figures
from chalicelib.domain.costs.months import month_of
from chalicelib.domain.costs.service_costs import (
    ALARMS,
    MINUTE_CALLS,
    OTHER_SCHEDULED_CALLS,
    RECONCILE_CALLS,
    Activity,
    ServicePart,
    service_cost,
)
from chalicelib.domain.costs.statement import Statement, state_costs
from chalicelib.domain.costs.usage import JobUsage, job_usage
from chalicelib.domain.mail.cost_parts import CostSection
from chalicelib.domain.mail.cost_section import describe_costs
from chalicelib.wire import ThawTier
from ops.resources.template import TEMPLATE_PATH
from tests.mail_scenes import SCENES

PRICES = price_table("us-east-1")
assert PRICES is not None
NOW = datetime(2026, 11, 16, 0, 0, tzinfo=timezone.utc)  # half of November is over: 15 of 30 days
LONG_AGO = NOW - timedelta(days=100)
BERLIN = ZoneInfo("Europe/Berlin")


def job(name: str = "system", machine: str = "anna", **fields: object) -> Job:
    return Job(machine, name, Location("b", f"{machine}/{name}/"), **fields)  # type: ignore[arg-type]


def stored(at: datetime, noncurrent: dict[str, Tally] | None = None, **current: Tally) -> BackupSet:
    """A complete full set that came in one moment."""
    volumes = max((tally.count for tally in current.values()), default=0)
    numbers = frozenset(range(1, volumes + 1))
    return BackupSet(SetId(None, at), numbers, volumes, True, True, at, current, noncurrent or {}, at)


def state(*usages: JobUsage, now: datetime = NOW, **fields: object) -> Statement:
    assert PRICES is not None
    return state_costs(PRICES, usages, runs_a_month=30, mails_a_month=4, now=now, **fields)  # type: ignore[arg-type]


def section(statement: Statement, **fields: object) -> CostSection:
    given = {"earlier": (), "budget": None, "now": NOW, "zone": BERLIN, **fields}
    return describe_costs(statement, **given)  # type: ignore[arg-type]


def cents(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


# ---------------------------------------------------------------- a month, by hand


def test_what_has_been_there_all_along_costs_its_share_of_the_month() -> None:
    """1,000 GB in Glacier Instant Retrieval: 4.00 a month; half of it so far, all of it in November and December."""
    statement = state(job_usage(job(), [stored(LONG_AGO, GLACIER_IR=Tally(100, 1000 * GB))], NOW))
    bills = statement.so_far, statement.forecast, statement.next_month
    assert [cents(bill.storage) for bill in bills] == ["2.00", "4.00", "4.00"]
    assert cents(statement.monthly) == "4.00"


def test_new_volumes_are_in_standard_for_seven_days_and_then_move() -> None:
    """
    1,000 GB came on 13 November. Until the 16th: 3 of 30 days in Standard: 1000 x 0.023 x 3 / 30 = 2.30. Four days
    more, then 98 % move (2 % are taken to be signatures) for eleven days: Standard 1000 x 0.023 x 7/30 + 20 x 0.023 x
    11/30 = 5.3667 + 0.1687, Glacier 980 x 0.004 x 11/30 = 1.4373; together 6.9727. In December 20 x 0.023 + 980 x
    0.004 = 4.38.
    """
    came = datetime(2026, 11, 13, tzinfo=timezone.utc)
    statement = state(job_usage(job(), [stored(came, STANDARD=Tally(100, 1000 * GB))], NOW))
    bills = statement.so_far, statement.forecast, statement.next_month
    assert [cents(bill.storage) for bill in bills] == ["2.30", "6.97", "4.38"]
    assert cents(statement.forecast.transitions * 1000) == "2.00"  # 100 x 0.02 / 1,000
    assert statement.so_far.transitions == 0
    assert (statement.puts, statement.moves) == (100, 0)


def test_what_moved_this_month_is_billed_where_it_was() -> None:
    """Came on 3 November, moved on the 10th: 7 days of Standard, 6 of Glacier: 1000 x (0.023 x 7 + 0.004 x 6) / 30."""
    came = datetime(2026, 11, 3, tzinfo=timezone.utc)
    statement = state(job_usage(job(), [stored(came, GLACIER_IR=Tally(100, 1000 * GB))], NOW))
    assert cents(statement.so_far.storage) == "6.17"
    assert statement.moves == 100


def test_older_versions_are_billed_like_any_other() -> None:
    hidden = {"GLACIER_IR": Tally(100, 500 * GB)}
    with_them = stored(LONG_AGO, hidden, GLACIER_IR=Tally(100, 1000 * GB))
    statement = state(job_usage(job(), [with_them], NOW))
    assert cents(statement.forecast.storage) == "6.00"
    [line] = statement.by_class
    assert (line.current_bytes, line.noncurrent_bytes) == (1000 * GB, 500 * GB)


def test_archived_objects_show_their_overhead() -> None:
    statement = state(job_usage(job(), [stored(LONG_AGO, DEEP_ARCHIVE=Tally(2**20, 1000 * GB))], NOW))
    overheads = {line.storage_class: line.overhead_bytes for line in statement.by_class}
    assert overheads == {"DEEP_ARCHIVE": 32 * GB, "STANDARD": 8 * GB}
    assert "32 GB of overhead" in section(statement).classes[0].note


def test_growth_goes_on_as_it_went() -> None:
    """
    28 increments of 1 GB in 28 days, and so 1 GB a day from now on. In December the newest 7 GB are in Standard, 0.161;
    in Glacier are 29 GB of today and, of what comes, 8 GB at its start to 39 at its end: 52.5 x 0.004 = 0.210.
    """
    full = stored(LONG_AGO, GLACIER_IR=Tally(1, GB))
    days = [NOW - timedelta(days=number) for number in range(28)]
    increments = [
        dataclasses.replace(
            stored(day, **{"STANDARD" if NOW - day < timedelta(days=7) else "GLACIER_IR": Tally(3, GB)}),
            set_id=SetId(day - timedelta(days=1), day),
            sealed_at=day,
        )
        for day in days
    ]
    growing = state(job_usage(job(), [full, *increments], NOW))
    still = state(job_usage(job(), [full], NOW))
    assert growing.next_month.storage > still.next_month.storage
    assert growing.forecast.requests > growing.so_far.requests
    assert Decimal("0.36") < growing.next_month.storage < Decimal("0.39")


def test_a_first_backup_on_its_way_is_counted_to_its_end() -> None:
    begun = BackupSet(
        SetId(None, NOW - timedelta(days=4)),
        frozenset(range(1, 101)),
        current={"STANDARD": Tally(100, 400 * GB)},
        changed_at=NOW,
    )
    progress = Progress(NOW - timedelta(days=4), 400 * GB, 40, timedelta(days=6))
    with_it = state(job_usage(job(), [begun], NOW, first_backup=progress))
    without = state(job_usage(job(), [begun], NOW))
    assert with_it.forecast.total > without.forecast.total
    # 1,000 GB in all, 0.98 of the first 400 and 600 more in Glacier, for the whole of December but a few days
    assert Decimal("3.90") < with_it.next_month.storage < Decimal("4.60")


@pytest.mark.parametrize(
    ("now", "hours"),
    [(datetime(2026, 2, 10), 672), (datetime(2028, 2, 29), 696), (datetime(2026, 12, 31), 744)],
)
def test_months_have_their_own_length(now: datetime, hours: int) -> None:
    month = month_of(now.replace(tzinfo=timezone.utc))
    assert month.hours == hours
    assert month.start <= now.replace(tzinfo=timezone.utc) < month.end == month.following().start


# ---------------------------------------------------------------- parts and wholes


@pytest.mark.parametrize("name", SCENES)
def test_the_parts_of_every_bill_add_up_to_the_cent(name: str) -> None:
    from chalicelib.journeys.send_weekly_report import gather

    statement = gather(SCENES[name]().context()).statement
    assert statement is not None
    whole = statement.monthly.quantize(Decimal("0.01"))
    if statement.by_machine:
        assert sum(line.monthly for line in statement.by_machine) == whole
    by_class = sum((line.monthly for line in statement.by_class), Decimal(0))
    assert by_class == (statement.monthly - statement.tags_monthly).quantize(Decimal("0.01"))
    assert statement.stored_bytes == sum(line.stored_bytes for line in statement.by_machine)
    for bill in (statement.so_far, statement.forecast, statement.next_month):
        parts = (bill.storage, bill.tags, bill.requests, bill.transitions, bill.service, bill.thaws)
        assert bill.total == sum(parts)
        assert min(parts) >= 0
    assert statement.so_far.total <= statement.forecast.total


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["STANDARD", "GLACIER_IR", "DEEP_ARCHIVE"]),
            st.integers(1, 10**5),
            st.integers(1, 10**13),
            st.integers(0, 200),
        ),
        max_size=8,
    ),
    st.integers(0, 45),
)
def test_more_stored_never_costs_less(sets: list[tuple[str, int, int, int]], day: int) -> None:
    now = NOW + timedelta(days=day)
    every = [
        stored(NOW - timedelta(days=age), **{name: Tally(count, size)}) for name, count, size, age in sets
    ]
    for number in range(len(every)):
        fewer = state(job_usage(job(), every[:number], now), now=now)
        more = state(job_usage(job(), every[: number + 1], now), now=now)
        assert more.monthly >= fewer.monthly
        assert more.so_far.storage >= fewer.so_far.storage


# ---------------------------------------------------------------- bringing it back


def test_what_can_be_read_at_once_has_one_line() -> None:
    """412 GB in Instant Retrieval: 412 x 0.03 = 12.36, 16,876 x 0.00001 = 0.17, (412 - 100) x 0.09 = 28.08."""
    [restore] = state(job_usage(job(), [stored(LONG_AGO, GLACIER_IR=Tally(16_876, 412 * GB))], NOW)).restores
    assert (restore.tier, restore.wait) == (None, timedelta())
    assert restore.cost is not None
    assert cents(restore.cost) == "40.61"
    assert restore.fetch == timedelta(seconds=412 * GB // 12_500_000)


def test_archived_volumes_have_a_line_for_each_tier() -> None:
    mixed = [stored(LONG_AGO, GLACIER=Tally(100, 50 * GB)), stored(NOW, DEEP_ARCHIVE=Tally(10, 20 * GB))]
    restores = state(job_usage(job(), mixed, NOW)).restores
    assert [one.tier for one in restores] == [ThawTier.EXPEDITED, ThawTier.STANDARD, ThawTier.BULK]
    costs = [one.cost for one in restores if one.cost is not None]
    assert costs == sorted(costs, reverse=True)
    # Deep Archive knows no Expedited: its volumes take up to twelve hours all the same
    assert [one.wait for one in restores] == [timedelta(hours=12), timedelta(hours=12), timedelta(hours=48)]


def test_deep_archive_alone_has_no_expedited() -> None:
    restores = state(job_usage(job(), [stored(LONG_AGO, DEEP_ARCHIVE=Tally(10, GB))], NOW)).restores
    assert [one.tier for one in restores] == [ThawTier.STANDARD, ThawTier.BULK]


def test_a_price_that_is_not_known_is_said_to_be_so() -> None:
    assert PRICES is not None
    known = {name: steps for name, steps in PRICES.steps.items() if name != "thaw-request/DEEP_ARCHIVE/Bulk"}
    usage = job_usage(job(), [stored(LONG_AGO, DEEP_ARCHIVE=Tally(10, GB))], NOW)
    statement = state_costs(
        dataclasses.replace(PRICES, steps=known), [usage], runs_a_month=30, mails_a_month=4, now=NOW
    )
    assert "price not known" in [one.value for one in section(statement).restores]


# ---------------------------------------------------------------- why, and what to do


def before(monthly: str, jobs: dict[str, JobFigures]) -> tuple[Figures, dict[str, JobFigures]]:
    kept = Figures(NOW - timedelta(days=7), 1, 0, 0, Decimal(monthly), Decimal(0), Decimal(0))
    return kept, jobs


def usage_of(name: str, size_gb: int, *sets: BackupSet) -> JobUsage:
    old = stored(LONG_AGO, GLACIER_IR=Tally(100, size_gb * GB))
    return job_usage(job(name), [old, *sets], NOW, since=NOW - timedelta(days=7))


def test_a_rise_names_job_and_cause() -> None:
    quiet = usage_of("system", 100)
    assert PRICES is not None
    known = job_figures(PRICES, [quiet, usage_of("photos", 100)])
    full = stored(NOW - timedelta(days=1), STANDARD=Tally(50, 120 * GB))
    statement = state(quiet, usage_of("photos", 100, full), before=before("0.80", known))
    assert section(statement).rise == (
        "Keeping everything costs 345 % more than on 9 Nov ($0.80 a month then), mostly because of anna/photos:"
        " a new full backup (120.00 GB, at $0.023 a GB until it moves)."
    )


def test_a_new_job_is_a_cause_of_its_own() -> None:
    assert PRICES is not None
    known = job_figures(PRICES, [usage_of("system", 100)])
    statement = state(usage_of("system", 100), usage_of("mail", 300), before=before("0.40", known))
    assert section(statement).rise.endswith("because of anna/mail: it is new.")


def test_a_rise_of_a_fifth_or_less_is_no_news() -> None:
    assert PRICES is not None
    known = job_figures(PRICES, [usage_of("system", 100)])
    assert state(usage_of("system", 119), before=before("0.40", known)).rise is None
    assert state(usage_of("system", 122), before=before("0.40", known)).rise is not None


def test_a_rise_that_no_cent_shows_is_none() -> None:
    small = usage_of("system", 1)
    assert state(small, before=before("0.001", {})).rise is None


def test_volumes_that_did_not_move_are_advised_about_with_the_sum() -> None:
    """1,000 GB, 98 % of it volumes: 980 x (0.023 - 0.004) = 18.62 a month, for 100 x 0.02 / 1,000 once."""
    left = stored(LONG_AGO, STANDARD=Tally(100, 1000 * GB))
    statement = state(job_usage(job(), [left], NOW))
    [advice] = section(statement).advice
    assert "should have moved" in advice
    assert advice.endswith("That would save $18.62 a month, for under $0.01 once.")


def test_older_versions_are_advised_about_where_a_year_saves_a_dollar() -> None:
    def advised(size_gb: int) -> int:
        hidden = {"GLACIER_IR": Tally(10, size_gb * GB)}
        return len(state(job_usage(job(), [stored(LONG_AGO, hidden, GLACIER_IR=Tally(1, GB))], NOW)).advice)

    assert (advised(20), advised(21)) == (0, 1)  # 21 x 0.004 x 12 = 1.008


def test_older_versions_are_to_go_by_no_rule_that_takes_all_of_them() -> None:
    hidden = {"GLACIER_IR": Tally(10, 500 * GB)}
    [advice] = section(state(job_usage(job(), [stored(LONG_AGO, hidden)], NOW))).advice
    assert "rule" not in advice
    assert "python -m ops retention drop" in advice


def test_moving_a_few_small_volumes_is_not_advised_where_it_costs_more_than_it_saves() -> None:
    """A million volumes of 1 KB: 0.95 GB, saving 0.02 a month, for 20.00 once."""
    left = stored(LONG_AGO, STANDARD=Tally(10**6, 2**30))
    assert state(job_usage(job(), [left], NOW)).advice == ()


@pytest.mark.parametrize(("budget", "over"), [("5", False), ("4.00", True), (None, False)])
def test_the_budget_is_compared_with_the_months_end(budget: str | None, over: bool) -> None:
    statement = state(job_usage(job(), [stored(LONG_AGO, GLACIER_IR=Tally(100, 1000 * GB))], NOW))
    shown = section(statement, budget=Decimal(budget) if budget else None)
    assert shown.over_budget is over
    assert ("No backup is stopped" in shown.budget_sentence) is over


def test_old_prices_are_said_to_be_old() -> None:
    statement = state(job_usage(job(), [], NOW))
    fresh = section(statement, now=datetime(2026, 11, 1, tzinfo=timezone.utc)).prices
    assert "as of 28 Sep 2026, 34 days old" in fresh
    assert "prices refresh" not in fresh
    assert "prices refresh" in section(statement, now=datetime(2027, 6, 1, tzinfo=timezone.utc)).prices


def test_after_a_change_of_policy_what_was_stored_before_is_not_expected_to_move() -> None:
    changed = dataclasses.replace(
        job(storage=StoragePolicy(DEEP_ARCHIVE, 7)), storage_since=NOW - timedelta(days=3)
    )
    left = stored(LONG_AGO, STANDARD=Tally(100, 1000 * GB))
    moved_before = stored(LONG_AGO, GLACIER_IR=Tally(100, 1000 * GB), STANDARD=Tally(3, 20 * GB))
    assert job_usage(changed, [left, moved_before], NOW).unmoved == Tally()
    assert job_usage(dataclasses.replace(changed, storage_since=None), [left], NOW).unmoved.count == 100
    assert job_usage(job(), [moved_before], NOW).unmoved == Tally()


def test_a_job_that_stays_in_standard_is_priced_there_and_moves_nothing() -> None:
    kept = job(storage=KEPT_IN_STANDARD)
    recent = stored(NOW - timedelta(days=1), STANDARD=Tally(50, 100 * GB))
    usage = job_usage(kept, [stored(LONG_AGO, STANDARD=Tally(100, 1000 * GB)), recent], NOW)
    statement = state(usage)
    assert (usage.unmoved, usage.rest.moved, usage.next_month.moved) == (Tally(), {}, {})
    assert statement.monthly > Decimal(25)
    assert statement.advice == ()


def test_a_job_that_archives_deep_is_priced_there() -> None:
    deep = job(storage=StoragePolicy(DEEP_ARCHIVE, 7))
    came = datetime(2026, 11, 8, tzinfo=timezone.utc)
    usage = job_usage(deep, [stored(came, STANDARD=Tally(100, 1000 * GB))], NOW)
    assert state(usage).next_month.storage < Decimal("1.6")


# ---------------------------------------------------------------- the service itself


def household() -> Activity:
    return Activity(jobs=2, sets=730, runs=60, objects=2_000, mails=4)


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"])
def test_a_household_pays_half_a_dollar_with_nothing_free_and_cents_else(region: str) -> None:
    table = price_table(region)
    assert table is not None
    parts = service_cost(table, household())
    assert sum(part.in_full for part in parts) < Decimal("0.52")
    assert sum(part.after_allowance for part in parts) < Decimal("0.10")
    assert all(0 <= part.after_allowance <= part.in_full for part in parts)


def test_a_metric_of_each_job_costs_thirty_cents_beyond_the_ten_that_are_free() -> None:
    def cost(jobs: int) -> ServicePart:
        activity = dataclasses.replace(household(), job_metrics=jobs)
        [part] = [part for part in service_cost(PRICES, activity) if part.name == "alarms and logs"]
        return part

    assert round(cost(40).in_full - cost(0).in_full, 1) == Decimal("12.0")
    assert round(cost(40).after_allowance - cost(0).after_allowance, 1) == Decimal("9.0")


def test_the_queues_polling_is_a_quarter_of_a_dollar() -> None:
    assert PRICES is not None
    [queue] = [part for part in service_cost(PRICES, household()) if part.name == "queue"]
    assert cents(queue.in_full) == "0.26"
    assert queue.after_allowance == 0


def test_the_alarms_counted_are_those_of_the_template() -> None:
    assert TEMPLATE_PATH.read_text(encoding="utf-8").count("Type: AWS::CloudWatch::Alarm") == ALARMS


def test_the_schedules_counted_are_those_of_the_app() -> None:
    import app

    a_month = {
        "cron(0 * * * ? *)": 720,
        "cron(30 * * * ? *)": RECONCILE_CALLS,
        "rate(1 minute)": MINUTE_CALLS,
        "cron(15 4 * * ? *)": 30,
        "cron(45 5 * * ? *)": 30,
    }
    schedules = [
        handler.schedule_expression
        for handler in app.app.pure_lambda_functions + app.app.event_sources
        if hasattr(handler, "schedule_expression")
    ]
    expressions = [getattr(one, "to_string", lambda one=one: one)() for one in schedules]
    assert sorted(expressions) == sorted(a_month)
    assert sum(a_month.values()) == MINUTE_CALLS + OTHER_SCHEDULED_CALLS + RECONCILE_CALLS


def test_thaws_of_this_month_are_part_of_it_and_not_of_the_next() -> None:
    usage = job_usage(
        job(), [stored(LONG_AGO, STANDARD=Tally(4, 4 * GB))], NOW, since=None, first_backup=None
    )
    plain, thawed = state(usage), state(usage, thaws=Decimal("3.5729"))
    assert thawed.so_far.total - plain.so_far.total == Decimal("3.5729")
    assert thawed.forecast.total - plain.forecast.total == Decimal("3.5729")
    assert thawed.next_month == plain.next_month
    section = describe_costs(thawed, [], budget=None, now=NOW, zone=BERLIN)
    [line] = [amount for amount in section.months if "thaws" in amount.label]
    assert line.value == "$3.57"
    assert "thaws $3.57" in section.months[0].note
    small = describe_costs(state(usage, thaws=Decimal("0.0009")), [], budget=None, now=NOW, zone=BERLIN)
    [line] = [amount for amount in small.months if "thaws" in amount.label]
    assert line.value == "$0.0009"
    without = describe_costs(plain, [], budget=None, now=NOW, zone=BERLIN)
    assert not [amount for amount in without.months if "thaw" in amount.label + amount.note]
