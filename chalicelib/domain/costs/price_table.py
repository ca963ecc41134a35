"""A dated table of what AWS asks in one region, in USD before tax.

Prices have names of ours: ``storage/GLACIER_IR`` (a GB-month), ``put/STANDARD`` and ``get/STANDARD`` (a request),
``read/GLACIER_IR`` (a GB read), ``thaw/GLACIER/Bulk`` (a GB) and ``thaw-request/GLACIER/Bulk`` (an object),
``transition/GLACIER_IR`` (an object), ``tag-month``, ``transfer-out`` (a GB), and those of the service's own parts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

OLD_AFTER_DAYS = 180
"""AWS changes these prices once in years; a table older than this is called old in the mail."""


class PriceUnknown(LookupError):
    """The table has no such price; ``str(error)`` is its name."""


@dataclasses.dataclass(frozen=True)
class PriceTier:
    """From ``start`` units a month on, each costs ``usd``."""

    start: Decimal
    usd: Decimal


@dataclasses.dataclass(frozen=True)
class PriceTable:
    """``as_of`` is when AWS published the prices; ``steps`` of each price begin at 0 and rise."""

    region: str
    as_of: date
    source: str
    steps: Mapping[str, tuple[PriceTier, ...]]

    def knows(self, *names: str) -> bool:
        return all(name in self.steps for name in names)

    def first(self, name: str) -> Decimal:
        """What the first unit costs. Raises ``PriceUnknown``."""
        return self._steps_of(name)[0].usd

    def cost(self, name: str, amount: Decimal | int) -> Decimal:
        """What so many units of a month cost, each step for what falls into it. Raises ``PriceUnknown``."""
        total, left = Decimal(0), Decimal(amount)
        for step in reversed(self._steps_of(name)):
            if left > step.start:
                total += (left - step.start) * step.usd
                left = step.start
        return total

    def age_days(self, today: date) -> int:
        return (today - self.as_of).days

    def _steps_of(self, name: str) -> tuple[PriceTier, ...]:
        try:
            return self.steps[name]
        except KeyError:
            raise PriceUnknown(name) from None


def read_price_table(document: Mapping[str, Any]) -> PriceTable:
    """The table of a JSON document. Raises ``ValueError`` naming what is wrong with it."""
    try:
        steps = {name: _steps(name, entries) for name, entries in document["prices"].items()}
        return PriceTable(
            str(document["region"]),
            date.fromisoformat(document["as_of"]),
            str(document["source"]),
            steps,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no price table: {type(error).__name__} {error}") from error


def write_price_table(table: PriceTable) -> dict[str, Any]:
    """The reverse of ``read_price_table``."""
    prices = {
        name: [{"from": int(step.start), "usd": format(step.usd, "f")} for step in table.steps[name]]
        for name in sorted(table.steps)
    }
    return {
        "region": table.region,
        "as_of": table.as_of.isoformat(),
        "source": table.source,
        "prices": prices,
    }


def _steps(name: str, entries: Iterable[Mapping[str, Any]]) -> tuple[PriceTier, ...]:
    steps = tuple(PriceTier(Decimal(entry["from"]), Decimal(entry["usd"])) for entry in entries)
    starts = [step.start for step in steps]
    if not steps or starts[0] != 0 or starts != sorted(set(starts)):
        raise ValueError(f"the steps of {name} do not begin at 0 and rise")
    if any(not step.usd.is_finite() or step.usd < 0 for step in steps):
        raise ValueError(f"{name} has a price below zero")
    return steps
