"""Whether the functions on a schedule run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from ops.doctor.patient import Patient
from ops.functions.compare_functions import wanted_service

SILENCE = timedelta(hours=6)
"""CloudWatch's numbers come late; a shorter time says nothing about a schedule that runs every minute."""


def schedules(patient: Patient) -> list[str]:
    cloudwatch, functions = patient.aws.client("cloudwatch"), patient.aws.client("lambda")
    wrong = []
    for short_name, every in _schedule_periods(patient):
        name = patient.stage.function(short_name)
        modified = functions.get_function_configuration(FunctionName=name)["LastModified"]
        changed = datetime.strptime(modified, "%Y-%m-%dT%H:%M:%S.%f%z")
        since = patient.now - max(2 * every, SILENCE)
        if changed > since:
            continue  # it may not have had its turn yet
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="Invocations",
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=since,
            EndTime=patient.now,
            Period=3600,
            Statistics=["Sum"],
        )
        if not sum(point["Sum"] for point in answer["Datapoints"]):
            wrong.append(
                f"{name} has not run since {since:%Y-%m-%d %H:%M} UTC: its rule in EventBridge's console, or"
                f" its log, says why; `python -m ops deploy --stage {patient.stage.name}` repairs the rule"
            )
    return wrong


def _schedule_periods(patient: Patient) -> Iterator[tuple[str, timedelta]]:
    for short_name, properties in wanted_service(patient.stage, patient.project).functions.items():
        for event in properties.get("Events", {}).values():
            if event["Type"] == "Schedule":
                yield short_name, schedule_period(event["Properties"]["Schedule"])


def schedule_period(expression: str) -> timedelta:
    """How far apart two runs of an EventBridge schedule are at most; for the forms that ``app.py`` has."""
    kind, _, inside = expression.rstrip(")").partition("(")
    words = inside.split()
    if kind == "rate":
        unit = words[1].rstrip("s") + "s"
        return timedelta(**{unit: int(words[0])})
    _, hour, _, _, weekday, _ = words
    if hour == "*":
        return timedelta(hours=1)
    return timedelta(days=1 if weekday in ("?", "*") else 7)
