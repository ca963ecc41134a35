"""The bars in the section of costs: budget, trend, machines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from decimal import Decimal

from chalicelib.domain.costs.figures import Figures
from chalicelib.domain.costs.statement import WEEKS_OF_TREND, Statement
from chalicelib.domain.mail.cost_parts import Bar
from chalicelib.domain.mail.phrases import (
    count,
    format_bytes,
    format_day,
    format_money,
)

MACHINES_SHOWN = 8
A_FEW_MORE = 2
"""So many more are shown rather than summed up."""


def budget_bar(forecast: Decimal, budget: Decimal | None) -> Bar | None:
    if not budget:
        return None
    percent = int(forecast * 100 / budget)
    return Bar(
        "Of the budget", f"{percent:,} % of {format_money(budget)}", min(100, percent), forecast > budget
    )


def trend_bars(
    statement: Statement, earlier: Sequence[Figures], now: datetime, zone: tzinfo
) -> tuple[Bar, ...]:
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


def machine_bars(statement: Statement) -> tuple[Bar, ...]:
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


def more_machines(statement: Statement) -> str:
    rest = statement.by_machine[_shown_machines(statement) :]
    if not rest:
        return ""
    stored = format_bytes(sum(line.stored_bytes for line in rest))
    monthly = format_money(sum((line.monthly for line in rest), Decimal(0)))
    return f"{count(len(rest), 'other machine')}: {stored}, {monthly} (see the attached table)."
