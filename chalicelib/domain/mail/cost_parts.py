"""What the section of costs consists of; ``cost_section`` describes it."""

from __future__ import annotations

import dataclasses
from decimal import Decimal


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
    removal: str
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


SHOWN_FROM = Decimal("0.005")
"""What rounds to no cent is not worth a line."""
