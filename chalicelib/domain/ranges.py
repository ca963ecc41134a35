"""Numbers of volumes as text: ``1-3,5``."""

from __future__ import annotations

from collections.abc import Iterable


def format_ranges(numbers: Iterable[int]) -> str:
    """``1-3,7``: 8,000 volumes in a row take six characters of a row."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def format_gaps(gaps: Iterable[range]) -> str:
    """As ``format_ranges`` does, without counting through them."""
    return ",".join(f"{gap[0]}-{gap[-1]}" if len(gap) > 1 else str(gap[0]) for gap in gaps)


def parse_ranges(text: str) -> frozenset[int]:
    """The reverse of ``format_ranges``."""
    numbers: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
