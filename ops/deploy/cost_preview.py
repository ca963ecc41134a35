"""What the service itself will cost a month, before it is deployed."""

from __future__ import annotations

from decimal import Decimal

from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.service_costs import Activity, ServicePart, service_cost

RUNS_A_MONTH = 30


OBJECTS_A_RUN = 7
"""Of an increment a day of some 100 MB in volumes of 25 MB: four volumes, and its signatures, manifest and jsonstat."""


MAILS_A_MONTH = 5


JOB_METRIC_USD = Decimal("0.30")
"""A custom metric of CloudWatch, a month; the same in every region that has a price table."""


def service_month(table: PriceTable, machines: int) -> tuple[Decimal, Decimal]:
    """What the service itself costs a month: in full, and after the allowances that never end."""
    parts = service_cost(table, _activity(machines))
    return _sum_of(parts, "in_full"), _sum_of(parts, "after_allowance")


def _activity(machines: int) -> Activity:
    """A month of so many machines with one job each, after a year, and one owner who gets the mail."""
    runs = machines * RUNS_A_MONTH
    return Activity(machines, 12 * runs, runs, objects=runs * OBJECTS_A_RUN, mails=MAILS_A_MONTH)


def _sum_of(parts: tuple[ServicePart, ...], kind: str) -> Decimal:
    return sum((getattr(part, kind) for part in parts), Decimal(0))
