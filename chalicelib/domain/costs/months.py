"""Months, by which AWS bills, and what a stretch of one uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import billed_bytes

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

    def following(self) -> Month:
        return month_of(self.end)


def month_of(moment: datetime) -> Month:
    start = datetime(moment.year, moment.month, 1, tzinfo=timezone.utc)
    return Month(start, (start + timedelta(days=32)).replace(day=1))


@dataclasses.dataclass(frozen=True)
class Span:
    """What one stretch of a month uses: ``held`` in billed bytes times seconds, ``moved`` objects by new class."""

    held: Amounts
    moved: Amounts
    put_objects: int


def merged(spans: Sequence[Span]) -> Span:
    """All of them together."""
    held: dict[str, int] = {}
    moved: dict[str, int] = {}
    for span in spans:
        for name, amount in span.held.items():
            held[name] = held.get(name, 0) + amount
        for name, amount in span.moved.items():
            moved[name] = moved.get(name, 0) + amount
    return Span(held, moved, sum(span.put_objects for span in spans))


class SpanSum:
    """Adds up a span from what was held from when to when; only the part between ``start`` and ``end`` counts."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.start = start
        self.end = end
        self.held: dict[str, int] = {}
        self.moved: dict[str, int] = {}
        self.put_objects = 0

    def hold(self, storage_class: str, tally: Tally, begin: datetime, finish: datetime) -> None:
        seconds = (min(finish, self.end) - max(begin, self.start)).total_seconds()
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

    def span(self) -> Span:
        return Span(self.held, self.moved, self.put_objects)
