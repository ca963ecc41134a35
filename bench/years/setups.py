"""A set-up: what is stored in ten years, when it goes, and what a restore of the newest state reads."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal

from bench.years.lots import END, Lot, MonthUse, months_of, readable_at_the_end, uploaded_bytes
from chalicelib.domain.backups.tallies import Tally, total_bytes
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import FREE_TRANSFER_GB
from chalicelib.domain.costs.restore_costs import restore_everything
from chalicelib.wire import ThawTier

LotChain = tuple[Lot, ...]


@dataclasses.dataclass(frozen=True)
class TenYears:
    """``newest`` is what a restore of everything reads at the end; ``broken_days`` are those on which the newest set
    could not be restored; ``after_a_silent_year`` is what is lost when no backup was made for so long."""

    name: str
    lots: Sequence[Lot]
    newest: Sequence[Lot]
    broken_days: int = 0
    after_a_silent_year: str = "nothing"

    @functools.cached_property
    def months(self) -> tuple[MonthUse, ...]:
        return months_of(self.lots)

    @property
    def uploaded_gb(self) -> float:
        return uploaded_bytes(self.lots) / GB

    def cost(self, table: PriceTable) -> Decimal:
        return sum((month.cost(table) for month in self.months), Decimal(0))

    def fees(self, table: PriceTable) -> Decimal:
        """For deleting early; a part of ``cost``."""
        return sum((month.fees(table) for month in self.months), Decimal(0))

    def cumulative(self, table: PriceTable) -> list[Decimal]:
        """What it has cost by the end of each month."""
        sums = [Decimal(0)]
        for month in self.months:
            sums.append(sums[-1] + month.cost(table))
        return sums[1:]

    def back_at_once(self, table: PriceTable) -> Decimal | None:
        """Everything in one month, thawed by Bulk where it is archived; ``None`` where a price is not known."""
        return _back(table, self.newest, 1)

    @property
    def months_to_spread(self) -> int:
        """So many months of what leaves AWS for free; a twentieth more is rather paid for than waited for."""
        free_bytes = FREE_TRANSFER_GB * GB
        size_bytes = total_bytes(readable_at_the_end(self.newest)) - free_bytes // 20
        return max(1, -(-size_bytes // free_bytes))

    def back_spread(self, table: PriceTable) -> Decimal | None:
        return _back(table, self.newest, self.months_to_spread)


def _back(table: PriceTable, lots: Iterable[Lot], months: int) -> Decimal | None:
    part = {
        name: Tally(-(-tally.count // months), -(-tally.size_bytes // months))
        for name, tally in readable_at_the_end(lots).items()
    }
    [cost] = [one.cost for one in restore_everything(table, part) if one.tier in (None, ThawTier.BULK)]
    return None if cost is None else cost * months


def broken_days(chains: Sequence[LotChain]) -> int:
    """Days on which something below the newest set had gone, of chains in the order of their full sets."""
    following = [chain[0].stored_at for chain in chains[1:]] + [END]
    days = timedelta(0)
    for chain, until in zip(chains, following, strict=True):
        gone = min((lot.unreadable_from for lot in chain if lot.unreadable_from), default=until)
        days += max(until - gone, timedelta(0))
    return days.days


def flat(chains: Iterable[LotChain]) -> LotChain:
    return tuple(lot for chain in chains for lot in chain)


def gone_later(lots: Iterable[Lot], days: int) -> list[Lot]:
    """As they would be if what was let go were billed so many days longer; with fewer than none, shorter."""
    later = timedelta(days=days)
    return [
        dataclasses.replace(
            lot,
            gone_at=lot.gone_at and lot.gone_at + later,
            hidden_at=lot.hidden_at and (lot.hidden_at + later if days < 0 else lot.hidden_at),
        )
        for lot in lots
    ]
