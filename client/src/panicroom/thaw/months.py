"""A large restore spread over months: AWS lets so many bytes a month leave for nothing. Pure: ``now`` is passed in."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from panicroom.api import moment_of
from panicroom.shown import shown_path
from panicroom.terminal.amounts import size_text
from panicroom.thaw.plan_text import by_price, money_text
from panicroom.thaw.together import GB, rounded_up, transfer_usd
from panicroom.wire import ThawPlan, TransferPrice

_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Part:
    """What is restored as a whole: a folder of the pile, with the bytes of its volumes."""

    name: str
    bytes: int


@dataclass(frozen=True)
class MonthOfRestores:
    """``number`` counts months since the year 0; ``free_bytes`` may leave AWS in it for nothing."""

    number: int
    free_bytes: int
    parts: tuple[Part, ...]

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)

    @property
    def title(self) -> str:
        """``Dec 2026``."""
        return f"{_NAMES[self.number % 12]} {self.number // 12}"


@dataclass(frozen=True)
class InMonths:
    """All of it at once for ``at_once_usd``, or month by month for ``usd``."""

    at_once_usd: float
    usd: float
    month_free_bytes: int
    months: tuple[MonthOfRestores, ...]

    @property
    def first(self) -> tuple[str, ...]:
        """The parts of the first month."""
        return tuple(part.name for part in self.months[0].parts)


def in_months(plan: ThawPlan, parts: Sequence[Part], now: datetime) -> InMonths | None:
    """How it costs less in parts; None where it does not, or no price is known. By the cheapest tier, and by the month
    in which all can be read: then it leaves AWS."""
    offer = by_price(plan)[0] if plan.tiers else None
    if offer is None or offer.usd is None or not offer.transfer_usd or plan.transfer is None:
        return None
    ready_at, transfer = moment_of(offer.ready_by), plan.transfer
    begins_at = max(now, ready_at)
    if _month_of(begins_at) != _month_of(now):  # what is free then is another month's
        transfer = dataclasses.replace(transfer, left_bytes=transfer.month_free_bytes)
    months = spread(parts, transfer, begins_at)
    out = sum(transfer_usd(month.bytes, month.free_bytes, plan.transfer) for month in months)
    usd = rounded_up(offer.usd - offer.transfer_usd + out)
    if len(parts) < 2 or usd >= offer.usd:
        return None
    return InMonths(offer.usd, usd, plan.transfer.month_free_bytes, tuple(months))


def months_hint(plan: ThawPlan) -> tuple[int, float] | None:
    """In how many months it would leave AWS for nothing, and what it would cost then, about: what is known without the
    parts. None where nothing would be saved."""
    offer = by_price(plan)[0] if plan.tiers else None
    if offer is None or offer.usd is None or not offer.transfer_usd or plan.transfer is None:
        return None
    months = math.ceil(plan.bytes / plan.transfer.month_free_bytes)
    return (months, rounded_up(offer.usd - offer.transfer_usd)) if months > 1 else None


def spread(parts: Sequence[Part], transfer: TransferPrice, now: datetime) -> list[MonthOfRestores]:
    """Each part in a month in which it is free, as few months as the parts allow; one that is larger than what is free
    in a month has one for itself. AWS's months are UTC's."""
    first = _month_of(now)
    left = [transfer.left_bytes]
    chosen: list[list[Part]] = [[]]
    for part in sorted(parts, key=lambda each: -each.bytes):
        month = next((number for number, free in enumerate(left) if part.bytes <= free), len(left))
        if month == len(left):
            left.append(transfer.month_free_bytes)
            chosen.append([])
        left[month] -= min(part.bytes, left[month])
        chosen[month].append(part)
    order = {part.name: number for number, part in enumerate(parts)}
    return [
        MonthOfRestores(
            first + number,
            transfer.month_free_bytes if number else transfer.left_bytes,
            tuple(sorted(found, key=lambda part: order[part.name])),
        )
        for number, found in enumerate(chosen)
        if found
    ]


def _month_of(moment: datetime) -> int:
    """Counted since the year 0."""
    utc = moment.astimezone(timezone.utc)
    return utc.year * 12 + utc.month - 1


def month_lines(advice: InMonths, command: str) -> Iterator[str]:
    """Both sums, which folders in which month, and the ``command`` of the first."""
    free = round_size_text(advice.month_free_bytes)
    count = len(advice.months)
    yield f"All at once costs {money_text(advice.at_once_usd)}: only {free} a month may leave AWS for nothing."
    yield (
        f"In {count} month{'s' if count != 1 else ''} of at most {free} each it costs {money_text(advice.usd)}:"
        if all(month.bytes <= month.free_bytes for month in advice.months)
        else f"Spread over {count} months it costs {money_text(advice.usd)}:"
    )
    for month in advice.months:
        names = ", ".join(shown_path(part.name) for part in month.parts)
        yield f"  {month.title}  {size_text(month.bytes):>8}  {names}"
    yield f"For the first part, run: {command}"


def round_size_text(size_bytes: int) -> str:
    """``100 GB``."""
    return f"{size_bytes / GB:.0f} GB" if size_bytes >= GB else size_text(size_bytes)


def months_as_json(advice: InMonths | None) -> dict[str, object] | None:
    if advice is None:
        return None
    return {
        "at_once_usd": advice.at_once_usd,
        "usd": advice.usd,
        "months": [
            {
                "month": f"{month.number // 12}-{month.number % 12 + 1:02}",
                "bytes": month.bytes,
                "folders": [part.name for part in month.parts],
            }
            for month in advice.months
        ],
    }
