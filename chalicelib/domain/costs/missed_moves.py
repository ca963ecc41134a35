"""What a lifecycle rule that never matched has cost so far, and what it would save."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal

from chalicelib.domain.audit.lifecycle.inventory import MissedMoves
from chalicelib.domain.backups.storage import STANDARD
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.billed import GB, billed_bytes
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import MONTH_DAYS, transition_cost


@dataclasses.dataclass(frozen=True)
class MissedSavings:
    """In USD. ``so_far``: beyond what the moves would have cost themselves. ``a_month``: from now on, for what could be
    moved today. ``moving``: that, once."""

    so_far: Decimal
    a_month: Decimal
    moving: Decimal


def missed_savings(table: PriceTable, missed: MissedMoves) -> MissedSavings:
    """At the price of the first step, as if what is stored now had been all there ever was. Raises ``PriceUnknown``."""
    so_far = a_month = moving = Decimal(0)
    for age_days, tally in missed.by_age.items():
        late_days = age_days - missed.after_days
        if late_days < 0:
            continue
        saved = _saved_a_month(table, missed.storage_class, tally)
        so_far += saved * late_days / MONTH_DAYS
        a_month += saved
        moving += transition_cost(table, missed.storage_class, tally.count)
    return MissedSavings(max(Decimal(0), so_far - moving), max(Decimal(0), a_month), moving)


def _saved_a_month(table: PriceTable, storage_class: str, tally: Tally) -> Decimal:
    def a_month(billed: Mapping[str, int]) -> Decimal:
        return sum(
            (Decimal(size) / GB * table.first(f"storage/{name}") for name, size in billed.items()), Decimal(0)
        )

    return a_month(billed_bytes(STANDARD, tally)) - a_month(billed_bytes(storage_class, tally))
