"""Alerts by mail and to the topic: each goes out once each way, and neither way waits for the other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import boto3
import pytest

import app
from chalicelib import wiring
from chalicelib.adapters.alerts_topic import AlertsTopic
from chalicelib.adapters.ses_mailer import Mailer, MailRefused
from chalicelib.adapters.stores.alert_store import CLAIM_LIFE
from chalicelib.alert_message import AlertMessage
from chalicelib.journeys.send_alerts import AlertContext, send_alerts
from chalicelib.rendering import Mail
from tests.service.conftest import ALERTS_TOPIC, BUCKET, ENVIRONMENT, Service, fire, later

WRONG = "anna-laptop/system/meta_duplicity-full.20261122T195500Z.vol1.difftar.gpg"
TITLE = "[panicroom] anna-laptop/system: a backup's file is under the wrong prefix"


class Killed(BaseException):
    """The function's time was up."""


@dataclasses.dataclass
class Receivers:
    """What a mailbox and a queue behind the topic got: subjects, and bodies."""

    mails: list[str]
    take: Callable[[], list[dict[str, Any]]]


@pytest.fixture
def receivers(service: Service, monkeypatch: pytest.MonkeyPatch) -> Receivers:
    sqs, sns, mails = boto3.client("sqs"), boto3.client("sns"), list[str]()
    queue = sqs.create_queue(QueueName="pager")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=ALERTS_TOPIC)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def send(_: Mailer, mail: Mail, recipients: Sequence[str]) -> str:
        mails.append(mail.subject)
        return f"id-{len(mails)}"

    def take() -> list[dict[str, Any]]:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(json.loads(one["Body"])["Message"]) for one in found]

    monkeypatch.setattr(Mailer, "send", send)
    return Receivers(mails, take)


@pytest.fixture
def machine(service: Service) -> Service:
    service.enrolled("anna-laptop")
    service.put(WRONG, b"volume")
    service.catalogue(WRONG)
    later(service, minutes=5)
    return service


def alerts(service: Service) -> str | None:
    return send_alerts(wiring.alert_context(service.now))


def titles(bodies: list[dict[str, Any]]) -> list[list[str]]:
    return [[item["what"] for item in body["items"]] for body in bodies]


ONE = [["a backup's file is under the wrong prefix"]]


def test_an_alert_and_its_all_clear_go_out_once_each_way(machine: Service, receivers: Receivers) -> None:
    for _ in range(3):
        alerts(machine)
        later(machine, minutes=1)
    [body] = receivers.take()
    assert (receivers.mails, body["subject"]) == ([TITLE], TITLE.removeprefix("[panicroom] "))
    [item] = body["items"]
    assert (item["machine"], item["job"], item["severity"]) == ("anna-laptop", "system", "critical")
    machine.s3.delete_object(Bucket=BUCKET, Key=WRONG)
    machine.catalogue(WRONG)
    later(machine, hours=1)
    alerts(machine)
    alerts(machine)
    [body] = receivers.take()
    assert [item["severity"] for item in body["items"]] == ["over"]
    assert len(receivers.mails) == 2


def test_the_schedule_publishes_and_the_owner_can_have_it_done_at_once(
    machine: Service, receivers: Receivers
) -> None:
    fire(app.alerts)
    assert machine.admin("alerts_send") == {"message_id": None}
    assert titles(receivers.take()) == ONE


def test_what_ses_refuses_is_published_once_and_mailed_once_ses_takes_it(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any) -> str:
        raise MailRefused("not verified")

    with monkeypatch.context() as patch:
        patch.setattr(Mailer, "send", refuses)
        for _ in range(3):
            with pytest.raises(MailRefused):
                alerts(machine)
            later(machine, minutes=1)
    assert titles(receivers.take()) == ONE
    assert alerts(machine) == "id-1"
    assert (receivers.mails, receivers.take()) == ([TITLE], [])


