"""What the service itself costs beside what it stores: its functions, table, queue, alarms and mails.

Counted from what a month brings, not measured; the numbers below are those of this code. AWS's allowances that
never end (https://aws.amazon.com/free/, "Always free") are taken off in one of the two sums; those of an account's
first year are not, and somebody who runs more than this in one account has used them up already.
"""

from __future__ import annotations

import dataclasses
import functools
from decimal import Decimal

from chalicelib.domain.costs.price_table import PriceTable

FUNCTION_GB = Decimal("0.25")
CALL_SECONDS = Decimal("0.3")

MINUTE_CALLS = 43_200
MINUTE_CALL_SECONDS = Decimal("0.1")
"""Whether an alert is due: always warm, four reads, and 6 ms of CPU time, which take seven times as
long with the seventh of a core that 256 MB come with."""

OTHER_SCHEDULED_CALLS = 720 + 30 + 30
"""A month of 30 days: each hour whether a mail is due, the daily audit, and what is let go each day."""

RECONCILE_CALLS = 720
RECONCILE_GB = Decimal(1)
RECONCILES_A_MONTH = 5
"""Each hour whether a job is still to be compared with its bucket this week, which takes ``CALL_SECONDS`` as well."""

READS_A_SCHEDULED_CALL = 4
EVALUATIONS = 1_440
SET_BYTES = 280
READ_UNIT_BYTES = 2 * 4_096
"""Each job's state is evaluated every half hour from the rows of its sets: one query, not consistent, of which 8 KB
are a read unit."""

CALLS_A_RUN = 12
FILES_A_CALL = 20
"""A run asks for its lease, keeps it, lists, and asks for URLs in batches."""

READS_AN_API_CALL = 3

OBJECTS_A_BATCH = 5
WRITES_AN_OBJECT = 4
READS_AN_OBJECT = 6
"""Object and set in one transaction, each written twice by it; what a set weighs is read with it."""

EVENTS_OF_LETTING_GO = 3
GETS_OF_LETTING_GO = 2
"""Each file of a chain that goes brings an event when it is marked deleted, when S3 removes it and when S3 removes the
marker. Its tags are read and written (a PUT) before, and the chain's manifests are looked at, with those of the chain
that stays; of the LISTs each takes 1,000 files. DELETE is free."""

POLLING_REQUESTS = 648_000
"""Lambda asks a queue with five pollers, each of which waits 20 s: 15 requests a minute, all month. The Lambda
developer guide, "Using Lambda with Amazon SQS"."""

REQUESTS_AN_EVENT = 3
"""It is sent, received and deleted."""

ALARMS = 1
METRIC_HOURS_A_DAY = 3
"""CloudWatch bills the hours in which a metric is sent: two heartbeats a day, and the findings once."""

LOG_KB_A_CALL = 1
"""A line or two of 150 to 350 bytes, and the three by Lambda itself."""

LOG_KB_A_METRIC = Decimal("0.4")
"""A line of 350 bytes."""

FREE_LAMBDA_CALLS = 1_000_000
FREE_LAMBDA_GB_SECONDS = 400_000
FREE_QUEUE_REQUESTS = 1_000_000
FREE_ALARMS = 10
FREE_METRICS = 10
FREE_LOG_GB = 5


@dataclasses.dataclass(frozen=True)
class Activity:
    """What a month brings. ``sets`` are those that are kept, ``mails`` counts recipients, ``let_go`` files of chains
    that are let go."""

    jobs: int
    sets: int
    runs: int
    objects: int
    mails: int
    let_go: int = 0
    job_metrics: int = 0
    """Jobs with a metric of their own, which is sent with each evaluation."""


@dataclasses.dataclass(frozen=True)
class ServicePart:
    """A line of the service's own bill: in full, and after the allowances that never end."""

    name: str
    in_full: Decimal
    after_allowance: Decimal


def service_cost(table: PriceTable, activity: Activity) -> tuple[ServicePart, ...]:
    """Raises ``PriceUnknown`` where the table lacks one of the prices."""
    api_calls = activity.runs * CALLS_A_RUN + activity.objects // FILES_A_CALL
    events = activity.objects + EVENTS_OF_LETTING_GO * activity.let_go
    gets = activity.objects + GETS_OF_LETTING_GO * activity.let_go
    other_calls = OTHER_SCHEDULED_CALLS + api_calls + events // OBJECTS_A_BATCH
    calls = MINUTE_CALLS + other_calls + RECONCILE_CALLS
    log_kb = Decimal(calls * LOG_KB_A_CALL) + EVALUATIONS * activity.job_metrics * LOG_KB_A_METRIC
    part = functools.partial(_part, table)
    return (
        part(
            "functions",
            ("lambda/request", calls, FREE_LAMBDA_CALLS),
            ("lambda/gb-second", _gb_seconds(activity, other_calls), FREE_LAMBDA_GB_SECONDS),
        ),
        part("API", ("api/request", api_calls, 0)),
        part(
            "table",
            ("dynamodb/write", events * WRITES_AN_OBJECT + api_calls, 0),
            ("dynamodb/read", _table_reads(activity, events, api_calls), 0),
        ),
        part("queue", ("sqs/request", POLLING_REQUESTS + REQUESTS_AN_EVENT * events, FREE_QUEUE_REQUESTS)),
        # For each event the catalogue asks S3 what the key holds, a LIST, which costs as much as a PUT; and its tag.
        part("looking at S3", ("put/STANDARD", events + activity.let_go, 0), ("get/STANDARD", gets, 0)),
        part(
            "alarms and logs",
            ("cloudwatch/alarm", ALARMS, FREE_ALARMS),
            ("cloudwatch/metric", Decimal(METRIC_HOURS_A_DAY) / 24 + activity.job_metrics, FREE_METRICS),
            ("logs/gb", log_kb / 2**20, FREE_LOG_GB),
        ),
        part("mail", ("ses/message", activity.mails, 0)),
    )


def _gb_seconds(activity: Activity, other_calls: int) -> Decimal:
    """Of all functions; ``other_calls`` are all but those of each minute and of the reconciling function."""
    usual = MINUTE_CALLS * MINUTE_CALL_SECONDS + other_calls * CALL_SECONDS
    reconciling = (RECONCILE_CALLS + RECONCILES_A_MONTH * activity.jobs) * CALL_SECONDS
    return usual * FUNCTION_GB + reconciling * RECONCILE_GB


def _table_reads(activity: Activity, events: int, api_calls: int) -> int:
    """In read units."""
    return (
        events * READS_AN_OBJECT
        + READS_AN_API_CALL * api_calls
        + EVALUATIONS * (activity.jobs + activity.sets * SET_BYTES // READ_UNIT_BYTES)
        + READS_A_SCHEDULED_CALL * (MINUTE_CALLS + OTHER_SCHEDULED_CALLS + RECONCILE_CALLS)
    )


def _part(table: PriceTable, name: str, *priced: tuple[str, Decimal | int, int]) -> ServicePart:
    """``priced``: price, amount, and what of the amount is always free."""
    full = sum((table.first(price) * amount for price, amount, _ in priced), Decimal(0))
    reduced = sum(
        (table.first(price) * max(Decimal(0), Decimal(amount) - free) for price, amount, free in priced),
        Decimal(0),
    )
    return ServicePart(name, full, reduced)
