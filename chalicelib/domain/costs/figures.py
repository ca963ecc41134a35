"""What is kept of a report, so that the next one can be compared with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.backups.tallies import Tallies, total_bytes
from chalicelib.domain.costs.billed import GB, billed_in_all
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.usage import JobUsage


@dataclasses.dataclass(frozen=True)
class JobFigures:
    """Of one job, kept for the next report: money in USD a month, at the price of each class's first GB."""

    monthly: Decimal
    current_bytes: int
    noncurrent_bytes: int

    def __add__(self, other: JobFigures) -> JobFigures:
        return JobFigures(
            self.monthly + other.monthly,
            self.current_bytes + other.current_bytes,
            self.noncurrent_bytes + other.noncurrent_bytes,
        )


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


def figures_by_machine(jobs: Mapping[str, JobFigures]) -> dict[str, JobFigures]:
    """``jobs`` are named by ``machine/job``."""
    sums: dict[str, JobFigures] = {}
    for name, figures in jobs.items():
        machine = name.partition("/")[0]
        sums[machine] = sums[machine] + figures if machine in sums else figures
    return sums


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
