"""Durations as the owner types them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.backups.machines import LONGEST_SECONDS
from ops.commands.arguments.durations import parse_duration, parse_duration_or_never, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1d", 86_400),
        ("12h", 43_200),
        ("2w", 1_209_600),
        ("90m", 5_400),
        ("45s", 45),
        ("1w2d", 777_600),
        (" 1 D ", 86_400),
    ],
)
def test_a_number_and_a_unit_are_read_as_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "d", "0d", "-1d", "1.5d", "1y", "1d!", "one day", "1d 2", "٣d٣"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="1d, 12h, 2w"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["3661d", "99999999999999999999d"])
def test_more_than_ten_years_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is more than ten years"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=LONGEST_SECONDS))
def test_what_is_shown_is_read_back_as_the_same_duration(seconds: int) -> None:
    assert parse_duration(show_duration(seconds)) == seconds


def test_never_is_no_time_at_all() -> None:
    assert (parse_duration_or_never("Never"), parse_duration_or_never("30d")) == (0, 30 * 86_400)
