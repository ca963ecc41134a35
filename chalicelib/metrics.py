"""The few numbers that the service tells CloudWatch, as lines in its log (the embedded metric format).

They are a stage's as a whole, never a machine's. Beyond the ten that are free each costs $0.30 a month, counted by
the hours in which it is told: so what is told without an occasion is told four times a day. Dead letters are counted
by SQS itself.
"""

from __future__ import annotations

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "panicroom"

STATUS_HOURS = 6
"""How far apart the numbers are told that say how things stand; the alarm on a missed mail waits for them."""

METRICS = {
    "Uploads": MetricUnit.Count,
    "Events": MetricUnit.Count,
    "CatalogueLag": MetricUnit.Seconds,
    "Findings": MetricUnit.Count,
    "Errors": MetricUnit.Count,
    "WeeklyMailMissed": MetricUnit.Count,
}
"""Files that may be uploaded; changes catalogued; the time from S3's event to its row; what is wrong at the moment;
failures that were not foreseen; 1 where the weekly mail was due and could not be sent, else 0."""


def tell(stage: str, **values: float) -> None:
    """Writes one line with these metrics; the names are those of ``METRICS``."""
    line = EphemeralMetrics(namespace=NAMESPACE)
    line.add_dimension(name="stage", value=stage)
    for name, value in values.items():
        line.add_metric(name=name, unit=METRICS[name], value=value)
    line.flush_metrics()
