"""Why a month costs more than the one before, and what would save."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.backups.storage import STANDARD
from chalicelib.domain.backups.tallies import sum_tallies, total_bytes
from chalicelib.domain.costs.billed import GB
from chalicelib.domain.costs.figures import Figures, JobFigures, first_price_monthly
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import transition_cost
from chalicelib.domain.costs.usage import JobUsage

RISE_REPORTED_FROM = Decimal("0.20")
RISE_REPORTED_USD = Decimal("0.01")
"""A rise that cannot be seen in cents is none."""

ADVICE_MONTHS = 12
ADVICE_SAVES_USD = Decimal(1)
"""Advice is given where a year of it saves a dollar more than it costs."""


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
class Removal:
    """What was let go and has been removed for good ``since``: less is stored, and nobody need look for it.
    ``monthly`` is what keeping it would cost."""

    since: datetime
    size_bytes: int
    monthly: Decimal


@dataclasses.dataclass(frozen=True)
class Advice:
    """Worth doing: saves ``monthly``, costs ``once``."""

    machine: str
    job: str
    what: str
    monthly: Decimal
    once: Decimal


def find_rise(
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


def find_removal(table: PriceTable, usages: Sequence[JobUsage], since: datetime) -> Removal | None:
    removed = sum_tallies(usage.news.removed for usage in usages)
    if not removed:
        return None
    return Removal(since, total_bytes(removed), first_price_monthly(table, removed))


def find_savings(table: PriceTable, usages: Sequence[JobUsage]) -> tuple[Advice, ...]:
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
                    "Older versions are hidden, kept and billed. What an unfinished or quarantined set takes goes with"
                    " `python -m ops retention drop`; `python -m ops audit` says how others can go.",
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
