"""What failed within the last day: which function, how often, and what its log has about it.

The one alarm reports only that something did (docs/decisions/0032). A call that Lambda had to give up counts among the
function's ``Errors``; what the code caught, as behind the API, stands in its log alone.
"""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta
from typing import Any

from chalicelib.metrics import NAMESPACE
from ops.aws import Aws
from ops.stages import APP_NAME, Stage

LOOKED_BACK = timedelta(days=1)
ERROR_LINES = "ERROR"
"""What CloudWatch searches for: the code's own lines of that level, and Lambda's where code could not be loaded."""

MOST_PAGES = 50
"""CloudWatch answers with a page for each stretch of a log that it has searched, mostly empty ones."""


def failures(aws: Aws, stage: Stage, now: datetime) -> list[str]:
    """A sentence for each function that failed; the logs are searched only where something did."""
    since, cloudwatch = now - LOOKED_BACK, aws.client("cloudwatch")

    def count(namespace: str, metric: str, **dimensions: str) -> int:
        answer = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=since,
            EndTime=now,
            Period=3600,
            Statistics=["Sum"],
        )
        return int(sum(point["Sum"] for point in answer["Datapoints"]))

    failed = {name: count("AWS/Lambda", "Errors", FunctionName=name) for name in stage.functions.values()}
    if not any(failed.values()) and not count(NAMESPACE, "Failures", service=APP_NAME, stage=stage.name):
        return []
    found = []
    for name, calls in failed.items():
        lines = _error_lines(aws.client("logs"), f"/aws/lambda/{name}", since)
        if calls or lines:
            found.append(_sentence(name, calls, lines, since))
    return found


def _error_lines(logs: Any, group: str, since: datetime) -> list[str]:
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=int(since.timestamp() * 1000), filterPattern=ERROR_LINES
    )
    try:
        found = [event["message"] for page in itertools.islice(pages, MOST_PAGES) for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []  # it has never been called
    return [line for line in found if ERROR_LINES in line]  # MiniStack finds small letters, too


def _sentence(name: str, calls: int, lines: list[str], since: datetime) -> str:
    last = f", the last: {_message(lines[-1])}" if lines else ""
    return (
        f"{name}: failed calls: {calls}, errors in its log: {len(lines)}, since {since:%Y-%m-%d %H:%M} UTC{last}."
        f" `aws logs filter-log-events --log-group-name /aws/lambda/{name} --filter-pattern {ERROR_LINES}`"
        " shows them whole"
    )


def _message(line: str) -> str:
    try:
        fields = json.loads(line)
    except ValueError:
        return line.strip().partition("\n")[0]
    return ", ".join(str(fields[name]) for name in ("message", "exception_name") if fields.get(name))
