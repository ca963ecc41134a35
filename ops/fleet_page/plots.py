"""Curves over the weeks as paths of SVG, in whole units of the boxes that the template draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal

from chalicelib.domain.mail.phrases import format_bytes, format_date, format_money
from chalicelib.fleet_wire import FleetWeeks, WeekRow
from chalicelib.owner_wire import moment_of
from ops.fleet_page.content import Trend, Week, WeekPlot

LEFT, RIGHT, TOP, BOTTOM = 56, 330, 12, 122
"""The box of a plot; the labels stand outside of it."""

SMALL_WIDTH, SMALL_HEIGHT = 60, 14
"""The box of a small curve."""

_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)


def plots_of(weeks: FleetWeeks, zone: tzinfo) -> tuple[WeekPlot, ...]:
    """One week alone is no curve."""
    rows = weeks.weeks
    if len(rows) < 2:
        return ()
    priced = [row for row in rows if row.monthly is not None]
    plots = [
        _plot("Backups that needed you", rows, [row.in_need for row in rows], _whole, zone, least=2),
        _plot("Stored", rows, [row.stored_bytes for row in rows], size_words, zone, unit=1024, least=1024),
    ]
    if len(priced) >= 2:
        costs = [row.monthly or 0.0 for row in priced]
        plots.append(_plot("Cost a month", priced, costs, usd_words, zone, least=0.01))
    return tuple(plots)


def table_of(weeks: FleetWeeks, zone: tzinfo) -> tuple[Week, ...]:
    """The newest first."""
    return tuple(
        Week(
            format_date(moment_of(row.written_at), zone),
            f"{row.in_need:,} of {row.backups:,}",
            format_bytes(row.stored_bytes),
            usd_words(row.monthly) if row.monthly is not None else "not known",
        )
        for row in reversed(weeks.weeks)
    )


def trend(now: str, values: Sequence[float | None], write: Callable[[float], str]) -> Trend:
    """``values`` are a number a week, the oldest first, None before there was one."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Trend(now)
    change = known[-1] - known[0]
    sign = "+" if change > 0 else "-"
    written = write(abs(change))
    same = written in (write(0), "under $0.01")
    return Trend(now, "" if same else f"{sign}{written}", "" if same else small_line(values))


def small_line(values: Sequence[float | None]) -> str:
    """From nothing at the bottom to the most at the top, so that a small change looks small."""
    most = max((value for value in values if value is not None), default=0) or 1
    step = SMALL_WIDTH / max(1, len(values) - 1)
    points = [
        (round(index * step), round(SMALL_HEIGHT - 1 - value * (SMALL_HEIGHT - 2) / most))
        for index, value in enumerate(values)
        if value is not None
    ]
    return path(points)


def path(points: Sequence[tuple[int, int]]) -> str:
    """Through these points, in as few characters as it takes: of a level stretch only the ends."""
    ends = [
        point
        for index, point in enumerate(points)
        if index in (0, len(points) - 1) or not points[index - 1][1] == point[1] == points[index + 1][1]
    ]
    (x, y), *others = ends
    written = f"m{x} {y}"
    for next_x, next_y in others:
        right, down = next_x - x, next_y - y
        written += f"h{right}" if not down else f"l{right}{'' if down < 0 else ' '}{down}"
        x, y = next_x, next_y
    return written


def _plot(
    title: str,
    rows: Sequence[WeekRow],
    values: Sequence[float],
    write: Callable[[float], str],
    zone: tzinfo,
    *,
    unit: int = 1,
    least: float,
) -> WeekPlot:
    top = nice_top(max(least, *values), unit)
    first, last = moment_of(rows[0].written_at), moment_of(rows[-1].written_at)
    seconds = (last - first).total_seconds() or 1
    points = [
        (
            LEFT + round((moment_of(row.written_at) - first).total_seconds() * (RIGHT - LEFT) / seconds),
            BOTTOM - round(value * (BOTTOM - TOP) / top),
        )
        for row, value in zip(rows, values, strict=True)
    ]
    line = path(points)
    return WeekPlot(
        title,
        write(values[-1]),
        f"{title}: from {_at(first, values[0], write, zone)} to {_at(last, values[-1], write, zone)};"
        f" at most {write(max(values))}, at least {write(min(values))}.",
        line,
        f"{line}V{BOTTOM}H{LEFT}z",
        write(top),
        write(top / 2),
        format_date(first, zone),
        format_date(last, zone),
    )


def _at(at: datetime, value: float, write: Callable[[float], str], zone: tzinfo) -> str:
    return f"{write(value)} on {format_date(at, zone)}"


def nice_top(most: float, unit: int) -> float:
    """A round number that is at least ``most``, which is above 0; in powers of ``unit`` where that is above 1."""
    scale = unit ** int(math.log(most, unit)) if unit > 1 and most >= 1 else 1
    size = most / scale
    tens = 10 ** math.floor(math.log10(size))
    return float(next(step * tens for step in _STEPS if step * tens >= size * 0.999999) * scale)


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def size_words(value: float) -> str:
    return format_bytes(int(value))


def usd_words(value: float) -> str:
    return format_money(Decimal(str(value)))
