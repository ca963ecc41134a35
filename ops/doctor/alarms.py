"""Whether alarms are raised, and whether anybody hears of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from chalicelib.metrics import HEARTBEAT_HOURS
from ops.doctor.patient import Patient
from ops.resources.alarm_subscription import CONFIRM_WITHIN_HOURS, unconfirmed
from ops.resources.webhook_subscription import webhook_complaints


def alarms(patient: Patient) -> list[str]:
    pages = (
        patient.aws.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"{patient.stage.prefix}-")
    )
    return [
        *(
            line
            for page in pages
            for alarm in page["MetricAlarms"]
            for line in alarm_complaints(alarm, patient.now)
        ),
        *(
            f"{address} has not confirmed that it wants alarms: follow the link in the mail from AWS"
            f" Notifications. AWS forgets the question after {CONFIRM_WITHIN_HOURS} hours;"
            f" `python -m ops deploy --stage {patient.stage.name}` then asks again"
            for address in unconfirmed(patient.aws.client("sns"), patient.stage)
        ),
        *webhook_complaints(patient.aws.client("sns"), patient.stage),
    ]


def alarm_complaints(alarm: Mapping[str, Any], now: datetime) -> list[str]:
    """What an alarm's state means; the alarm itself only sends its reader here."""
    name, since = alarm["AlarmName"], alarm["StateUpdatedTimestamp"]
    if alarm["StateValue"] == "ALARM":
        where = "what failed stands under Events, Failures or Mail here"
        ends = f"the alarm ends by itself within {2 * HEARTBEAT_HOURS} hours of the last failure"
        return [f"{name} is raised since {since:%Y-%m-%d %H:%M} UTC: {where}; {ends}"]
    # A new alarm has no data until the first word.
    if alarm["StateValue"] == "INSUFFICIENT_DATA" and now - since > timedelta(hours=2 * HEARTBEAT_HOURS):
        why = "has not run, or cannot be loaded: Functions, Failures or Schedules here say why"
        return [f"{name} has no data since {since:%Y-%m-%d %H:%M} UTC: the function that reports them {why}"]
    return []
