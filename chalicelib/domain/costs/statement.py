"""What it costs: stored now, this month, the next, bringing everything back, and why it rose."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.backups.storage import STANDARD
from chalicelib.domain.costs.billed import gb_months
from chalicelib.domain.costs.changes import Advice, Removal, Rise, find_removal, find_rise, find_savings
from chalicelib.domain.costs.figures import Figures, JobFigures, first_price_monthly
from chalicelib.domain.costs.months import Month, Span, merged, month_of
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import (
    cut_short_cost,
    month_of_storage,
    put_cost,
    storage_cost,
    tags_cost,
    transition_cost,
)
from chalicelib.domain.costs.restore_costs import RestoreCost, restore_everything
from chalicelib.domain.costs.service_costs import Activity, ServicePart, service_cost
from chalicelib.domain.costs.shares import ClassLine, MachineLine, class_lines, machine_lines, sum_of_tallies
from chalicelib.domain.costs.usage import JobUsage

WEEKS_OF_TREND = 12


@dataclasses.dataclass(frozen=True)
class Bill:
    """A month, in parts that add up. ``thaws`` are planned prices, all that leaving AWS costs included; ``fees`` are
    for what is removed before its minimum stay is over."""

    storage: Decimal
    tags: Decimal
    requests: Decimal
    transitions: Decimal
    service: Decimal
    thaws: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        of_s3 = self.storage + self.tags + self.requests + self.transitions + self.fees
        return of_s3 + self.service + self.thaws


@dataclasses.dataclass(frozen=True)
class Statement:
    """Exact sums, but for the lines' shares, which are in cents and add up to ``monthly``.

    ``monthly`` is what keeping what is stored now costs a month, tags included. ``service`` is a whole month.
    """

    by_class: tuple[ClassLine, ...]
    by_machine: tuple[MachineLine, ...]
    tags: int
    tags_monthly: Decimal
    monthly: Decimal
    so_far: Bill
    forecast: Bill
    next_month: Bill
    puts: int
    moves: int
    service: tuple[ServicePart, ...]
    restores: tuple[RestoreCost, ...]
    rise: Rise | None
    removal: Removal | None
    advice: tuple[Advice, ...]
    prices: PriceTable

    @property
    def stored_bytes(self) -> int:
        return sum(line.current_bytes + line.noncurrent_bytes for line in self.by_class)


def state_costs(
    table: PriceTable,
    usages: Sequence[JobUsage],
    *,
    runs_a_month: int,
    mails_a_month: int,
    now: datetime,
    has_job_metrics: bool = False,
    thaws: Decimal = Decimal(0),
    before: tuple[Figures, Mapping[str, JobFigures]] | None = None,
) -> Statement:
    """The whole statement; ``thaws`` is what those of this month come to, ``before`` what the last report kept, by
    ``machine/job``. Raises ``PriceUnknown``."""
    month = month_of(now)
    by_class_cost = month_of_storage(table, sum_of_tallies([usage.stored for usage in usages]))
    tags = sum(usage.tags for usage in usages)
    staying_tags = tags_cost(table, tags)
    tags += sum(usage.let_go_tags for usage in usages)
    tags_monthly = tags_cost(table, tags)
    monthly = sum(by_class_cost.values(), tags_monthly)
    so_far = merged([usage.so_far for usage in usages])
    whole = merged([so_far, *(usage.rest for usage in usages)])
    following = merged([usage.next_month for usage in usages])
    activity = Activity(
        jobs=len(usages),
        sets=sum(usage.sets for usage in usages),
        runs=runs_a_month,
        objects=whole.put_objects,
        mails=mails_a_month,
        let_go=sum(usage.let_go_files for usage in usages),
        job_metrics=len(usages) if has_job_metrics else 0,
    )
    service = service_cost(table, activity)
    running = sum((part.after_allowance for part in service), Decimal(0))
    passed = month.share_until(now)
    rates = {f"{usage.machine}/{usage.job}": first_price_monthly(table, usage.stored) for usage in usages}
    return Statement(
        by_class=class_lines(usages, by_class_cost),
        by_machine=machine_lines(usages, rates, monthly),
        tags=tags,
        tags_monthly=tags_monthly,
        monthly=monthly,
        so_far=month_bill(table, so_far, month, staying_tags * passed, running * passed, thaws),
        forecast=month_bill(table, whole, month, staying_tags, running, thaws),
        next_month=month_bill(table, following, month.following(), staying_tags, running),
        puts=so_far.put_objects,
        moves=sum(so_far.moved.values()),
        service=service,
        restores=restore_everything(table, sum_of_tallies([usage.current for usage in usages])),
        rise=find_rise(table, usages, rates, monthly, before),
        removal=find_removal(table, usages, before[0].written_at) if before else None,
        advice=find_savings(table, usages),
        prices=table,
    )


def month_bill(
    table: PriceTable, span: Span, month: Month, tags: Decimal, service: Decimal, thaws: Decimal = Decimal(0)
) -> Bill:
    storage = sum(
        (
            storage_cost(table, name, gb_months(Decimal(byte_seconds) / 3600, month.hours))
            for name, byte_seconds in span.held.items()
        ),
        Decimal(0),
    )
    transitions = sum(
        (transition_cost(table, name, objects) for name, objects in span.moved.items()), Decimal(0)
    )
    fees = sum((cut_short_cost(table, name, cut) for name, cut in span.cut_short.items()), Decimal(0))
    tags += tags_cost(table, Decimal(span.tag_seconds) / 3600 / month.hours)
    puts = put_cost(table, STANDARD, span.put_objects)
    return Bill(storage, tags, puts, transitions, service, thaws, fees)
