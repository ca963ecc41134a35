"""What each storage class and each machine has of what is stored, in cents that add up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from decimal import Decimal

from chalicelib.domain.backups.tallies import Tallies, Tally, add_tallies
from chalicelib.domain.costs.billed import billed_in_all, shares_in_cents
from chalicelib.domain.costs.usage import JobUsage


@dataclasses.dataclass(frozen=True)
class ClassLine:
    """``noncurrent_bytes`` has what was let go and is billed still; ``overhead_bytes`` is what is billed beyond the
    bytes themselves."""

    storage_class: str
    current_bytes: int
    noncurrent_bytes: int
    overhead_bytes: int
    monthly: Decimal


@dataclasses.dataclass(frozen=True)
class MachineLine:
    machine: str
    stored_bytes: int
    monthly: Decimal


def class_lines(usages: Sequence[JobUsage], costs: Mapping[str, Decimal]) -> tuple[ClassLine, ...]:
    current = sum_of_tallies([usage.current for usage in usages])
    noncurrent = sum_of_tallies([tallies for usage in usages for tallies in (usage.noncurrent, usage.let_go)])
    billed = billed_in_all(add_tallies(current, noncurrent))
    total = sum(costs.values(), Decimal(0))
    cents = shares_in_cents(total, costs)
    lines = []
    for name in sorted(billed, key=lambda name: (-costs[name], name)):
        now, hidden = (tallies.get(name, Tally()).size_bytes for tallies in (current, noncurrent))
        lines.append(ClassLine(name, now, hidden, billed[name] - now - hidden, cents[name]))
    return tuple(lines)


def machine_lines(
    usages: Sequence[JobUsage], rates: Mapping[str, Decimal], total: Decimal
) -> tuple[MachineLine, ...]:
    weights: dict[str, Decimal] = {}
    stored: dict[str, int] = {}
    for usage in usages:
        rate = rates[f"{usage.machine}/{usage.job}"]
        weights[usage.machine] = weights.get(usage.machine, Decimal(0)) + rate
        stored[usage.machine] = stored.get(usage.machine, 0) + usage.stored_bytes
    cents = shares_in_cents(total, weights)
    names = sorted(weights, key=lambda name: (-weights[name], name))
    return tuple(MachineLine(name, stored[name], cents[name]) for name in names)


def sum_of_tallies(many: Sequence[Tallies]) -> Tallies:
    total: dict[str, Tally] = {}
    for tallies in many:
        for name, tally in tallies.items():
            total[name] = total.get(name, Tally()) + tally
    return total
