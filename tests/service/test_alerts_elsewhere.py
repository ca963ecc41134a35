"""Alerts by mail and to the topic: each goes out once each way, and neither way waits for the other."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
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
from chalicelib.domain.retries import RESTS_OF_ALERTS
from chalicelib.journeys.send_alerts import AlertContext, send_alerts
from chalicelib.rendering import Mail
from tests.service.conftest import ALERTS_TOPIC, BUCKET, ENVIRONMENT, OWNER, Service, fire, later

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
        for one in found:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
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
    assert machine.admin("alerts_send")["message_id"] is None
    assert titles(receivers.take()) == ONE


def test_what_ses_refuses_is_published_once_and_mailed_once_ses_takes_it(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Mailer, "send", refusing)
        for _ in range(3):
            with pytest.raises(MailRefused):
                alerts(machine)
            later(machine, minutes=1)
    assert titles(receivers.take()) == ONE
    later(machine, minutes=1)
    assert alerts(machine) == "id-1"
    assert (receivers.mails, receivers.take()) == ([TITLE], [])


def test_what_sns_refuses_is_mailed_once_and_published_once_sns_takes_it(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(AlertsTopic, "publish", away)
        for _ in range(3):
            with pytest.raises(OSError, match="SNS is away"):
                alerts(machine)
            later(machine, minutes=1)
    assert (receivers.mails, receivers.take()) == ([TITLE], [])
    later(machine, minutes=1)
    assert alerts(machine) is None
    assert (receivers.mails, titles(receivers.take())) == ([TITLE], ONE)


def refusing(*_: Any) -> str:
    raise MailRefused("Email address is not verified.")


def away(*_: Any) -> str:
    raise OSError("SNS is away")


class Costs:
    """The calls to AWS from now on, by name."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        for client in (wiring.machine_store()._table._client, wiring._mailer()._client):
            client.meta.events.register("before-call", lambda model, **_: self.calls.update([model.name]))


def calls_of_an_hour(service: Service) -> tuple[Counter[str], int]:
    """Of the schedule, minute by minute, once the first tries are over; and how often it failed."""
    for _ in range(60):
        tick(service)
    costs = Costs()
    failed = sum(tick(service) for _ in range(60))
    return costs.calls, failed


def tick(service: Service) -> bool:
    """Whether it failed."""
    try:
        alerts(service)
    except (MailRefused, OSError):
        return True
    finally:
        later(service, minutes=1)
    return False


