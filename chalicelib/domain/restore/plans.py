"""What a restore's volumes cost by each tier, how long their copies are kept, and when all can be read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal

from chalicelib.domain.backups.machines import DAY_SECONDS
from chalicelib.domain.backups.tallies import Tallies, sum_tallies, total_bytes
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.price_table import PriceTable, PriceUnknown
from chalicelib.domain.costs.pricing import FREE_TRANSFER_GB, free_transfer_left, month_of_storage
from chalicelib.domain.costs.restore_costs import LINE_BYTES_A_SECOND, restore_cost, thaw_wait, tiers_for
from chalicelib.domain.restore.volumes import VolumesFound, VolumeState
from chalicelib.wire import ThawTier, TransferPrice

LEAST_DAYS, MOST_DAYS = 3, 30
"""A copy's days: at least a weekend, at most a month."""

SPARE_DAYS = 2

UNTIL_MIDNIGHT_DAYS = 1
"""S3 keeps a copy until the midnight after its days, and bills that too."""

SMALLEST_SUM = Decimal("0.0001")
"""Sums are rounded up to a hundredth of a cent."""


def rounded_up(usd: Decimal) -> Decimal:
    return usd.quantize(SMALLEST_SUM, rounding=ROUND_UP)


def days_needed(size_bytes: int, line_bytes_a_second: int | None, bytes_a_day: int) -> int:
    """How many days the copies are kept: for fetching all at the line's speed or at the day's cap, and two to spare."""
    line_a_day = (line_bytes_a_second or LINE_BYTES_A_SECOND) * DAY_SECONDS
    days = -(-size_bytes // max(1, min(line_a_day, bytes_a_day)))
    return min(MOST_DAYS, max(LEAST_DAYS, days + SPARE_DAYS))


def lapses_at(ready_at: datetime, days: int) -> datetime:
    """When S3 removes a copy: its days after it was made, rounded up to the next midnight UTC."""
    until = ready_at + timedelta(days=days)
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == until else midnight + timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class TierOffer:
    """A way to bring the volumes back; ``usd`` and ``transfer_usd`` are ``None`` where a price is not known.

    ``first_look_at`` is when the first of them may be there.
    """

    tier: ThawTier | None
    usd: Decimal | None
    transfer_usd: Decimal | None
    days: int
    first_look_at: datetime
    ready_by: datetime
    readable_until: datetime | None


@dataclasses.dataclass(frozen=True)
class Terms:
    """What an offer depends on besides the volumes: prices, and what the machine may fetch and has fetched."""

    prices: PriceTable | None
    bytes_a_day: int
    already_bytes: int
    line_bytes_a_second: int | None
    now: datetime


def make_offers(found: VolumesFound, terms: Terms) -> tuple[TierOffer, ...]:
    """One for each tier that makes a difference; one without a tier where nothing has to be asked for."""
    return tuple(_offer(found, tier, terms) for tier in tiers_for(found.tallies[VolumeState.ARCHIVED]))


def offer_of(found: VolumesFound, tier: ThawTier, terms: Terms) -> TierOffer | None:
    """The offer of that tier; ``None`` where the volumes' classes lack it."""
    return next((offer for offer in make_offers(found, terms) if offer.tier is tier), None)


def _offer(found: VolumesFound, tier: ThawTier | None, terms: Terms) -> TierOffer:
    tallies, now = found.tallies, terms.now
    stored, archived = stored_tallies(found.tallies), tallies[VolumeState.ARCHIVED]
    days = days_needed(total_bytes(stored), terms.line_bytes_a_second, terms.bytes_a_day)
    first, last = thaw_wait(archived, tier)
    if tallies[VolumeState.THAWING]:
        # Nobody knows by which tier those were asked for.
        last = max(last, thaw_wait(tallies[VolumeState.THAWING], ThawTier.BULK)[1])
    until = lapses_at(now + last, days) if archived else None
    copies = [time for time in (until, found.readable_until) if time is not None]
    usd, transfer_usd = _price(stored, archived, tier, days, terms)
    return TierOffer(tier, usd, transfer_usd, days, now + first, now + last, min(copies, default=None))


def _price(
    stored: Tallies, archived: Tallies, tier: ThawTier | None, days: int, terms: Terms
) -> tuple[Decimal | None, Decimal | None]:
    if terms.prices is None:
        return None, None
    try:
        cost = restore_cost(
            terms.prices,
            stored,
            archived,
            tier,
            readable_days=days + UNTIL_MIDNIGHT_DAYS,
            already_bytes=terms.already_bytes,
        )
    except PriceUnknown:
        return None, None
    return rounded_up(cost.cost) if cost.cost is not None else None, rounded_up(cost.transfer)


def stored_tallies(tallies: Mapping[VolumeState, Tallies]) -> Tallies:
    return sum_tallies(tallies.values())


def storage_usd(stored: Tallies, prices: PriceTable | None) -> Decimal | None:
    """What keeping these costs a month; ``None`` where a price is not known."""
    try:
        return rounded_up(sum(month_of_storage(prices, stored).values(), Decimal(0))) if prices else None
    except PriceUnknown:
        return None


def transfer_price(terms: Terms) -> TransferPrice | None:
    """What leaving AWS costs this month; ``None`` where the price is not known. A GB is priced by the first step, which
    is the dearest."""
    if terms.prices is None:
        return None
    try:
        usd_a_gb = rounded_up(terms.prices.first("transfer-out"))
    except PriceUnknown:
        return None
    left = free_transfer_left(terms.already_bytes)
    return TransferPrice(FREE_TRANSFER_GB * GB, left, float(usd_a_gb))


def is_dearer(usd: Decimal, agreed: Decimal) -> bool:
    """By more than rounding: the price that was agreed to was rounded by whoever showed it."""
    return usd > agreed + SMALLEST_SUM
