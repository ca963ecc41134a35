"""The part of the weekly mail that is about money, as texts ready to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from decimal import Decimal

from chalicelib.domain.costs.changes import Advice, Removal, Rise
from chalicelib.domain.costs.figures import Figures
from chalicelib.domain.costs.price_table import OLD_AFTER_DAYS, PriceTable
from chalicelib.domain.costs.statement import Bill, Statement
from chalicelib.domain.mail.cost_amounts import class_amounts, restore_amount, tag_amounts
from chalicelib.domain.mail.cost_bars import budget_bar, machine_bars, more_machines, trend_bars
from chalicelib.domain.mail.cost_parts import SHOWN_FROM, Amount, CostSection
from chalicelib.domain.mail.phrases import (
    count,
    format_bytes,
    format_day,
    format_money,
    format_small_money,
)


def describe_costs(
    statement: Statement,
    earlier: Sequence[Figures],
    *,
    budget: Decimal | None,
    now: datetime,
    zone: tzinfo,
) -> CostSection:
    """``earlier`` are the figures that were kept of earlier reports, the oldest first."""
    forecast = statement.forecast.total
    over = budget is not None and forecast > budget
    return CostSection(
        this_month=format_money(forecast),
        over_budget=over,
        months=(
            Amount("This month so far", format_money(statement.so_far.total), _parts(statement.so_far)),
            *_thaws(statement.so_far),
            Amount("By the month's end", format_money(forecast), _parts(statement.forecast)),
            *_fees(statement.forecast),
            Amount("Next month", format_money(statement.next_month.total), _parts(statement.next_month)),
        ),
        budget=budget_bar(forecast, budget),
        budget_sentence=_budget_sentence(forecast, budget),
        rise=_rise(statement.rise, zone),
        removal=_removal(statement.removal, zone),
        trend=trend_bars(statement, earlier, now, zone),
        classes=class_amounts(statement) + tag_amounts(statement),
        keeping=f"Keeping what is stored now, where it is now, costs {format_money(statement.monthly)} a month.",
        machines=machine_bars(statement),
        more_machines=more_machines(statement),
        requests=_requests(statement),
        restores=tuple(restore_amount(restore) for restore in statement.restores),
        advice=tuple(_advice(advice) for advice in statement.advice),
        service=_service(statement),
        prices=_prices(statement.prices, now),
    )


def _thaws(bill: Bill) -> tuple[Amount, ...]:
    if not bill.thaws:
        return ()
    return (
        Amount("Of that for thaws", format_small_money(bill.thaws), "as they were priced, download included"),
    )


def _fees(bill: Bill) -> tuple[Amount, ...]:
    if not bill.fees:
        return ()
    note = "for what is removed before the minimum stay of its storage class is over"
    return (Amount("Of that, fees for early deletion", format_small_money(bill.fees), note),)


def _parts(bill: Bill) -> str:
    named = {
        "storage": bill.storage + bill.tags,
        "requests": bill.requests,
        "moves": bill.transitions,
        "thaws": bill.thaws,
        "early deletion": bill.fees,
        "the service": bill.service,
    }
    return ", ".join(
        f"{name} {format_money(amount)}" for name, amount in named.items() if amount >= SHOWN_FROM
    )


def _budget_sentence(forecast: Decimal, budget: Decimal | None) -> str:
    if budget is None:
        return ""
    if forecast <= budget:
        return f"Within the budget of {format_money(budget)} a month."
    return (
        f"This month will cost {format_money(forecast - budget)} more than its budget of {format_money(budget)}. "
        "No backup is stopped for that."
    )


def _rise(rise: Rise | None, zone: tzinfo) -> str:
    if rise is None:
        return ""
    return (
        f"Keeping everything costs {rise.percent:,} % more than on {format_day(rise.since, zone)}"
        f" ({format_money(rise.before)} a month then), mostly because of {rise.machine}/{rise.job}: {rise.cause}."
    )


def _removal(removal: Removal | None, zone: tzinfo) -> str:
    if removal is None:
        return ""
    keeping = format_money(removal.monthly)
    saved = f" Keeping it would cost {keeping} a month." if removal.monthly >= SHOWN_FROM else ""
    size = format_bytes(removal.size_bytes)
    since = format_day(removal.since, zone)
    return f"Since {since}, {size} of old backups that were let go has been removed for good.{saved}"


def _requests(statement: Statement) -> str:
    bill = statement.so_far
    if not statement.puts and not statement.moves:
        return ""
    sentence = f"This month so far: {count(statement.puts, 'upload')}{_in_brackets(bill.requests)}"
    if statement.moves:
        moved = count(statement.moves, "volume")
        sentence += f", {moved} moved to a cheaper class{_in_brackets(bill.transitions)}"
    return f"{sentence}."


def _in_brackets(amount: Decimal) -> str:
    return f" ({format_money(amount)})" if amount >= SHOWN_FROM else ""


def _advice(advice: Advice) -> str:
    once = f", for {format_money(advice.once)} once" if advice.once else ""
    saves = f"That would save {format_money(advice.monthly)} a month{once}."
    return f"{advice.machine}/{advice.job}: {advice.what} {saves}"


def _service(statement: Statement) -> str:
    full = sum((part.in_full for part in statement.service), Decimal(0))
    reduced = sum((part.after_allowance for part in statement.service), Decimal(0))
    largest = sorted(statement.service, key=lambda part: -part.in_full)[:3]
    named = ", ".join(
        f"{part.name} {format_money(part.in_full)}" for part in largest if part.in_full >= SHOWN_FROM
    )
    return (
        f"The service itself: {format_money(reduced)} a month with AWS's always-free allowances (counted above), "
        f"{format_money(full)} without them ({named})."
    )


def _prices(table: PriceTable, now: datetime) -> str:
    age = table.age_days(now.date())
    sentence = (
        f"Prices of {table.region} as of {table.as_of:%d %b %Y}, {count(age, 'day')} old; USD before tax."
    )
    if age > OLD_AFTER_DAYS:
        sentence += " They may have changed: `python -m ops prices refresh`."
    return sentence
