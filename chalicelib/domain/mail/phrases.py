"""Numbers, sizes, ages and sums as people write them, for both forms of the mail."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_UP, ROUND_UP, Decimal

_TIME_IN_UTC = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d)(?::\d\d)? UTC")

_FEW = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def format_age(age: timedelta) -> str:
    """In the unit that people would use: ``40 minutes``, ``5 hours``, ``9 days``."""
    minutes = max(0, int(age.total_seconds() // 60))
    for unit, size in (("day", 1440), ("hour", 60)):
        # A unit is used from twice its size on: "36 hours" is more exact than "1 day".
        if minutes >= 2 * size:
            return f"{minutes // size} {unit}s"
    return count(minutes, "minute")


def format_estimate(duration: timedelta) -> str:
    """How long something will take, rounded up: ``3 hours`` for two and three quarters."""
    minutes = max(1, -(-int(duration.total_seconds()) // 60))
    for unit, size in (("day", 1440), ("hour", 60)):
        if minutes >= 2 * size:
            return f"{-(-minutes // size)} {unit}s"
    return count(minutes, "minute")


def format_time_left(left: timedelta) -> str:
    """``about nine days left``; an estimate, so in whole units and small numbers in words."""
    for unit, size, at_least in (("day", timedelta(days=1), 2), ("hour", timedelta(hours=1), 1)):
        number = round(left / size)
        if number >= at_least:
            words = _FEW[number] if number < len(_FEW) else str(number)
            return f"about {words} {unit}{'' if number == 1 else 's'} left"
    return "less than an hour left"


def format_bytes(size: int) -> str:
    """In the binary units that AWS bills by: a GB is 2^30 bytes."""
    if size < 1000:
        return f"{size} bytes"
    value = float(size)
    for unit in ("KB", "MB", "GB"):
        value /= 1024
        if value < 1000:
            return f"{value:.3g} {unit}" if value < 999.5 else f"{value:.0f} {unit}"
    return f"{value / 1024:,.3g} TB" if value < 999 * 1024 else f"{value / 1024:,.0f} TB"


def format_change(size: int) -> str:
    """``+3.1 GB``, ``-200 MB``, ``unchanged``."""
    if not size:
        return "unchanged"
    return f"{'+' if size > 0 else '-'}{format_bytes(abs(size))}"


def format_money(amount: Decimal) -> str:
    """To the cent; something that would round to nothing is ``under $0.01``."""
    if 0 < amount < Decimal("0.005"):
        return "under $0.01"
    return f"${amount.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def format_small_money(amount: Decimal) -> str:
    """Four decimals below ten cents, where they are most of it; rounded up, as prices of thaws are."""
    if not 0 < amount < Decimal("0.1"):
        return format_money(amount)
    exact = amount.quantize(Decimal("0.0001"), ROUND_UP)
    return f"${exact:.2f}" if exact == exact.quantize(Decimal("0.01")) else f"${exact}"


def format_moment(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%a %d %b %Y, %H:%M")


def in_zone(text: str, zone: tzinfo) -> str:
    """A sentence from elsewhere with its times in the zone of the mail: ``at 2026-11-23 06:00 UTC``."""

    def local(match: re.Match[str]) -> str:
        moment = datetime.strptime(match[1], "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc)
        return format_moment(moment, zone)

    return _TIME_IN_UTC.sub(local, text)


def format_day(moment: datetime, zone: tzinfo) -> str:
    """``16 Nov``."""
    return f"{moment.astimezone(zone):%d %b}".lstrip("0")


def format_date(moment: datetime, zone: tzinfo) -> str:
    """``16 Nov 2026``."""
    return f"{moment.astimezone(zone):%d %b %Y}".lstrip("0")


def count(number: int, noun: str) -> str:
    """``1 set``, ``12,000 sets``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