def test_what_sns_refuses_is_mailed_once_and_published_once_sns_takes_it(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any) -> str:
        raise OSError("SNS is away")

    with monkeypatch.context() as patch:
        patch.setattr(AlertsTopic, "publish", refuses)
        for _ in range(3):
            with pytest.raises(OSError, match="SNS is away"):
                alerts(machine)
            later(machine, minutes=1)
    assert (receivers.mails, receivers.take()) == ([TITLE], [])
    assert alerts(machine) is None
    assert (receivers.mails, titles(receivers.take())) == ([TITLE], ONE)


def test_of_two_calls_at_once_one_publishes(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_publish, calls = AlertsTopic.publish, 0

    def publish(topic: AlertsTopic, message: AlertMessage) -> str:
        nonlocal calls
        calls += 1
        alerts(machine)  # the schedule fires again while this one is on its way
        return really_publish(topic, message)

    monkeypatch.setattr(AlertsTopic, "publish", publish)
    alerts(machine)
    alerts(machine)
    assert (calls, titles(receivers.take()), receivers.mails) == (1, ONE, [TITLE])


def test_a_call_that_dies_before_sns_took_it_loses_nothing(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any) -> str:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(AlertsTopic, "publish", dies)
        with pytest.raises(Killed):
            alerts(machine)
    alerts(machine)
    assert receivers.take() == [], "another call may be at it"
    machine.now += CLAIM_LIFE
    alerts(machine)
    alerts(machine)
    assert titles(receivers.take()) == ONE


def test_a_call_that_dies_after_sns_took_it_publishes_twice_and_no_more(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_publish = AlertsTopic.publish

    def publish_and_die(topic: AlertsTopic, message: AlertMessage) -> str:
        really_publish(topic, message)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(AlertsTopic, "publish", publish_and_die)
        with pytest.raises(Killed):
            alerts(machine)
    for _ in range(3):
        machine.now += CLAIM_LIFE
        alerts(machine)
    assert titles(receivers.take()) == ONE * 2


def as_before_there_was_a_topic(service: Service) -> None:
    key = {"pk": {"S": "ALERTS"}, "sk": {"S": "published"}}
    service.table.delete_item(TableName=ENVIRONMENT["PANICROOM_TABLE"], Key=key)


def test_a_topic_that_is_new_does_not_get_what_was_mailed_before(
    machine: Service, receivers: Receivers
) -> None:
    alerts(machine)
    receivers.take()
    as_before_there_was_a_topic(machine)
    alerts(machine)
    later(machine, minutes=1)
    alerts(machine)
    assert receivers.take() == []
    machine.s3.delete_object(Bucket=BUCKET, Key=WRONG)
    machine.catalogue(WRONG)
    later(machine, hours=1)
    alerts(machine)
    assert titles(receivers.take()) == [["over: a backup's file is under the wrong prefix"]]


def test_a_new_topic_that_refuses_its_first_message_gets_it_though_it_was_mailed(
    service: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was mailed before the topic counts as published, and nothing that was mailed since."""

    def refuses(*_: Any) -> str:
        raise OSError("SNS is away")

    service.enrolled("anna-laptop")
    alerts(service)
    as_before_there_was_a_topic(service)
    service.put(WRONG, b"volume")
    service.catalogue(WRONG)
    later(service, minutes=5)
    with monkeypatch.context() as patch:
        patch.setattr(AlertsTopic, "publish", refuses)
        with pytest.raises(OSError, match="SNS is away"):
            alerts(service)
    assert receivers.mails == [TITLE]
    alerts(service)
    assert titles(receivers.take()) == ONE


def test_the_jobs_are_evaluated_once_for_both_ways(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.journeys import send_alerts as journey

    evaluated = 0
    really_evaluate = journey._evaluate_jobs

    def evaluate(context: AlertContext, machines: Any) -> Any:
        nonlocal evaluated
        evaluated += 1
        return really_evaluate(context, machines)

    monkeypatch.setattr(journey, "_evaluate_jobs", evaluate)
    service.enrolled("anna-laptop")
    for _ in range(31):
        alerts(service)
        later(service, minutes=1)
    mailed, published = wiring.alert_context(service.now).alerts.read()
    assert (evaluated, mailed.record) == (2, published.record)
