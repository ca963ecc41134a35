"""The doctor says which function failed; CloudWatch is played by numbers and lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from ops.doctor.failures import failures
from tests.ops.conftest import HOME

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)
REQUEST_FAILED = json.dumps({"level": "ERROR", "message": "request failed", "exception_name": "KeyError"})


class Cloud:
    """CloudWatch's numbers and logs: ``errors`` by function, ``lines`` with ERROR in them by log group."""

    class exceptions:  # noqa: N801 - as boto3 calls it
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, told: int = 0, errors: dict[str, int] | None = None, **lines: list[str]) -> None:
        self._told, self._errors, self._lines = told, errors or {}, lines
        self.searched: list[str] = []

    def client(self, _: str) -> Cloud:
        return self

    def get_metric_statistics(self, *, MetricName: str, Dimensions: Any, **_: Any) -> dict[str, Any]:  # noqa: N803
        dimensions = {one["Name"]: one["Value"] for one in Dimensions}
        if MetricName == "Failures":
            assert dimensions == {"service": "panicroom", "stage": "home"}
            return {"Datapoints": [{"Sum": float(self._told)}]}
        failed = self._errors.get(dimensions["FunctionName"], 0)
        return {"Datapoints": [{"Sum": 1.0}] * failed}

    def get_paginator(self, _: str) -> Cloud:
        return self

    def paginate(self, *, logGroupName: str, startTime: int, filterPattern: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        assert (startTime, filterPattern) == ((int(NOW.timestamp()) - 86_400) * 1000, "ERROR")
        self.searched.append(logGroupName)
        lines = self._lines.get(logGroupName.rpartition("/")[2].replace("-", "_"))
        if lines is None:
            raise self.exceptions.ResourceNotFoundException
        yield {"events": []}
        yield {"events": [{"message": line} for line in lines]}


def said(cloud: Any) -> list[str]:
    return failures(cloud, HOME, NOW)


def test_where_nothing_failed_no_log_is_searched() -> None:
    cloud = Cloud(panicroom_home=[REQUEST_FAILED])
    assert said(cloud) == []
    assert cloud.searched == []


def test_a_function_whose_calls_failed_is_named_with_their_number() -> None:
    [sentence] = said(Cloud(errors={"panicroom-home-catalogue": 3}))
    assert sentence.startswith(
        "panicroom-home-catalogue: failed calls: 3, errors in its log: 0, since 2026-11-22 12:00"
    )
    assert "`aws logs filter-log-events --log-group-name /aws/lambda/panicroom-home-catalogue" in sentence


def test_what_the_code_caught_is_found_in_the_log_of_the_function() -> None:
    [sentence] = said(Cloud(told=2, panicroom_home=[REQUEST_FAILED] * 2, panicroom_home_admin=[]))
    assert sentence.startswith("panicroom-home: failed calls: 0, errors in its log: 2, ")
    assert "the last: request failed, KeyError." in sentence


def test_a_function_that_cannot_be_loaded_is_reported_in_lambdas_own_words() -> None:
    line = "[ERROR] Runtime.ImportModuleError: Unable to import module 'app'\nTraceback (most recent call last):\n"
    [sentence] = said(Cloud(errors={"panicroom-home-alerts": 1}, panicroom_home_alerts=[line]))
    assert "the last: [ERROR] Runtime.ImportModuleError: Unable to import module 'app'." in sentence