@pytest.mark.parametrize("way", ["Mailer.send", "AlertsTopic.publish"])
def test_while_a_way_refuses_for_long_a_stage_costs_about_what_it_costs_else(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    for name in ("bert", "carla", "dora"):
        machine.enrolled(name)
    usual, failed = calls_of_an_hour(machine)
    assert failed == 0
    receivers.take()
    receivers.mails.clear()
    with monkeypatch.context() as patch:
        owner, _, method = way.partition(".")
        patch.setattr({"Mailer": Mailer, "AlertsTopic": AlertsTopic}[owner], method, refusing)
        machine.put("holiday.jpg", b"x")
        machine.catalogue("holiday.jpg")
        refused, failed = calls_of_an_hour(machine)
    assert failed == 2, "each half hour, so that the alarm stays"
    assert refused.total() <= usual.total() * 1.1, (usual, refused)
    later(machine, minutes=30)
    assert [alerts(machine) is not None, alerts(machine)] == [way == "Mailer.send", None]
    assert len(receivers.mails) == len(receivers.take()) == 1, "each way had it once"


def test_while_both_ways_refuse_nothing_is_read_in_between(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Mailer, "send", refusing)
        patch.setattr(AlertsTopic, "publish", away)
        for _ in range(60):
            tick(machine)
        while not tick(machine):
            pass
        costs = Costs()
        assert [tick(machine) for _ in range(29)] == [False] * 29
        assert costs.calls == {"Query": 29}, "the two records"
    later(machine, minutes=1)
    assert alerts(machine) == "id-1"
    assert titles(receivers.take()) == ONE


def test_a_clock_that_was_ahead_while_ses_refused_silences_nothing(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = machine.now
    later(machine, days=900)
    with monkeypatch.context() as patch:
        patch.setattr(Mailer, "send", refusing)
        for _ in range(60):
            tick(machine)
    machine.now = now
    assert alerts(machine) == "id-1"


def test_a_call_that_dies_again_and_again_evaluates_the_jobs_no_oftener(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any) -> str:
        raise Killed

    died = 0
    with monkeypatch.context() as patch:
        patch.setattr(Mailer, "send", dies)
        for _ in range(2 * 60):
            try:
                alerts(machine)
            except Killed:
                died += 1
            later(machine, minutes=1)
    assert died <= 2 * 2 + len(RESTS_OF_ALERTS)


# ---------------------------------------------------------------- asked for by hand


def test_asked_by_hand_it_is_tried_at_once_and_both_answers_are_given(
    machine: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(AlertsTopic, "publish", away)
        for _ in range(60):
            tick(machine)
        receivers.mails.clear()
        machine.put("holiday.jpg", b"x")
        machine.catalogue("holiday.jpg")
        later(machine, days=1)
        answer = machine.admin("alerts_send")
        assert answer == {
            "message_id": "id-1",
            "published": False,
            "mail_failed": None,
            "publish_failed": "SNS is away",
        }
    later(machine, minutes=1)
    answer = machine.admin("alerts_send")
    assert (answer["message_id"], answer["published"]) == (None, True)
    with monkeypatch.context() as patch:
        patch.setattr(Mailer, "send", refusing)
        machine.put("birthday.jpg", b"x")
        machine.catalogue("birthday.jpg")
        later(machine, days=1)
        answer = machine.admin("alerts_send")
        assert (answer["published"], answer["mail_failed"]) == (True, "Email address is not verified.")
    later(machine, minutes=1)
    assert alerts(machine) == "id-2"
    told = [
        entry["detail"] for entry in machine.admin("journal")["entries"] if entry["what"] == "alerts_send"
    ]
    assert told == [
        "Alerts were mailed by hand.",
        "Alerts were published by hand.",
        "Alerts were published by hand.",
    ]


def test_an_owner_whose_mail_fails_keeps_no_other_owner_from_theirs(
    service: Service, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Sequence[str]] = []

    def send(_: Mailer, mail: Mail, recipients: Sequence[str]) -> str:
        if "anna@example.org" in recipients:
            raise OSError("SES is away")
        taken.append(recipients)
        return "id"

    for name in ("anna", "bert"):
        service.enrolled(name, owner_mail=f"{name}@example.org")
        service.put(f"{name}/system/notes.txt", b"x")
        service.catalogue(f"{name}/system/notes.txt")
    later(service, minutes=5)
    monkeypatch.setattr(Mailer, "send", send)
    with pytest.raises(OSError, match="SES is away"):
        alerts(service)
    assert taken == [(OWNER,), ["bert@example.org"]]
    alerts(service)
    assert len(taken) == 2


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


def test_who_asks_for_what_is_urgent_gets_nothing_else(machine: Service, receivers: Receivers) -> None:
    sqs, sns = boto3.client("sqs"), boto3.client("sns")
    telephone = sqs.create_queue(QueueName="telephone")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=telephone, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=ALERTS_TOPIC)["TopicArn"]
    wanted = {"FilterPolicy": json.dumps({"severity": ["urgent"]})}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=wanted)
    alerts(machine)
    assert titles(receivers.take()) == ONE
    token = machine.enrolled("bert")
    assert [machine.run(token).status for _ in range(2)] == [201, 409]
    alerts(machine)
    [body] = receivers.take()
    assert [item["severity"] for item in body["items"]] == ["urgent"]
    [message] = sqs.receive_message(QueueUrl=telephone, MaxNumberOfMessages=10)["Messages"]
    assert "second backup was started" in message["Body"]


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

    service.enrolled("anna-laptop")
    alerts(service)
    as_before_there_was_a_topic(service)
    service.put(WRONG, b"volume")
    service.catalogue(WRONG)
    later(service, minutes=5)
    with monkeypatch.context() as patch:
        patch.setattr(AlertsTopic, "publish", away)
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
