"""What it costs: stored now, this month, the next, bringing everything back, and why it rose."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from chalicelib.domain.backups.sets import Tallies, Tally, add_tallies, total_bytes
from chalicelib.domain.backups.storage import ARCHIVE_CLASSES, STANDARD
from chalicelib.domain.costs.price_table import PriceTable, PriceUnknown
from chalicelib.domain.costs.pricing import (
    GB,
    THAW_HOURS,
    ThawTier,
    billed_in_all,
    gb_months,
    get_cost,
    month_of_storage,
    put_cost,
    read_cost,
    shares_in_cents,
    storage_cost,
    tags_cost,
    thaw_cost,
    transfer_out_cost,
    transition_cost,
)
from chalicelib.domain.costs.service_costs import Activity, ServicePart, service_cost
from chalicelib.domain.costs.usage import JobUsage, Month, Span, month_of

RISE_REPORTED_FROM = Decimal("0.20")
RISE_REPORTED_USD = Decimal("0.01")
"""A rise that cannot be seen in cents is none."""

ADVICE_MONTHS = 12
ADVICE_SAVES_USD = Decimal(1)
"""Advice is given where a year of it saves a dollar more than it costs."""

THAWED_DAYS = 7
"""How long a thawed copy is kept while it is fetched."""

LINE_BYTES_A_SECOND = 12_500_000
"""100 Mbit/s, for how long fetching everything takes; the mail names it."""

WEEKS_OF_TREND = 12


@dataclasses.dataclass(frozen=True)
class JobFigures:
    """Of one job, kept for the next report: money in USD a month, at the price of each class's first GB."""

    monthly: Decimal
    current_bytes: int
    noncurrent_bytes: int


@dataclasses.dataclass(frozen=True)
class Figures:
    """What is kept of a report. Money is USD; ``monthly`` is what keeping what is stored costs a month."""

    written_at: datetime
    backups: int
    in_need: int
    stored_bytes: int
    monthly: Decimal | None
    so_far: Decimal | None
    forecast: Decimal | None


@dataclasses.dataclass(frozen=True)
class ClassLine:
    """``overhead_bytes`` is what is billed beyond the bytes themselves."""

    storage_class: str
    current_bytes: int
    noncurrent_bytes: int
    overhead_bytes: int
    monthly: Decimal


@dataclasses.dataclass(frozen=True)
class MachineLine:
    machine: str
    stored_bytes: int
    monthly: Decimal


@dataclasses.dataclass(frozen=True)
class RestoreCost:
    """Bringing back everything that is current; ``tier`` is ``None`` where nothing is archived.

    ``cost`` is ``None`` where a price is not known; ``transfer`` is the part of it that leaving AWS costs. ``wait`` is
    until everything can be read, ``fetch`` at 100 Mbit/s from then on.
    """

    tier: ThawTier | None
    cost: Decimal | None
    transfer: Decimal
    wait: timedelta
    fetch: timedelta


@dataclasses.dataclass(frozen=True)
class Rise:
    """``percent`` since ``since``; ``cause`` is the end of a sentence."""

    percent: int
    since: datetime
    before: Decimal
    machine: str
    job: str
    cause: str


@dataclasses.dataclass(frozen=True)
class Advice:
    """Worth doing: saves ``monthly``, costs ``once``."""

    machine: str
    job: str
    what: str
    monthly: Decimal
    once: Decimal


@dataclasses.dataclass(frozen=True)
class Bill:
    """A month, in parts that add up."""

    storage: Decimal
    tags: Decimal
    requests: Decimal
    transitions: Decimal
    service: Decimal

    @property
    def total(self) -> Decimal:
        return self.storage + self.tags + self.requests + self.transitions + self.service


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
    before: tuple[Figures, Mapping[str, JobFigures]] | None = None,
) -> Statement:
    """The whole statement; ``before`` is what the last report kept, by ``machine/job``. Raises ``PriceUnknown``."""
    month = month_of(now)
    by_class_cost = month_of_storage(table, _sum_of_tallies([usage.stored for usage in usages]))
    tags = sum(usage.tags for usage in usages)
    tags_monthly = tags_cost(table, tags)
    monthly = sum(by_class_cost.values(), tags_monthly)
    so_far = _merged([usage.so_far for usage in usages])
    rest = _merged([usage.rest for usage in usages])
    this_whole = _merged([so_far, rest])
    activity = Activity(
        len(usages), sum(usage.sets for usage in usages), runs_a_month, this_whole.put_objects, mails_a_month
    )
    service = service_cost(table, activity)
    service_total = sum((part.after_allowance for part in service), Decimal(0))
    passed = Decimal((now - month.start).total_seconds()) / Decimal((month.end - month.start).total_seconds())
    rates = {f"{usage.machine}/{usage.job}": first_price_monthly(table, usage.stored) for usage in usages}
    return Statement(
        by_class=_class_lines(usages, by_class_cost),
        by_machine=_machine_lines(usages, rates, monthly),
        tags=tags,
        tags_monthly=tags_monthly,
        monthly=monthly,
        so_far=_bill(table, so_far, month, tags_monthly * passed, service_total * passed),
        forecast=_bill(table, this_whole, month, tags_monthly, service_total),
        next_month=_bill(
            table,
            _merged([usage.next_month for usage in usages]),
            month.following(),
            tags_monthly,
            service_total,
        ),
        puts=so_far.put_objects,
        moves=sum(so_far.moved.values()),
        service=service,
        restores=restore_everything(table, _sum_of_tallies([usage.current for usage in usages])),
        rise=_rise(table, usages, rates, monthly, before),
        advice=_advice(table, usages),
        prices=table,
    )


