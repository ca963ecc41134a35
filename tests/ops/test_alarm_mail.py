"""The owner's first address hears of alarms; SNS is played by a list that behaves as AWS says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ops.resources.alarm_subscription import is_subscribed, subscribe_owner, unconfirmed, unsubscribe
from ops.stages import Stage

HOME = Stage(
    name="home",
    account="123456789012",
    region="eu-central-1",
    sender="ada@example.org",
    recipients=("ada@example.org", "grace@example.net"),
)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:panicroom-home-alarms"


class Sns:
    """A topic's subscriptions: their state by address."""

    class exceptions:  # noqa: N801 - as boto3 calls it
        class NotFoundException(Exception):
            pass

    def __init__(self, *, has_topic: bool = True) -> None:
        self.by_address: dict[str, str] = {}
        self.mails: list[str] = []
        self._has_topic = has_topic

    def get_paginator(self, operation: str) -> Sns:
        assert operation == "list_subscriptions_by_topic"
        return self

    def paginate(self, *, TopicArn: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        if not self._has_topic:
            raise self.exceptions.NotFoundException
        assert TopicArn == TOPIC
        for address, arn in self.by_address.items():
            yield {"Subscriptions": [{"Endpoint": address, "SubscriptionArn": arn}]}

    def subscribe(self, *, TopicArn: str, Protocol: str, Endpoint: str) -> None:  # noqa: N803
        assert (TopicArn, Protocol) == (TOPIC, "email")
        self.by_address[Endpoint] = "PendingConfirmation"
        self.mails.append(Endpoint)

    def unsubscribe(self, *, SubscriptionArn: str) -> None:  # noqa: N803
        self.by_address = {
            address: "Deleted" if arn == SubscriptionArn else arn for address, arn in self.by_address.items()
        }

    def confirm(self, address: str) -> None:
        self.by_address[address] = f"{TOPIC}:{address}"


@pytest.fixture
def sns() -> Sns:
    return Sns()


def test_the_first_address_is_asked_once(sns: Sns) -> None:
    assert not is_subscribed(sns, HOME)
    subscribe_owner(sns, HOME)
    subscribe_owner(sns, HOME)
    assert sns.mails == ["ada@example.org"]
    assert unconfirmed(sns, HOME) == ["ada@example.org"]
    sns.confirm("ada@example.org")
    assert is_subscribed(sns, HOME)
    assert unconfirmed(sns, HOME) == []


def test_it_is_asked_again_when_aws_has_forgotten_the_question(sns: Sns) -> None:
    subscribe_owner(sns, HOME)
    sns.by_address.clear()  # 48 hours later
    assert not is_subscribed(sns, HOME)
    subscribe_owner(sns, HOME)
    assert sns.mails == ["ada@example.org"] * 2


def test_who_unsubscribed_is_not_told(sns: Sns) -> None:
    subscribe_owner(sns, HOME)
    sns.confirm("ada@example.org")
    unsubscribe(sns, HOME, "ada@example.org")
    assert not is_subscribed(sns, HOME)


def test_nobody_is_subscribed_where_the_topic_is_not_there_yet() -> None:
    assert not is_subscribed(Sns(has_topic=False), HOME)


def test_an_address_that_was_never_confirmed_is_left_to_aws(sns: Sns) -> None:
    subscribe_owner(sns, HOME)
    unsubscribe(sns, HOME, "ada@example.org")
    unsubscribe(sns, HOME, "nobody@example.org")
    assert sns.by_address == {"ada@example.org": "PendingConfirmation"}
