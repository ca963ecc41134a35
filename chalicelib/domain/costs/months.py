"""Months, by which AWS bills, and what a stretch of one uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import MINIMUM_STAY_DAYS, billed_bytes

Amounts = Mapping[str, int]
"""By storage class: billed bytes times seconds, or objects."""


@dataclasses.dataclass(frozen=True)
class Month:
    """A calendar month in UTC, by which AWS bills."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        return int((self.end - self.start) / timedelta(hours=1))

    def share_until(self, moment: datetime) -> Decimal:
        """How much of it is over at a ``moment`` in it, from 0 to 1."""
        return Decimal((moment - self.start).total_seconds()) / Decimal(
            (self.end - self.start).total_seconds()
        )

    def following(self) -> Month:
        return month_of(self.end)


def month_of(moment: datetime) -> Month:
    start = datetime(moment.year, moment.month, 1, tzinfo=timezone.utc)
    return Month(start, (start + timedelta(days=32)).replace(day=1))


@dataclasses.dataclass(frozen=True)
class Span:
    """What one stretch of a month uses: ``held`` in billed bytes times seconds, ``moved`` objects by new class.

    ``cut_short`` is what was removed in it before its class's minimum stay, in billed bytes times the seconds that are
    missing. ``tag_seconds`` are those of the tags of backups that go, times their number; other tags stay.
    """

    held: Amounts
    moved: Amounts
    put_objects: int
    cut_short: Amounts = dataclasses.field(default_factory=dict)
    tag_seconds: int = 0


def merged(spans: Sequence[Span]) -> Span:
    """All of them together."""
    return Span(
        _added(span.held for span in spans),
        _added(span.moved for span in spans),
        sum(span.put_objects for span in spans),
        _added(span.cut_short for span in spans),
        sum(span.tag_seconds for span in spans),
    )


def _added(many: Iterable[Amounts]) -> Amounts:
    total: dict[str, int] = {}
    for amounts in many:
        for name, amount in amounts.items():
            total[name] = total.get(name, 0) + amount
    return total


class SpanSum:
    """Adds up a span from what was held from when to when; only the part between ``start`` and ``end`` counts."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.start = start
        self.end = end
        self.held: dict[str, int] = {}
        self.moved: dict[str, int] = {}
        self.cut_short: dict[str, int] = {}
        self.put_objects = self.tag_seconds = 0

    def hold(self, storage_class: str, tally: Tally, begin: datetime, finish: datetime) -> None:
        seconds = self._seconds(begin, finish)
        if seconds > 0 and tally != Tally():
            for billed_class, size_bytes in billed_bytes(storage_class, tally).items():
                held = self.held.get(billed_class, 0)
                self.held[billed_class] = held + int(size_bytes * seconds)

    def move(self, storage_class: str, objects: int, at: datetime) -> None:
        if objects and self.start <= at < self.end:
            self.moved[storage_class] = self.moved.get(storage_class, 0) + objects

    def put(self, objects: int, at: datetime) -> None:
        if self.start <= at < self.end:
            self.put_objects += objects

    def remove(self, storage_class: str, tally: Tally, came: datetime, at: datetime) -> None:
        """Removed for good at ``at``, in that class since ``came``: the rest of its minimum stay is billed at once."""
        if self.start <= at < self.end:
            stay = timedelta(days=MINIMUM_STAY_DAYS.get(storage_class, 0))
            missing = (stay - max(timedelta(), at - came)).total_seconds()
            if missing > 0:
                cut = billed_bytes(storage_class, tally)[storage_class] * missing
                self.cut_short[storage_class] = self.cut_short.get(storage_class, 0) + int(cut)

    def tag(self, tags: int, begin: datetime, finish: datetime) -> None:
        self.tag_seconds += int(tags * max(0.0, self._seconds(begin, finish)))

    def _seconds(self, begin: datetime, finish: datetime) -> float:
        return (min(finish, self.end) - max(begin, self.start)).total_seconds()

    def span(self) -> Span:
        return Span(self.held, self.moved, self.put_objects, self.cut_short, self.tag_seconds)