def first_price_monthly(table: PriceTable, stored: Tallies) -> Decimal:
    """A month of storage at the first step's prices, so that jobs can be compared and added."""
    return sum(
        (
            Decimal(size_bytes) / GB * table.first(f"storage/{storage_class}")
            for storage_class, size_bytes in billed_in_all(stored).items()
        ),
        Decimal(0),
    )


def job_figures(table: PriceTable, usages: Sequence[JobUsage]) -> dict[str, JobFigures]:
    """What is kept of each job, by ``machine/job``."""
    return {
        f"{usage.machine}/{usage.job}": JobFigures(
            first_price_monthly(table, usage.stored),
            total_bytes(usage.current),
            total_bytes(usage.noncurrent),
        )
        for usage in usages
    }


# ---------------------------------------------------------------- a month


def _merged(spans: Sequence[Span]) -> Span:
    held: dict[str, int] = {}
    moved: dict[str, int] = {}
    for span in spans:
        for name, amount in span.held.items():
            held[name] = held.get(name, 0) + amount
        for name, amount in span.moved.items():
            moved[name] = moved.get(name, 0) + amount
    return Span(held, moved, sum(span.put_objects for span in spans))


def _bill(table: PriceTable, span: Span, month: Month, tags: Decimal, service: Decimal) -> Bill:
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
    return Bill(storage, tags, put_cost(table, STANDARD, span.put_objects), transitions, service)


# ---------------------------------------------------------------- what is stored


def _class_lines(usages: Sequence[JobUsage], costs: Mapping[str, Decimal]) -> tuple[ClassLine, ...]:
    current = _sum_of_tallies([usage.current for usage in usages])
    noncurrent = _sum_of_tallies([usage.noncurrent for usage in usages])
    billed = billed_in_all(add_tallies(current, noncurrent))
    total = sum(costs.values(), Decimal(0))
    cents = shares_in_cents(total, costs)
    lines = []
    for name in sorted(billed, key=lambda name: (-costs[name], name)):
        now, hidden = (tallies.get(name, Tally()).size_bytes for tallies in (current, noncurrent))
        lines.append(ClassLine(name, now, hidden, billed[name] - now - hidden, cents[name]))
    return tuple(lines)


def _machine_lines(
    usages: Sequence[JobUsage], rates: Mapping[str, Decimal], total: Decimal
) -> tuple[MachineLine, ...]:
    weights: dict[str, Decimal] = {}
    stored: dict[str, int] = {}
    for usage in usages:
        rate = rates[f"{usage.machine}/{usage.job}"]
        weights[usage.machine] = weights.get(usage.machine, Decimal(0)) + rate
        stored[usage.machine] = stored.get(usage.machine, 0) + usage.stored_bytes
    cents = shares_in_cents(total, weights)
    names = sorted(weights, key=lambda name: (-weights[name], name))
    return tuple(MachineLine(name, stored[name], cents[name]) for name in names)


def _sum_of_tallies(many: Sequence[Tallies]) -> Tallies:
    total: dict[str, Tally] = {}
    for tallies in many:
        for name, tally in tallies.items():
            total[name] = total.get(name, Tally()) + tally
    return total


# ---------------------------------------------------------------- bringing it back


def restore_everything(table: PriceTable, current: Tallies) -> tuple[RestoreCost, ...]:
    """What fetching all current files costs and takes, a line for each tier that makes a difference."""
    archived = {name: tally for name, tally in current.items() if name in ARCHIVE_CLASSES}
    if not total_bytes(current):
        return ()
    tiers: list[ThawTier | None] = [None]
    if archived:
        tiers = [tier for tier in ThawTier if any(tier in THAW_HOURS[name] for name in archived)]
    return tuple(_restore(table, current, archived, tier) for tier in tiers)


