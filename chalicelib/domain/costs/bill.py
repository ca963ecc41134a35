"""A month's bill."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal

from chalicelib.domain.backups.storage import STANDARD
from chalicelib.domain.costs.billed import gb_months
from chalicelib.domain.costs.months import Month, Span
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import put_cost, storage_cost, transition_cost


@dataclasses.dataclass(frozen=True)
class Bill:
    """A month, in parts that add up. ``thaws`` are planned prices, all that leaving AWS costs included."""

    storage: Decimal
    tags: Decimal
    requests: Decimal
    transitions: Decimal
    service: Decimal
    thaws: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return self.storage + self.tags + self.requests + self.transitions + self.service + self.thaws


def merged(spans: Sequence[Span]) -> Span:
    held: dict[str, int] = {}
    moved: dict[str, int] = {}
    for span in spans:
        for name, amount in span.held.items():
            held[name] = held.get(name, 0) + amount
        for name, amount in span.moved.items():
            moved[name] = moved.get(name, 0) + amount
    return Span(held, moved, sum(span.put_objects for span in spans))


def month_bill(
    table: PriceTable, span: Span, month: Month, tags: Decimal, service: Decimal, thaws: Decimal = Decimal(0)
) -> Bill:
    storage = sum(
        (
            storage_cost(table, name, gb_months(Decimal(byte_seconds) / 3600, month.hours))
            for name, byte_seconds in span.held.items()
        ),
        Decimal(0),
    )
    transitions = sum(
        (transition_cost(table, name, objects) for name, objects in span.moved.items()), Decimal(0)
    )
    return Bill(storage, tags, put_cost(table, STANDARD, span.put_objects), transitions, service, thaws)
