"""How many objects and bytes, by storage class."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable, Iterable, Mapping


@dataclasses.dataclass(frozen=True)
class Tally:
    """How many objects, and how many bytes they have together."""

    count: int = 0
    size_bytes: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.count + other.count, self.size_bytes + other.size_bytes)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.count - other.count, self.size_bytes - other.size_bytes)


Tallies = Mapping[str, Tally]
"""By storage class; classes with nothing in them are left out."""


def add_tallies(one: Tallies, other: Tallies) -> Tallies:
    return _combined(one, other, operator.add)


def sum_tallies(many: Iterable[Tallies]) -> Tallies:
    return functools.reduce(add_tallies, many, {})


def subtract_tallies(one: Tallies, other: Tallies) -> Tallies:
    return _combined(one, other, operator.sub)


def _combined(one: Tallies, other: Tallies, combine: Callable[[Tally, Tally], Tally]) -> Tallies:
    sums = {name: combine(one.get(name, Tally()), other.get(name, Tally())) for name in {**one, **other}}
    return {name: tally for name, tally in sums.items() if tally != Tally()}


def total_bytes(tallies: Tallies) -> int:
    return sum(tally.size_bytes for tally in tallies.values())


def sum_of(tallies: Tallies) -> Tally:
    """Of all classes together."""
    return sum(tallies.values(), Tally())
