"""The plan of a thaw, for people: what is archived, and what each way of bringing it back costs and takes. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import math
from collections.abc import Iterator

from panicroom.api import moment_of
from panicroom.stored.times import time_text
from panicroom.terminal.amounts import size_text
from panicroom.wire import ThawOffer, ThawPlan, ThawTier

_HEADINGS = ("tier", "costs", "ready by", "readable until")


def plan_lines(plan: ThawPlan) -> Iterator[str]:
    """The plan in lines of at most 60 characters, but for sentences."""
    yield archived_text(plan)
    if plan.missing:
        yield f"{len(plan.missing)} volumes are not stored, the first is {plan.missing[0]}"
    if plan.archived:
        yield from offer_lines(plan)


def archived_text(plan: ThawPlan) -> str:
    """How much is archived, of how much."""
    count = volumes_text(plan.archived + plan.thawing + plan.readable)
    thawing = f", {plan.thawing} are being thawed already" if plan.thawing else ""
    if not plan.archived:
        return f"{plan.readable} of {count} ({size_text(plan.bytes)}) can be read{thawing}"
    return (
        f"{plan.archived} of {count} {'is' if plan.archived == 1 else 'are'} archived and must be thawed first "
        f"({size_text(plan.archived_bytes)} of {size_text(plan.bytes)}){thawing}"
    )


def offer_lines(plan: ThawPlan) -> Iterator[str]:
    """A row an offer, and what has to be known about the prices."""
    offers = by_price(plan)
    rows = [_HEADINGS, *(_row(offer) for offer in offers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()
    transfer = max((offer.transfer_usd or 0 for offer in offers), default=0)
    if transfer:
        yield f"  {money_text(transfer)} of each is for what leaves AWS."
    if any(offer.needs_approval for offer in offers):
        left = money_text(plan.left_usd)
        yield f"  * needs the owner's approval; {left} of this month's budget is left."


def by_price(plan: ThawPlan) -> list[ThawOffer]:
    """The cheapest first; an unknown price counts as the highest."""
    return sorted(plan.tiers, key=lambda offer: (offer.usd is None, offer.usd or 0))


def _row(offer: ThawOffer) -> tuple[str, ...]:
    mark = " *" if offer.needs_approval else ""
    until = moment_of(offer.readable_until) if offer.readable_until else None
    return (
        tier_name(offer.tier),
        money_text(offer.usd) + mark,
        time_text(moment_of(offer.ready_by)),
        time_text(until).rpartition(" ")[0] if until else "",
    )


def tier_name(tier: ThawTier | None) -> str:
    """As ``--tier`` takes it."""
    return tier.value.lower() if tier is not None else "readable now"


def money_text(usd: float | None) -> str:
    """``$0.45``, rounded up; four decimals below ten cents, where they are most of it."""
    if usd is None:
        return "unknown"
    decimals = 2 if usd >= 0.1 or round(usd * 100, 6).is_integer() else 4
    scale = 10**decimals
    return f"${math.ceil(round(usd * scale, 4)) / scale:,.{decimals}f}"


def volumes_text(count: int) -> str:
    return "1 volume" if count == 1 else f"{count:,} volumes"
