"""The webhook of alerts: its URL is a secret that only SNS keeps, and a deploy without the flag leaves it alone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from ops.aws import Aws
from ops.cli import commands
from ops.commands.stage import deploy
from ops.commands.stage.answers import Answers, stage_from_answers
from ops.deploy.access import AwsCaller
from ops.errors import OpsError
from ops.functions.chalice_config import config_files
from ops.resources.stack_parameters import stack_parameters, stage_from_parameters, webhook_of
from ops.resources.webhook_subscription import (
    end_webhook,
    read_webhook,
    subscribe_webhook,
    webhook_changes,
    webhook_complaints,
)
from ops.stages import Stage, Webhook

SECRET = "T0KEN-hush"
URL = f"https://hooks.example.org/services/{SECRET}?key=1"
OTHER = "https://pager.example.net/enqueue/another"
HOME = Stage(
    name="home",
    account="123456789012",
    region="us-east-1",
    sender="ada@example.org",
    recipients=("ada@example.org",),
)
WATCHED = dataclasses.replace(HOME, webhook=read_webhook(URL))
NEXT_DEPLOY = dataclasses.replace(HOME, webhook=Webhook(WATCHED.webhook.host, WATCHED.webhook.fingerprint))
"""As the stack remembers it, without the URL."""


# ---------------------------------------------------------------- the URL


@pytest.mark.parametrize(
    "text",
    [
        "hooks.example.org/x",
        "ftp://hooks.example.org/x",
        "https://",
        "https:///x",
        "https://hooks example.org/x",
        "https://hooks.example.org/\n",
        "https://[hooks/x",
        "https://hooks.example.org:port/x",
        "https://ada:pass@hooks.example.org/x",
        "",
    ],
)
def test_what_is_no_url_for_sns_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="a webhook") as caught:
        read_webhook(text)
    assert "hooks" not in str(caught.value).replace("https://example.org/hooks/", "")


@given(st.text() | st.text().map(lambda tail: f"https://{tail}") | st.text().map(lambda tail: f"{URL}{tail}"))
def test_whatever_is_typed_only_a_host_is_shown(text: str) -> None:
    try:
        webhook = read_webhook(text)
    except ValueError:
        return  # whose sentence is always one of two
    assert webhook.url in ("", text)
    assert set(webhook.host) <= set("abcdefghijklmnopqrstuvwxyz0123456789.:-")
    shown = f"{webhook!r} {json.dumps(stack_parameters(dataclasses.replace(HOME, webhook=webhook)))}"
    assert SECRET not in shown


def test_none_is_no_webhook() -> None:
    assert read_webhook("none") == Webhook()


def test_the_command_line_does_not_repeat_a_url_that_it_refuses() -> None:
    words = ["deploy", "--stage", "home", "--alert-webhook", f"https://ada:{SECRET}@hooks.example.org/"]
    result = CliRunner().invoke(commands, words)
    assert result.exit_code == 2
    assert "no user and no password" in result.output
    assert SECRET not in result.output


# ---------------------------------------------------------------- from deploy to deploy


def answers(**given: Any) -> Answers:
    return Answers(**{**dict.fromkeys(field.name for field in dataclasses.fields(Answers)), **given})


def chosen(before: Stage, **given: Any) -> Stage:
    who = AwsCaller(before.account, "arn:aws:iam::123456789012:user/ada")
    return stage_from_answers("home", Aws("us-east-1"), who, before, answers(**given), ask=False)


def remembered(stage: Stage) -> Stage:
    return stage_from_parameters(
        stack_parameters(stage), account=stage.account, region=stage.region, on_local_stack=False
    )


def test_what_the_stack_remembers_is_the_host_and_that_metrics_are_wanted() -> None:
    stage = remembered(dataclasses.replace(WATCHED, job_metrics=True))
    assert (stage.webhook, stage.webhook.url, stage.job_metrics) == (WATCHED.webhook, "", True)
    assert SECRET not in json.dumps(stack_parameters(WATCHED))
    assert SECRET not in json.dumps(config_files(WATCHED))


def test_a_deploy_without_the_flags_keeps_both_and_each_flag_ends_its_own() -> None:
    before = remembered(dataclasses.replace(WATCHED, job_metrics=True))
    assert chosen(before) == before
    ended = chosen(before, alert_webhook=Webhook())
    assert (ended.webhook, ended.job_metrics) == (Webhook(), True)
    assert not chosen(before, job_metrics=False).job_metrics


def test_a_stack_from_before_webhooks_has_none() -> None:
    parameters = stack_parameters(WATCHED)
    del parameters["AlertWebhook"], parameters["JobMetrics"]
    stage = stage_from_parameters(parameters, account=HOME.account, region="us-east-1", on_local_stack=False)
    assert (stage.webhook, stage.job_metrics) == (Webhook(), False)


@pytest.mark.parametrize("scheme", ["http", "HTTP"])
def test_http_is_for_the_local_stack_alone(scheme: str) -> None:
    plain = read_webhook(f"{scheme}://127.0.0.1:9/x")
    with pytest.raises(OpsError, match="begins with https://"):
        chosen(HOME, alert_webhook=plain)
    assert chosen(dataclasses.replace(HOME, on_local_stack=True), alert_webhook=plain).webhook == plain


def test_a_plan_names_the_host(capsys: pytest.CaptureFixture[str]) -> None:
    deploy._show_plan(WATCHED, AwsCaller(HOME.account, "arn:aws:iam::123456789012:user/ada"), {}, 40)
    said = " ".join(capsys.readouterr().out.split())
    assert "webhook: alerts go to hooks.example.org as well" in said
    assert "The metrics of 40 jobs cost $12.00 a month on top" in said
    assert SECRET not in said


# ---------------------------------------------------------------- the subscription


@pytest.fixture
def sns() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("sns", region_name="us-east-1")
        client.create_topic(Name=HOME.alerts_topic)
        yield client


def urls(sns: Any) -> list[str]:
    return [one["Endpoint"] for one in sns.list_subscriptions()["Subscriptions"]]


def test_a_url_is_subscribed_once_and_ended_without_being_known_any_more(sns: Any) -> None:
    topic = HOME.arn("sns", HOME.alerts_topic)
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=OTHER)  # by hand
    subscribe_webhook(sns, WATCHED)
    subscribe_webhook(sns, WATCHED)
    subscribe_webhook(sns, NEXT_DEPLOY)
    assert urls(sns) == [OTHER, URL]
    arn = sns.list_subscriptions()["Subscriptions"][1]["SubscriptionArn"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    policy = json.loads(attributes["DeliveryPolicy"])["healthyRetryPolicy"]
    assert 1800 < policy["numRetries"] * policy["minDelayTarget"] <= 3600, "SNS takes an hour at most"
    end_webhook(sns, HOME, webhook_of(stack_parameters(WATCHED)))
    assert urls(sns) == [OTHER]


def test_the_plan_says_what_would_be_asked_and_ended(sns: Any) -> None:
    asks = "have SNS ask hooks.example.org to confirm that it wants alerts"
    assert webhook_changes(sns, HOME, Webhook()) == []
    assert webhook_changes(sns, WATCHED, Webhook()) == [asks]
    assert webhook_changes(sns, WATCHED, WATCHED.webhook) == [asks], "SNS has forgotten it"
    subscribe_webhook(sns, WATCHED)
    assert webhook_changes(sns, WATCHED, WATCHED.webhook) == []
    assert webhook_changes(sns, NEXT_DEPLOY, WATCHED.webhook) == []
    pager = read_webhook(OTHER)
    assert webhook_changes(sns, WATCHED, pager) == ["end the alerts to pager.example.net", asks]
    assert webhook_changes(sns, HOME, pager) == ["end the alerts to pager.example.net"]


def test_where_the_topic_is_not_there_yet_nothing_is_subscribed() -> None:
    with mock_aws():
        client = boto3.client("sns", region_name="us-east-1")
        assert len(webhook_changes(client, WATCHED, WATCHED.webhook)) == 1


def test_what_sns_says_of_a_url_is_not_repeated() -> None:
    class Refusing:
        class exceptions:  # noqa: N801 - as boto3 calls it
            NotFoundException = KeyError

        def get_paginator(self, _: str) -> Any:
            raise KeyError

        def subscribe(self, **arguments: str) -> None:
            error = {"Code": "InvalidParameter", "Message": f"Endpoint {arguments['Endpoint']} is bad"}
            raise ClientError({"Error": error}, "Subscribe")

    listed = Refusing()
    listed.get_paginator = lambda _: type("Pages", (), {"paginate": lambda *_, **__: []})()  # type: ignore[method-assign]
    with pytest.raises(OpsError) as caught:
        subscribe_webhook(listed, WATCHED)
    assert caught.value.__cause__ is None, "which a traceback would show"
    assert str(caught.value) == "SNS does not take the webhook at hooks.example.org: InvalidParameter."


def complaints(monkeypatch: pytest.MonkeyPatch, stage: Stage, **listed: str) -> list[str]:
    """``listed``: what SNS lists for the URL, by ``arn``."""
    found = {URL: listed["arn"]} if listed else {}
    monkeypatch.setattr("ops.resources.webhook_subscription.subscriptions", lambda *_: found)
    return webhook_complaints(None, stage)


def test_the_doctor_names_a_receiver_that_has_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    [sentence] = complaints(monkeypatch, NEXT_DEPLOY, arn="PendingConfirmation")
    assert sentence.startswith("hooks.example.org gets no alerts, since it has not confirmed yet")
    [sentence] = complaints(monkeypatch, NEXT_DEPLOY)
    assert "ended its subscription, or did not confirm it" in sentence
    assert "deploy --stage home --alert-webhook URL`" in sentence
    assert complaints(monkeypatch, NEXT_DEPLOY, arn="arn:aws:sns:us-east-1:1:x:y") == []
    assert complaints(monkeypatch, HOME) == []
