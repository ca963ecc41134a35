"""The two numbers that the service itself tells CloudWatch, as lines in its log (the embedded metric format).

They are a stage's as a whole, never a machine's. What AWS counts for nothing is not told again: events and how long
they wait by SQS, calls and failures of each function by Lambda. A number of one's own costs $0.30 a month, counted
by the hours in which it is told, and so these are told seldom.
"""

from __future__ import annotations

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "panicroom"

WORD_HOURS = 12
"""How far apart it is said that nothing failed. No word is an alarm: functions that cannot even be loaded tell
nothing."""

METRICS = {"Failures": MetricUnit.Count, "Findings": MetricUnit.Count}
"""Failures that were not foreseen, a weekly mail that could not be sent among them, and events that could not be
catalogued; what is wrong at the moment."""


def tell(stage: str, **values: float) -> None:
    """Writes one line with these metrics; the names are those of ``METRICS``."""
    line = EphemeralMetrics(namespace=NAMESPACE)
    line.add_dimension(name="stage", value=stage)
    for name, value in values.items():
        line.add_metric(name=name, unit=METRICS[name], value=value)
    line.flush_metrics()
