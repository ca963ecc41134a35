"""Objects that come, move and go together, and what ten years of them cost by the service's own rules.

Left out: what the service itself costs (``docs/prices.md`` has that), and listings. A move is counted from the
upload, though S3 counts from the next midnight.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from chalicelib.domain.backups.storage import KEPT_IN_STANDARD, STANDARD, StoragePolicy
from chalicelib.domain.backups.tallies import Tallies, Tally, sum_tallies
from chalicelib.domain.costs.months import Month, SpanSum, month_of
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import get_cost, put_cost
from chalicelib.domain.costs.statement import month_bill

START = datetime(2027, 1, 4, 12, tzinfo=timezone.utc)
"""A Monday; all backups are made on Mondays."""
DAYS = 3650
END = START + timedelta(days=DAYS)


@dataclasses.dataclass(frozen=True)
class Lot:
    """``storage`` as of the service's policies; 0 days is a PUT straight into the class. ``hidden_at``: marked deleted,
    and billed until ``gone_at``; without ``hidden_at`` it can be read until then."""

    objects: Tally
    stored_at: datetime
    storage: StoragePolicy = KEPT_IN_STANDARD
    tagged: bool = False
    hidden_at: datetime | None = None
    gone_at: datetime | None = None

    @property
    def put_into(self) -> str:
        return self.storage.archive_class if self.storage.archive_after_days == 0 else STANDARD

    @property
    def moves_at(self) -> datetime | None:
        """``None`` where no rule moves it: it is where it belongs, or was marked deleted before."""
        moves_at = self.stored_at + timedelta(days=self.storage.archive_after_days)
        ends = [end for end in (self.hidden_at, self.gone_at) if end is not None]
        return moves_at if moves_at > self.stored_at and all(moves_at < end for end in ends) else None

    def stays(self) -> Iterator[tuple[str, datetime, datetime]]:
        """Class, begin and end of each stay; the last one ends with the ten years, or when it is gone."""
        end = self.gone_at or END
        if self.moves_at is None:
            yield self.put_into, self.stored_at, end
        else:
            yield STANDARD, self.stored_at, self.moves_at
            yield self.storage.archive_class, self.moves_at, end

    @property
    def unreadable_from(self) -> datetime | None:
        return self.hidden_at or self.gone_at

    def at_the_end(self) -> Tallies:
        """By class, what can be read of it when the ten years are over."""
        if self.unreadable_from is not None and self.unreadable_from <= END:
            return {}
        moved = self.moves_at is not None and self.moves_at <= END
        return {self.storage.archive_class if moved else self.put_into: self.objects}


class MonthUse:
    """What one month uses of S3, as the service's own bill counts it, and requests of other classes than Standard."""

    def __init__(self, month: Month) -> None:
        self.month = month
        self.span = SpanSum(month.start, min(month.end, END))
        self.straight: Counter[str] = Counter()
        self.tagged: Counter[str] = Counter()

    def fees(self, table: PriceTable) -> Decimal:
        """For what was removed before its minimum stay; a part of ``cost``."""
        return month_bill(table, self.span.span(), self.month, Decimal(0), Decimal(0)).fees

    def cost(self, table: PriceTable) -> Decimal:
        """All of it, in USD before tax; a tag that is written counts as a GET and a PUT of the class."""
        bill = month_bill(table, self.span.span(), self.month, Decimal(0), Decimal(0))
        requests = [put_cost(table, name, count) for name, count in self.straight.items()]
        requests += [
            get_cost(table, name, count) + put_cost(table, name, count) for name, count in self.tagged.items()
        ]
        return bill.total + sum(requests, Decimal(0))


def months_of(lots: Iterable[Lot]) -> tuple[MonthUse, ...]:
    """The months of the ten years with what the lots use; prices come later, as they differ by region."""
    months = [MonthUse(month_of(START))]
    while months[-1].month.end < END:
        months.append(MonthUse(months[-1].month.following()))
    for lot in lots:
        for storage_class, begin, end in lot.stays():
            _add_stay(months, lot, storage_class, begin, end)
        if lot.put_into != STANDARD:
            months[_number(lot.stored_at)].straight[lot.put_into] += lot.objects.count
        if lot.hidden_at is not None and lot.hidden_at < END:
            where = [name for name, begin, _ in lot.stays() if begin <= lot.hidden_at][-1]
            months[_number(lot.hidden_at)].tagged[where] += lot.objects.count
    return tuple(months)


def _add_stay(months: Sequence[MonthUse], lot: Lot, name: str, begin: datetime, end: datetime) -> None:
    if begin >= END:
        return
    count = lot.objects.count
    for use in months[_number(begin) : _number(min(end, END)) + 1]:
        use.span.hold(name, lot.objects, begin, end)
        use.span.remove(name, lot.objects, begin, end)
        if name != lot.put_into:
            use.span.move(name, count, begin)
        elif name == STANDARD:
            use.span.put(count, begin)
        if lot.tagged:
            use.span.tag(count, begin, end)
        if lot.hidden_at is not None:
            use.span.tag(count, max(begin, lot.hidden_at), end)


def _number(moment: datetime) -> int:
    return (moment.year - START.year) * 12 + moment.month - START.month


def readable_at_the_end(lots: Iterable[Lot]) -> Tallies:
    return sum_tallies(lot.at_the_end() for lot in lots)


def uploaded_bytes(lots: Iterable[Lot]) -> int:
    return sum(lot.objects.size_bytes for lot in lots)
