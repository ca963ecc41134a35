"""What ten years may cost, in us-east-1: what was promised before letting go was built."""

from __future__ import annotations

from decimal import Decimal

from bench.years.laptop import OURS_DEEP, OURS_INSTANT, OURS_NEVER, laptop_setups, what_safety_costs
from bench.years.photos import OURS_PHOTOS, photo_setups
from bench.years.setups import TenYears
from chalicelib.domain.costs.price_table import PriceTable

MOST_USD = {OURS_INSTANT: 70, OURS_DEEP: 25, OURS_PHOTOS: 47}
MOST_PHOTOS_GB = 500
MOST_FOR_180_DAYS_USD = 12
"""What it costs that a successor has to be half a year old, of the laptop in Glacier Instant Retrieval."""
MOST_FOR_90_DAYS_USD = 4
"""What 90 days under markers would cost beyond the 30."""


def our_setups() -> dict[str, TenYears]:
    ours = {*MOST_USD, OURS_NEVER}
    return {one.name: one for one in (*laptop_setups(), *photo_setups()) if one.name in ours}


def missed(table: PriceTable) -> list[str]:
    """Sentences on what costs more than it may, or cannot be restored."""
    found = []
    for name, one in our_setups().items():
        cost, most = one.cost(table), MOST_USD.get(name)
        if most is not None and cost > most:
            found.append(f"{name}: ten years cost ${cost:.2f}, at most ${most}")
        if one.fees(table):
            found.append(f"{name}: ${one.fees(table):.2f} for early deletion, must be none")
        if one.broken_days:
            found.append(f"{name}: on {one.broken_days} days the newest set could not be restored")
    uploaded = round(our_setups()[OURS_PHOTOS].uploaded_gb)
    if uploaded > MOST_PHOTOS_GB:
        found.append(f"photos: {uploaded} GB uploaded, at most {MOST_PHOTOS_GB}")
    as_it_is, at_once, longer, _ = (one.cost(table) for one in what_safety_costs())
    found += _too_much("a successor of 180 days", as_it_is - at_once, MOST_FOR_180_DAYS_USD)
    return found + _too_much("90 days under markers", longer - as_it_is, MOST_FOR_90_DAYS_USD)


def _too_much(what: str, cost: Decimal, most: int) -> list[str]:
    return [f"{what}: ${cost:.2f} more in ten years, at most ${most}"] if cost > most else []
