"""The forms of ``--time``."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panicroom.exit_codes import ExitCode, Problem
from panicroom.stored.times import exact_time_text, parse_time, time_text

NOW = datetime(2026, 11, 29, 16, 25, 7, tzinfo=timezone.utc)
BERLIN = timezone(timedelta(hours=1))


def at(*numbers: int) -> datetime:
    year, month, day, *clock = numbers
    return datetime(year, month, day, *clock, tzinfo=timezone.utc)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("20261122T205000Z", at(2026, 11, 22, 20, 50)),
        ("2026-11-22T20:50:00Z", at(2026, 11, 22, 20, 50)),
        ("2026-11-22T20:50:00+00:00", at(2026, 11, 22, 20, 50)),
        ("2026-11-22T20:50:00-0430", at(2026, 11, 23, 1, 20)),
        ("2026-11-22T20:50:00", at(2026, 11, 22, 19, 50)),
        ("2026-11-22 20:50", at(2026, 11, 22, 19, 50)),
        ("2026-11-22", at(2026, 11, 21, 23)),
        ("2026/11/22", at(2026, 11, 21, 23)),
        ("11/22/2026", at(2026, 11, 21, 23)),
        ("20261122", at(2026, 11, 21, 23)),
        ("1795380600", at(2026, 11, 22, 20, 50)),
        ("0D", NOW),
        ("3D", NOW - timedelta(days=3)),
        ("3d", NOW - timedelta(days=3)),
        ("1W2D", NOW - timedelta(days=9)),
        ("6M", NOW - timedelta(days=180)),
        ("1Y", NOW - timedelta(days=365)),
        ("30min", NOW - timedelta(minutes=30)),
        ("2h30m", NOW - timedelta(hours=2, minutes=30)),
        (" 1s ", NOW - timedelta(seconds=1)),
    ],
)
def test_a_time_can_be_written_in_many_ways(text: str, expected: datetime) -> None:
    """Without an offset it is local time, and a day is its first moment."""
    assert parse_time(text, NOW, BERLIN) == expected


NONSENSE = (
    *("2020-02-30", "20200230T000000Z", "2026-13-01", "2026-11-22T25:00", "2026-11-22T20:50:00+99:99"),
    *("", " ", "D", "²D", "-1D", "1D ago", "yesterday", "-3", "99999999999", "2200-01-01", "999999Y"),
    *("2026", "202611", "0", "1122"),
)


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_time(text, NOW)
    assert refused.value.exit_code == ExitCode.USAGE
    assert len(str(refused.value).splitlines()) == 1


def test_six_m_is_refused_because_it_could_be_minutes_or_months() -> None:
    with pytest.raises(Problem, match="write 6min or 6M"):
        parse_time("6m", NOW)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2099, 1, 1)))
def test_the_time_of_a_set_comes_back_as_it_was(moment: datetime) -> None:
    exact = moment.replace(tzinfo=timezone.utc, microsecond=0)
    assert parse_time(exact_time_text(exact), NOW, BERLIN) == exact


@given(st.text(alphabet="0123456789-/:TZ+ smhDWMYinow.", max_size=24))
def test_any_text_is_a_time_or_is_refused(text: str) -> None:
    with contextlib.suppress(Problem):
        moment = parse_time(text, NOW)
        assert moment.utcoffset() == timedelta(0)
        assert moment.microsecond == 0


def test_times_are_shown_in_local_time() -> None:
    assert time_text(NOW, BERLIN) == "29 Nov 2026 17:25"
