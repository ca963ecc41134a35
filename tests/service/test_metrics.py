"""What the service tells CloudWatch: few numbers, of the stage as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.metrics import METRICS
from tests.ops.test_resources import RESOURCES
from tests.service.conftest import Service

VOLUME = "anna-laptop/system/data_duplicity-full.20261122T195500Z.vol1.difftar.gpg"


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Every line in the embedded metric format that was written."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def values_of(lines: list[dict[str, Any]], name: str) -> list[float]:
    return [value for line in lines if name in line for value in line[name]]


def fire_weekly_report() -> None:
    import app

    fields = ("version", "account", "region", "detail-type", "source", "time", "id")
    app.weekly_report({**dict.fromkeys(fields, "x"), "detail": {}, "resources": []}, None)


def test_events_and_their_lag_are_told(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.enrolled("anna-laptop")
    service.put(VOLUME, b"volume")
    capsys.readouterr()
    service.catalogue(VOLUME)
    lines = told(capsys)
    assert values_of(lines, "Events") == [1]
    assert values_of(lines, "CatalogueLag")[0] >= 0


def test_a_metric_belongs_to_the_stage_and_names_no_machine(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.enrolled("anna-laptop")
    service.put(VOLUME, b"volume")
    service.catalogue(VOLUME)
    for line in told(capsys):
        [described] = line["_aws"]["CloudWatchMetrics"]
        assert described["Namespace"] == "panicroom"
        assert sorted(described["Dimensions"][0]) == ["service", "stage"]
        assert "anna-laptop" not in json.dumps(line)


def test_a_failure_that_nobody_foresaw_is_counted_and_fails_as_before(
    service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.journeys import send_weekly_report

    def fail(_: object) -> None:
        raise RuntimeError("no reason")

    monkeypatch.setattr(send_weekly_report, "send_if_due", fail)
    with pytest.raises(RuntimeError):
        fire_weekly_report()
    lines = told(capsys)
    assert values_of(lines, "Errors") == [1]
    assert values_of(lines, "WeeklyMailMissed") == [1]


def test_four_times_a_day_it_says_that_all_is_well(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.now = service.now.replace(hour=11)
    fire_weekly_report()
    assert told(capsys) == []
    service.now = service.now.replace(hour=12)
    fire_weekly_report()
    lines = told(capsys)
    assert values_of(lines, "WeeklyMailMissed") == [0]
    assert values_of(lines, "Findings") == [0]


def test_there_are_at_most_ten_metrics_and_ten_alarms() -> None:
    """So many are free."""
    assert len(METRICS) <= 10
    assert len([one for one in RESOURCES.values() if one["Type"] == "AWS::CloudWatch::Alarm"]) <= 10


def test_every_alarm_watches_a_metric_that_is_told() -> None:
    watched = {
        one["Properties"]["MetricName"]
        for one in RESOURCES.values()
        if one["Type"] == "AWS::CloudWatch::Alarm" and one["Properties"]["Namespace"] == "panicroom"
    }
    assert watched <= set(METRICS)
    assert {"Errors", "WeeklyMailMissed"} <= watched


def test_every_alarm_reaches_the_owner_and_says_what_to_do() -> None:
    alarms = [one["Properties"] for one in RESOURCES.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    for alarm in alarms:
        assert alarm["AlarmActions"] == ["Alarms"]
        assert len(alarm["AlarmDescription"]) > 60
