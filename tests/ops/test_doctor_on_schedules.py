"""The doctor misses a function on a schedule that has not run, whichever it is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ops.aws import Aws
from ops.doctor.patient import Patient
from ops.doctor.schedules import schedules
from ops.functions.package import PROJECT
from ops.stages import LOCAL

SCHEDULED = ("weekly_report", "alerts", "daily_audit", "let_go", "weekly_reconcile")


class Account(Aws):
    """One in which all functions were changed long ago; moto writes the time in a form that AWS does not."""

    def client(self, service: str, **options: Any) -> Any:
        return self if service == "lambda" else super().client(service, **options)

    def get_function_configuration(self, **_: str) -> dict[str, str]:
        return {"LastModified": "2026-01-01T00:00:00.000+0000"}


@pytest.fixture
def patient(moto_account: None) -> Patient:
    return Patient(Account(LOCAL.region), LOCAL, PROJECT, datetime.now(timezone.utc))


def ran(patient: Patient, short_name: str, ago: timedelta) -> None:
    dimensions = [{"Name": "FunctionName", "Value": LOCAL.function(short_name)}]
    at = patient.now - ago
    patient.aws.client("cloudwatch").put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": "Invocations",
                "Dimensions": dimensions,
                "Timestamp": at,
                "Value": 1,
                "Unit": "Count",
            }
        ],
    )


def test_a_schedule_that_is_kept_is_well(patient: Patient) -> None:
    for short_name in SCHEDULED:
        ran(patient, short_name, timedelta(hours=1))
    assert schedules(patient) == []


@pytest.mark.parametrize("missing", ["let_go", "daily_audit"])
def test_a_daily_function_that_has_not_run_for_two_days_is_named(patient: Patient, missing: str) -> None:
    for short_name in SCHEDULED:
        ran(patient, short_name, timedelta(hours=49 if short_name == missing else 1))
    [said] = schedules(patient)
    assert said.startswith(f"{LOCAL.function(missing)} has not run since")
    assert "`python -m ops deploy --stage local` repairs the rule" in said
