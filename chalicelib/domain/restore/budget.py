"""What a machine may have thawed without its owner: so many dollars a month, and few volumes by Expedited."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.plans import TierOffer
from chalicelib.domain.restore.thaws import Thaw, ThawMonth
from chalicelib.wire import ErrorCode, ThawTier

EXPEDITED_A_MONTH = 10
"""Volumes that a token alone gets by Expedited, which costs a hundred times as much as Bulk."""

DRILLS_USD_A_MONTH = Decimal("0.02")
"""What a machine's drills may cost in a month, whatever its budget: three volumes of 25 MB by Bulk are $0.0004."""

MAILED_FROM_USD = Decimal("0.05")
"""A thaw that costs no more than this is no mail worth."""


def left_usd(budget: Decimal, month: ThawMonth) -> Decimal:
    return max(Decimal(0), budget - month.reserved)


def approval_needed(offer: TierOffer, archived: int, budget: Decimal, month: ThawMonth) -> ErrorCode | None:
    """Why the owner has to approve it; ``None`` where the machine may start it by itself."""
    if offer.tier is None:
        return None
    if offer.usd is None:
        return ErrorCode.PRICE_UNKNOWN
    if offer.tier is ThawTier.EXPEDITED and month.expedited + archived > EXPEDITED_A_MONTH:
        return ErrorCode.THAW_BUDGET
    return ErrorCode.THAW_BUDGET if month.reserved + offer.usd > budget else None


def with_thaw(month: ThawMonth, thaw: Thaw, size_bytes: int) -> ThawMonth:
    """The month with one more thaw, by which so many bytes leave AWS. What the owner approved does not count against
    the budget."""
    usd, size_bytes = thaw.usd or Decimal(0), month.size_bytes + size_bytes
    if thaw.is_drill:
        return dataclasses.replace(month, drilled=month.drilled + usd, size_bytes=size_bytes)
    if thaw.approved_at is not None:
        return dataclasses.replace(month, approved=month.approved + usd, size_bytes=size_bytes)
    expedited = month.expedited + (thaw.volumes if thaw.tier is ThawTier.EXPEDITED else 0)
    return dataclasses.replace(
        month, reserved=month.reserved + usd, expedited=expedited, size_bytes=size_bytes
    )


def why_it_waits(code: ErrorCode, offer: TierOffer, left: Decimal) -> str:
    """Why the owner's approval is needed, a sentence."""
    if code is ErrorCode.PRICE_UNKNOWN:
        return "What this thaw costs is not known in this region."
    if offer.usd is not None and offer.usd > left:
        return f"This thaw costs ${offer.usd}, and ${left:.4f} is left of this month's budget."
    return f"Expedited is for {EXPEDITED_A_MONTH} volumes a month without the owner's approval."


def ask_the_owner(code: ErrorCode, thaw: str, why: str) -> Refusal:
    """The refusal of a thaw that waits, with the line that the owner types."""
    return Refusal(code, f"{why} The owner can approve it: python -m ops thaw approve {thaw}")


def check_drill(offer: TierOffer, month: ThawMonth) -> None:
    """Raises ``Refusal`` where the allowance for drills has not what it costs: nobody is asked to approve a drill."""
    if offer.usd is None:
        raise Refusal(ErrorCode.DRILL_ALLOWANCE, "What this drill costs is not known in this region.")
    left = DRILLS_USD_A_MONTH - month.drilled
    if offer.usd > left:
        raise Refusal(
            ErrorCode.DRILL_ALLOWANCE,
            f"This drill costs ${offer.usd}, and ${max(left, Decimal(0)):.4f} is left of the ${DRILLS_USD_A_MONTH} "
            "that a machine's drills may cost in a month. Drill fewer or smaller volumes, or next month (UTC).",
        )
