"""Several plans of thaws as one: what bringing back several jobs costs together. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from panicroom.wire import ThawOffer, ThawPlan, ThawState, ThawTier, TransferPrice

GB = 2**30
"""As AWS bills."""

_SUMS_A_USD = 10_000
"""The service rounds each price up to a hundredth of a cent."""


def together(plans: Sequence[ThawPlan]) -> ThawPlan:
    """The plan of all of them, by the tiers that each has; there must be one. It has no thaw of its own.

    What leaves AWS is priced anew: each plan counts what is free this month for itself. So no sum is less than what the
    service asks when the jobs are begun one after the other.
    """
    transfer = _transfer(plans)
    offers = tuple(_offer(plans, tier, transfer) for tier in _tiers(plans))
    month_usd = _sum(plan.month_usd for plan in plans)
    left_usd = min(plan.left_usd for plan in plans)
    return ThawPlan(
        thaw="",
        state=ThawState.PLANNED,
        bytes=sum(plan.bytes for plan in plans),
        archived_bytes=sum(plan.archived_bytes for plan in plans),
        archived=sum(plan.archived for plan in plans),
        thawing=sum(plan.thawing for plan in plans),
        readable=sum(plan.readable for plan in plans),
        missing=tuple(name for plan in plans for name in plan.missing),
        tiers=offers,
        needs_approval=all(offer.needs_approval for offer in offers),
        left_usd=left_usd,
        month_usd=None if month_usd is None else rounded_up(month_usd),
        transfer=transfer,
    )


def transfer_usd(size_bytes: int, free_bytes: int, transfer: TransferPrice) -> float:
    """What it costs that so many bytes leave AWS in a month in which ``free_bytes`` are left."""
    return max(0, size_bytes - free_bytes) / GB * transfer.usd_a_gb


def rounded_up(usd: float) -> float:
    return math.ceil(round(usd * _SUMS_A_USD, 4)) / _SUMS_A_USD


def _transfer(plans: Sequence[ThawPlan]) -> TransferPrice | None:
    """None where one of them was priced by an older service."""
    known = [plan.transfer for plan in plans if plan.transfer is not None]
    if len(known) < len(plans):
        return None
    return min(known, key=lambda transfer: transfer.left_bytes)


def _tiers(plans: Sequence[ThawPlan]) -> list[ThawTier | None]:
    """Those that every plan has which has something to thaw; None alone where there is no such plan."""
    of_each = [{offer.tier for offer in plan.tiers} for plan in plans if plan.archived]
    return [tier for tier in ThawTier if all(tier in tiers for tiers in of_each)] if of_each else [None]


def _offer(plans: Sequence[ThawPlan], tier: ThawTier | None, transfer: TransferPrice | None) -> ThawOffer:
    chosen = [_chosen(plan, tier) for plan in plans]
    usd, out_usd = _prices(plans, chosen, transfer)
    until = [offer.readable_until for offer in chosen if offer.readable_until is not None]
    approval = usd is None or usd > min(plan.left_usd for plan in plans)
    return ThawOffer(
        ready_by=max(offer.ready_by for offer in chosen),
        tier=tier,
        usd=usd,
        transfer_usd=out_usd,
        readable_until=min(until, default=None),
        needs_approval=tier is not None and (approval or any(offer.needs_approval for offer in chosen)),
    )


def _chosen(plan: ThawPlan, tier: ThawTier | None) -> ThawOffer:
    """The plan's offer of the tier; of one with nothing to thaw its only one."""
    return next((offer for offer in plan.tiers if offer.tier == tier), plan.tiers[0])


def _prices(
    plans: Sequence[ThawPlan], chosen: Sequence[ThawOffer], transfer: TransferPrice | None
) -> tuple[float | None, float | None]:
    """All that it costs, and the part of it that leaving AWS costs; None where a price is not known."""
    each = _sum(offer.usd for offer in chosen)
    each_out = _sum(offer.transfer_usd for offer in chosen)
    if each is None:
        return None, None
    if transfer is None or each_out is None:
        return rounded_up(each), None if each_out is None else rounded_up(each_out)
    out = transfer_usd(sum(plan.bytes for plan in plans), transfer.left_bytes, transfer)
    # The service rounds the whole of a start, here its parts were rounded: a hundredth of a cent for each.
    spare = len(plans) / _SUMS_A_USD if len(plans) > 1 else 0.0
    return rounded_up(each - each_out + out + spare), rounded_up(out)


def _sum(prices: Iterable[float | None]) -> float | None:
    values = list(prices)
    known = [usd for usd in values if usd is not None]
    return sum(known) if len(known) == len(values) else None
