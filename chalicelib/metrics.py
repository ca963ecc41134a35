"""The metrics of the service's own, as lines in its log (CloudWatch's embedded metric format).

Two of a stage; and, where the owner wants it, one of each job. What AWS counts for free is not counted again: SQS
counts events and how long they wait, Lambda calls and errors. A custom metric costs $0.30 a month, by the hours in
which it is sent, so the stage's own are sent seldom.
"""

from __future__ import annotations

from datetime import timedelta

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "panicroom"

HEARTBEAT_HOURS = 12
"""Hours between heartbeats (``Failures=0``). A missing one raises the alarm, since broken functions send none."""

METRICS = {"Failures": MetricUnit.Count, "Findings": MetricUnit.Count}
"""``Failures``: unexpected errors (an unsent weekly mail is one) and events that could not be catalogued.
``Findings``: open findings."""

BACKUP_AGE = "BackupAge"
"""Seconds since a job's newest complete backup: of all jobs or, unless the owner asks for it, of none."""


def emit(stage: str, **values: float) -> None:
    """Writes one line with these metrics; the names are those of ``METRICS``."""
    line = EphemeralMetrics(namespace=NAMESPACE)
    line.add_dimension(name="stage", value=stage)
    for name, value in values.items():
        line.add_metric(name=name, unit=METRICS[name], value=value)
    line.flush_metrics()


def emit_backup_age(stage: str, machine: str, job: str, age: timedelta) -> None:
    """Writes one line with the age of a job's newest backup."""
    line = EphemeralMetrics(namespace=NAMESPACE)
    for name, value in (("stage", stage), ("machine", machine), ("job", job)):
        line.add_dimension(name=name, value=value)
    line.add_metric(name=BACKUP_AGE, unit=MetricUnit.Seconds, value=age.total_seconds())
    line.flush_metrics()