def _restore(table: PriceTable, current: Tallies, archived: Tallies, tier: ThawTier | None) -> RestoreCost:
    used = {name: _tier_of(name, tier) for name in archived} if tier else {}
    hours = max((THAW_HOURS[name][used_tier][1] for name, used_tier in used.items()), default=Decimal(0))
    size_bytes = total_bytes(current)
    transfer = transfer_out_cost(table, size_bytes)
    try:
        cost: Decimal | None = transfer + sum(
            (
                get_cost(table, name, tally.count) + read_cost(table, name, tally.size_bytes)
                for name, tally in current.items()
            ),
            Decimal(0),
        )
        for name, used_tier in used.items():
            assert cost is not None
            cost += thaw_cost(table, name, used_tier, archived[name], THAWED_DAYS)
    except PriceUnknown:
        cost = None
    wait = timedelta(minutes=int(hours * 60))
    return RestoreCost(tier, cost, transfer, wait, timedelta(seconds=size_bytes // LINE_BYTES_A_SECOND))


def _tier_of(storage_class: str, tier: ThawTier) -> ThawTier:
    """The tier, or the fastest there is where the class lacks it."""
    return tier if tier in THAW_HOURS[storage_class] else ThawTier.STANDARD


# ---------------------------------------------------------------- why it rose, and what would save


def _rise(
    table: PriceTable,
    usages: Sequence[JobUsage],
    rates: Mapping[str, Decimal],
    monthly: Decimal,
    before: tuple[Figures, Mapping[str, JobFigures]] | None,
) -> Rise | None:
    if before is None or not before[0].monthly:
        return None
    figures, jobs = before
    assert figures.monthly is not None
    risen = monthly - figures.monthly
    if risen <= figures.monthly * RISE_REPORTED_FROM or risen < RISE_REPORTED_USD:
        return None

    def grown(usage: JobUsage) -> Decimal:
        name = f"{usage.machine}/{usage.job}"
        return rates[name] - (jobs[name].monthly if name in jobs else 0)

    most = max(usages, key=grown)
    known = jobs.get(f"{most.machine}/{most.job}")
    percent = int(risen * 100 / figures.monthly)
    cause = _cause(table, most, known)
    return Rise(percent, figures.written_at, figures.monthly, most.machine, most.job, cause)


def _cause(table: PriceTable, usage: JobUsage, known: JobFigures | None) -> str:
    if known is None:
        return "it is new"
    hidden = total_bytes(usage.noncurrent) - known.noncurrent_bytes
    causes = {
        "a new full backup": usage.news.full_bytes,
        f"{usage.news.increments} increment{'' if usage.news.increments == 1 else 's'}": (
            usage.news.increment_bytes
        ),
        "older versions, which are kept and billed": hidden,
    }
    what, size_bytes = max(causes.items(), key=lambda pair: pair[1])
    if size_bytes <= 0:
        return "what it has stored costs more than it did"
    standard = table.first(f"storage/{STANDARD}")
    return f"{what} ({Decimal(size_bytes) / GB:.2f} GB, at ${standard} a GB until it moves)"


def _advice(table: PriceTable, usages: Sequence[JobUsage]) -> tuple[Advice, ...]:
    found = []
    for usage in usages:
        archive = f"storage/{usage.archive_class}"
        if usage.unmoved.size_bytes and table.knows(archive, f"transition/{usage.archive_class}"):
            cheaper = table.first(f"storage/{STANDARD}") - table.first(archive)
            found.append(
                Advice(
                    usage.machine,
                    usage.job,
                    "Volumes that should have moved out of Standard are still there: check the bucket's lifecycle"
                    " rules (`python -m ops audit`).",
                    Decimal(usage.unmoved.size_bytes) / GB * cheaper,
                    transition_cost(table, usage.archive_class, usage.unmoved.count),
                )
            )
        if usage.noncurrent:
            found.append(
                Advice(
                    usage.machine,
                    usage.job,
                    "Older versions are hidden, kept and billed. If you will not need them, have a lifecycle rule"
                    " remove noncurrent versions after 90 days, when their minimum stay is over.",
                    first_price_monthly(table, usage.noncurrent),
                    Decimal(0),
                )
            )
    worth = [advice for advice in found if advice.monthly * ADVICE_MONTHS - advice.once >= ADVICE_SAVES_USD]
    return tuple(
        sorted(
            worth,
            key=lambda advice: (advice.once - advice.monthly * ADVICE_MONTHS, advice.machine, advice.job),
        )
    )
