"""Who gets alarms: the owner's first address, by a subscription to the alarms' topic.

It is made by API calls and not in the template. SNS forgets a subscription that nobody has confirmed after 48
hours (https://aws.amazon.com/about-aws/whats-new/2023/05/amazon-sns-automatic-deletion-unconfirmed-subscriptions/),
and CloudFormation does not make again what its template has had all along.
"""

from __future__ import annotations

from typing import Any

from ops.stages import Stage

CONFIRM_WITHIN_HOURS = 48


def is_subscribed(sns: Any, stage: Stage) -> bool:
    """Whether the owner's first address is subscribed, be it confirmed yet or not."""
    return stage.recipients[0] in subscriptions(sns, _topic(stage))


def unconfirmed(sns: Any, stage: Stage) -> list[str]:
    """Addresses whose owner has not yet followed the link that SNS sent."""
    return [
        address for address, arn in subscriptions(sns, _topic(stage)).items() if not arn.startswith("arn:")
    ]


def subscribe_owner(sns: Any, stage: Stage) -> None:
    """Has SNS send a link to the owner's first address, unless it is subscribed already."""
    if not is_subscribed(sns, stage):
        sns.subscribe(TopicArn=_topic(stage), Protocol="email", Endpoint=stage.recipients[0])


def unsubscribe(sns: Any, stage: Stage, address: str) -> None:
    """Ends the subscription of an address."""
    end_subscription(sns, subscriptions(sns, _topic(stage)).get(address))


def end_subscription(sns: Any, arn: str | None) -> None:
    """``arn`` as SNS lists it, None for none: what nobody confirmed has no name to end it by, and ends by itself."""
    if arn and arn.startswith("arn:"):
        sns.unsubscribe(SubscriptionArn=arn)


def subscriptions(sns: Any, topic: str) -> dict[str, str]:
    """ARNs by address or URL; SNS names an unconfirmed one ``PendingConfirmation``, one that has ended ``Deleted``."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    try:
        listed = [one for page in pages for one in page["Subscriptions"]]
    except sns.exceptions.NotFoundException:
        return {}  # a take-over that was broken off before the topic was made
    return {one["Endpoint"]: one["SubscriptionArn"] for one in listed if one["SubscriptionArn"] != "Deleted"}


def _topic(stage: Stage) -> str:
    return stage.arn("sns", stage.alarms_topic)
