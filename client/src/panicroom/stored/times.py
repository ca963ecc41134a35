"""The forms of a time that ``--time`` takes, and how times are shown. Pure: ``now`` is passed in."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone, tzinfo

from panicroom.exit_codes import ExitCode, Problem

FORMS = "2026-11-22, 2026-11-22T20:50, 20261122T205000Z, or 3D (three days ago)"

_SET_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_DAY_AND_CLOCK = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)[T ](\d\d?):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?",
    re.ASCII | re.IGNORECASE,
)
_DAYS = (
    re.compile(r"(?P<year>\d{4})[-/](?P<month>\d\d?)[-/](?P<day>\d\d?)", re.ASCII),
    re.compile(r"(?P<month>\d\d?)[-/](?P<day>\d\d?)[-/](?P<year>\d{4})", re.ASCII),
    re.compile(r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)", re.ASCII),
)
_SECONDS_SINCE_1970 = re.compile(r"\d{9,11}", re.ASCII)
"""Fewer digits are a year, or a day without its blanks or dashes, and not a time in 1970."""
_AGO = re.compile(r"(?:\d{1,6}(?:min|[smhdDwWMyY]))+", re.ASCII)
_AGO_PART = re.compile(r"(\d+)(min|[smhdDwWMyY])", re.ASCII)
_AGO_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "M": timedelta(days=30),
    "y": timedelta(days=365),
}
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(2100, 1, 1, tzinfo=timezone.utc)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def parse_time(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """The moment that ``text`` means, in UTC with whole seconds.

    Takes duplicity's forms: ``now``, ISO 8601 with or without an offset, the form in the names of sets, a day
    (its first moment), seconds since 1970, and an age such as ``3D`` or ``1W2D``. Without an offset a time is one
    of ``zone``, else of this computer. ``6m`` alone is refused: duplicity takes it for six minutes, most people
    mean months. Raises ``Problem`` (USAGE) for anything else, also for a day that the calendar does not have.
    """
    text = text.strip()
    try:
        found = _parsed(text, now, zone)
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None:
        raise Problem(f"{text!r} is no time; write {FORMS}", ExitCode.USAGE)
    found = found.astimezone(timezone.utc).replace(microsecond=0)
    if not _EARLIEST <= found < _LATEST:
        raise Problem(f"{text!r} is not between 1970 and 2100; write {FORMS}", ExitCode.USAGE)
    return found


def _parsed(text: str, now: datetime, zone: tzinfo | None) -> datetime | None:
    if text == "now":
        return now
    if match := _SET_TIME.fullmatch(text):
        return _moment([int(number) for number in match.groups()], timezone.utc)
    if match := _DAY_AND_CLOCK.fullmatch(text):
        *numbers, offset = match.groups()
        return _moment([int(number or 0) for number in numbers], _offset(offset) if offset else zone)
    for pattern in _DAYS:
        if match := pattern.fullmatch(text):
            return _moment([int(match[part]) for part in ("year", "month", "day")], zone)
    if _SECONDS_SINCE_1970.fullmatch(text):
        return datetime.fromtimestamp(int(text), timezone.utc)
    return _ago(text, now) if _AGO.fullmatch(text) else None


def _moment(numbers: Sequence[int], zone: tzinfo | None) -> datetime:
    year, month, day, *clock = numbers
    moment = datetime(year, month, day, *clock, tzinfo=zone)  # type: ignore[misc,arg-type]
    return (
        moment if zone else moment.astimezone()
    )  # of this computer, in winter or summer time as on that day


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return timezone.utc
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _ago(text: str, now: datetime) -> datetime:
    parts = _AGO_PART.findall(text)
    units = [unit for _number, unit in parts]
    if units == ["m"]:
        number = parts[0][0]
        raise Problem(f"{text!r} could be minutes or months; write {number}min or {number}M", ExitCode.USAGE)
    return now - sum(
        (int(number) * (_AGO_UNITS.get(unit) or _AGO_UNITS[unit.lower()]) for number, unit in parts),
        timedelta(),
    )


def time_text(moment: datetime, zone: tzinfo | None = None) -> str:
    """``29 Nov 2026 16:25``, in ``zone``, else in this computer's. Always in English, as all messages are."""
    local = moment.astimezone(zone)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year} {local:%H:%M}"


def exact_time_text(moment: datetime) -> str:
    """``20261129T162500Z``: the form in the names of sets, which ``--time`` takes."""
    return f"{moment.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}"
