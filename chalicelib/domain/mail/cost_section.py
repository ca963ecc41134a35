"""The part of the weekly mail that is about money, as texts ready to be shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, tzinfo
from decimal import Decimal

from chalicelib.domain.backups.storage import (
    DEEP_ARCHIVE,
    GLACIER_FLEXIBLE_RETRIEVAL,
    GLACIER_INSTANT_RETRIEVAL,
    STANDARD,
)
from chalicelib.domain.costs.price_table import OLD_AFTER_DAYS, PriceTable
from chalicelib.domain.costs.pricing import STANDARD_IA, ThawTier
from chalicelib.domain.costs.statement import (
    WEEKS_OF_TREND,
    Advice,
    Bill,
    Figures,
    RestoreCost,
    Rise,
    Statement,
)
from chalicelib.domain.mail.phrases import (
    count,
    format_bytes,
    format_day,
    format_estimate,
    format_money,
)

MACHINES_SHOWN = 8
A_FEW_MORE = 2
"""So many more are shown rather than summed up."""

SHOWN_FROM = Decimal("0.005")
"""What rounds to no cent is not worth a line."""

CLASS_NAMES = {
    STANDARD: "Standard",
    STANDARD_IA: "Standard-IA",
    GLACIER_INSTANT_RETRIEVAL: "Glacier Instant Retrieval",
    GLACIER_FLEXIBLE_RETRIEVAL: "Glacier Flexible Retrieval",
    DEEP_ARCHIVE: "Glacier Deep Archive",
}


@dataclasses.dataclass(frozen=True)
class Bar:
    """A line of a small chart: ``percent`` is its length, 0 to 100, and ``value`` is the same in numbers."""

    label: str
    value: str
    percent: int
    too_much: bool = False


@dataclasses.dataclass(frozen=True)
class Amount:
    label: str
    value: str
    note: str


@dataclasses.dataclass(frozen=True)
class CostSection:
    """Empty texts and tuples are left out of the mail. ``this_month`` is the forecast for its end."""

    this_month: str
    over_budget: bool
    months: tuple[Amount, ...]
    budget: Bar | None
    budget_sentence: str
    rise: str
    trend: tuple[Bar, ...]
    classes: tuple[Amount, ...]
    keeping: str
    machines: tuple[Bar, ...]
    more_machines: str
    requests: str
    restores: tuple[Amount, ...]
    advice: tuple[str, ...]
    service: str
    prices: str


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
            Amount("By the month's end", format_money(forecast), _parts(statement.forecast)),
            Amount("Next month", format_money(statement.next_month.total), _parts(statement.next_month)),
        ),
        budget=_budget_bar(forecast, budget),
        budget_sentence=_budget_sentence(forecast, budget),
        rise=_rise(statement.rise, zone),
        trend=_trend(statement, earlier, now, zone),
        classes=_classes(statement) + _tags(statement),
        keeping=f"Keeping what is stored now, where it is now, costs {format_money(statement.monthly)} a month.",
        machines=_machines(statement),
        more_machines=_more_machines(statement),
        requests=_requests(statement),
        restores=tuple(_restore(restore) for restore in statement.restores),
        advice=tuple(_advice(advice) for advice in statement.advice),
        service=_service(statement),
        prices=_prices(statement.prices, now),
    )


def _parts(bill: Bill) -> str:
    named = {
        "storage": bill.storage + bill.tags,
        "requests": bill.requests,
        "moves": bill.transitions,
        "the service": bill.service,
    }
    return ", ".join(
        f"{name} {format_money(amount)}" for name, amount in named.items() if amount >= SHOWN_FROM
    )


def _budget_bar(forecast: Decimal, budget: Decimal | None) -> Bar | None:
    if not budget:
        return None
    percent = int(forecast * 100 / budget)
    return Bar(
        "Of the budget", f"{percent:,} % of {format_money(budget)}", min(100, percent), forecast > budget
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


def _trend(statement: Statement, earlier: Sequence[Figures], now: datetime, zone: tzinfo) -> tuple[Bar, ...]:
    """What keeping things cost a month, week by week; one week alone is no trend."""
    weeks = [
        (week.written_at, week.monthly, week.stored_bytes) for week in earlier if week.monthly is not None
    ][-(WEEKS_OF_TREND - 1) :]
    if not weeks:
        return ()
    weeks.append((now, statement.monthly, statement.stored_bytes))
    most = max(monthly for _, monthly, _ in weeks)
    return tuple(
        Bar(
            format_day(at, zone),
            f"{format_money(monthly)}, {format_bytes(stored)}",
            int(monthly * 100 / most) if most else 0,
        )
        for at, monthly, stored in weeks
    )


def _classes(statement: Statement) -> tuple[Amount, ...]:
    return tuple(
        Amount(
            CLASS_NAMES.get(line.storage_class, line.storage_class),
            format_money(line.monthly),
            _class_note(line.current_bytes, line.noncurrent_bytes, line.overhead_bytes),
        )
        for line in statement.by_class
    )


def _class_note(current_bytes: int, noncurrent_bytes: int, overhead_bytes: int) -> str:
    parts = [format_bytes(current_bytes)]
    if noncurrent_bytes:
        parts.append(f"{format_bytes(noncurrent_bytes)} of older versions")
    if overhead_bytes:
        parts.append(f"{format_bytes(overhead_bytes)} of overhead")
    return " + ".join(parts)


def _tags(statement: Statement) -> tuple[Amount, ...]:
    if statement.tags_monthly < SHOWN_FROM:
        return ()
    return (Amount("Tags", format_money(statement.tags_monthly), count(statement.tags, "volume")),)


def _machines(statement: Statement) -> tuple[Bar, ...]:
    lines = statement.by_machine
    if len(lines) < 2:
        return ()
    most = max((line.stored_bytes for line in lines), default=0)
    return tuple(
        Bar(
            line.machine,
            f"{format_bytes(line.stored_bytes)}, {format_money(line.monthly)}",
            line.stored_bytes * 100 // most if most else 0,
        )
        for line in lines[: _shown_machines(statement)]
    )


def _shown_machines(statement: Statement) -> int:
    number = len(statement.by_machine)
    return number if number <= MACHINES_SHOWN + A_FEW_MORE else MACHINES_SHOWN


def _more_machines(statement: Statement) -> str:
    rest = statement.by_machine[_shown_machines(statement) :]
    if not rest:
        return ""
    stored = format_bytes(sum(line.stored_bytes for line in rest))
    monthly = format_money(sum((line.monthly for line in rest), Decimal(0)))
    return f"{count(len(rest), 'other machine')}: {stored}, {monthly} (see the attached table)."


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


_TIER_NAMES = {
    None: "Everything, at once",
    ThawTier.EXPEDITED: "Everything, Expedited",
    ThawTier.STANDARD: "Everything, Standard",
    ThawTier.BULK: "Everything, Bulk",
}


def _restore(restore: RestoreCost) -> Amount:
    fetching = f"about {format_estimate(restore.fetch)} at 100 Mbit/s"
    waiting = f"up to {format_estimate(restore.wait)} until it can be read, then " if restore.wait else ""
    cost = format_money(restore.cost) if restore.cost is not None else "price not known"
    transfer = ""
    if restore.cost is not None and SHOWN_FROM <= restore.transfer < restore.cost - SHOWN_FROM:
        transfer = f"; {format_money(restore.transfer)} of it for leaving AWS"
    return Amount(_TIER_NAMES[restore.tier], cost, f"{waiting}{fetching}{transfer}")


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
