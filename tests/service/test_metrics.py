"""What the service tells CloudWatch: few numbers, of the stage as a whole."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

import app
from chalicelib import wiring
from chalicelib.adapters.stores import catalogue_rows
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.service_costs import (
    EVALUATIONS,
    METRIC_HOURS_A_DAY,
    READS_A_SCHEDULED_CALL,
    SET_BYTES,
)
from chalicelib.journeys.send_alerts import EVALUATED_EVERY
from chalicelib.metrics import BACKUP_AGE, HEARTBEAT_HOURS, METRICS, NAMESPACE
from tests.ops.test_resources import RESOURCES
from tests.service.conftest import DEAD_LETTER_QUEUE, NOW, Service, fire

VOLUME = "anna-laptop/system/data_duplicity-full.20261122T195500Z.vol1.difftar.gpg"


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Every line in the embedded metric format that was written."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def values_of(lines: list[dict[str, Any]], name: str) -> list[float]:
    return [value for line in lines if name in line for value in line[name]]


def calls_to_aws(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Operation and arguments of every call from now on."""
    calls: list[tuple[str, dict[str, Any]]] = []
    really_call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        calls.append((operation, arguments))
        return really_call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return calls


def test_how_far_the_catalogue_is_behind_stands_in_the_log(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.enrolled("anna-laptop")
    service.put(VOLUME, b"volume")
    service.catalogue(VOLUME)
    [line] = [vars(record) for record in caplog.records if record.message == "catalogued"]
    assert line["changes"] == 1
    assert line["lag_seconds"] >= 0


def test_a_metric_belongs_to_the_stage_and_names_no_machine(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.enrolled("anna-laptop")
    service.put(VOLUME, b"volume")
    service.catalogue(VOLUME)
    fire(app.daily_audit)
    lines = told(capsys)
    assert lines
    for line in lines:
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

    service.now = service.now.replace(hour=11)
    monkeypatch.setattr(send_weekly_report, "send_if_due", fail)
    with pytest.raises(RuntimeError):
        fire(app.weekly_report)
    assert values_of(told(capsys), "Failures") == [1]


def test_an_event_that_could_not_be_catalogued_is_counted_within_the_hour(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.now = service.now.replace(hour=11)
    fire(app.weekly_report)
    assert told(capsys) == []
    sqs = boto3.client("sqs")
    queue = sqs.get_queue_url(QueueName=DEAD_LETTER_QUEUE)["QueueUrl"]
    for body in ("one", "another"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    fire(app.weekly_report)
    assert values_of(told(capsys), "Failures") == [2]


def test_as_much_is_told_in_a_day_as_its_price_is_worked_out_from(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = service.now.replace(hour=0)
    lines: list[dict[str, Any]] = []
    for hour in range(24):
        service.now = begun + timedelta(hours=hour)
        fire(app.weekly_report)
        if hour == 4:
            fire(app.daily_audit)
        lines += told(capsys)
    assert values_of(lines, "Failures") == [0, 0]
    assert len(values_of(lines, "Findings")) == 1
    assert len(lines) == METRIC_HOURS_A_DAY


def test_a_minute_without_anything_to_tell_costs_the_reads_that_its_price_is_worked_out_from(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.enrolled("anna-laptop")
    fire(app.alerts)  # looks at every job, as it does each quarter of an hour
    service.now += timedelta(minutes=1)
    calls = calls_to_aws(monkeypatch)
    fire(app.alerts)
    assert [operation for operation, _ in calls] == ["Query"] * 4
    assert len(calls) == READS_A_SCHEDULED_CALL


def test_judging_the_jobs_reads_each_ones_sets_once_and_what_is_hidden_once_for_all(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(days=30) / EVALUATED_EVERY == EVALUATIONS
    for machine in ("anna-laptop", "bert", "carla"):
        service.admin("machine_add", name=machine)
    calls = calls_to_aws(monkeypatch)
    fire(app.alerts)
    read = [arguments["ExpressionAttributeValues"][":pk"] for name, arguments in calls if name == "Query"]
    of_jobs = [f"JOB#{machine}/system" for machine in ("anna-laptop", "bert", "carla")]
    of_thaws = [
        "FINDINGS",
        "THAWS",
        "THAWS",
    ]  # what is due is looked for each minute, what is wrong with the jobs
    once = ["ALERTS", "FAMILIES", "FINDINGS", "JOBS", "MACHINES", "NOTICES", "QUARANTINES"]
    assert sorted(read) == sorted([*of_jobs, *of_thaws, *once])
    assert [arguments["ConsistentRead"] for _, arguments in calls if ":sk" in str(arguments)] == [False] * 3


def test_a_set_takes_no_more_of_the_table_than_its_price_is_worked_out_from() -> None:
    """DynamoDB counts the lengths of names and values."""
    seen = NOW - timedelta(hours=20, seconds=3)
    stored = {"STANDARD": Tally(3, 4_000_000), "GLACIER_IR": Tally(4, 104_857_600)}
    job = Job("annas-laptop", "system", Location("b", "annas-laptop/system/"))
    one = BackupSet(SetId(seen, NOW), frozenset({1, 2, 3, 4}), 4, True, True, NOW, stored, {}, NOW)
    item = catalogue_rows.set_item(job, one, revision=12)
    assert sum(len(name) + len(str(value)) for name, value in item.items()) <= SET_BYTES


def test_there_is_one_alarm_which_watches_a_metric_that_is_told() -> None:
    """Each costs $0.10 a month beyond the ten that are free."""
    [alarm] = [one["Properties"] for one in RESOURCES.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert alarm["Namespace"] == NAMESPACE
    assert alarm["MetricName"] in METRICS
    assert alarm["Period"] >= HEARTBEAT_HOURS * 3600, "else there are no data between two words"


def test_the_alarm_reaches_the_owner_when_something_failed_and_when_there_is_no_word() -> None:
    [alarm] = [one["Properties"] for one in RESOURCES.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert alarm["AlarmActions"] == alarm["InsufficientDataActions"] == [{"Ref": "Alarms"}]
    assert alarm["TreatMissingData"] == "missing"
    assert "ops doctor" in alarm["AlarmDescription"]["Fn::Sub"]


# ---------------------------------------------------------------- of each job, where the owner asked for it


@pytest.fixture
def with_job_metrics(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("PANICROOM_JOB_METRICS", "yes")
    wiring.settings.cache_clear()
    service.enrolled("anna-laptop")
    service.enrolled("bert")
    for name, content in (
        ("data_duplicity-full.{}.vol1.difftar.gpg", b"v"),
        ("meta_duplicity-full.{}.manifest.gpg", b"m"),
    ):
        key = f"anna-laptop/system/{name.format('20261122T195500Z')}"
        service.put(key, content, Metadata={"volumes": "1"})
        service.catalogue(key)
    service.now += timedelta(hours=1)
    return service


def ages(lines: list[dict[str, Any]]) -> list[tuple[str, str, str, list[float]]]:
    return [
        (line["stage"], line["machine"], line["job"], line[BACKUP_AGE])
        for line in lines
        if BACKUP_AGE in line
    ]


def test_the_age_of_each_jobs_newest_backup_is_told_with_each_evaluation(
    with_job_metrics: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = with_job_metrics.admin("sets", name="anna-laptop", job="system")
    told(capsys)
    fire(app.alerts)
    lines = told(capsys)
    [(stage, machine, job, [age])] = ages(lines)
    assert (stage, machine, job) == ("test", "anna-laptop", "system"), (
        "bert has none whose age there could be"
    )
    assert newest
    [described] = [line["_aws"]["CloudWatchMetrics"][0] for line in lines if BACKUP_AGE in line]
    assert {"stage", "machine", "job"} <= set(described["Dimensions"][0])
    assert described["Metrics"][0]["Unit"] == "Seconds"
    with_job_metrics.now += timedelta(minutes=1)
    fire(app.alerts)
    assert ages(told(capsys)) == [], "not each minute"
    with_job_metrics.now += EVALUATED_EVERY
    fire(app.alerts)
    [(_, _, _, [later])] = ages(told(capsys))
    assert later == age + (EVALUATED_EVERY + timedelta(minutes=1)).total_seconds()


def test_alerts_as_of_another_time_tell_no_age_of_that_time(
    with_job_metrics: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    with_job_metrics.admin("alerts_send", at="2027-11-22T20:00:00Z")
    with_job_metrics.admin("alerts_preview")
    assert ages(told(capsys)) == []


def test_without_being_asked_for_no_job_has_a_metric(
    with_job_metrics: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PANICROOM_JOB_METRICS")
    wiring.settings.cache_clear()
    fire(app.alerts)
    assert ages(told(capsys)) == []
