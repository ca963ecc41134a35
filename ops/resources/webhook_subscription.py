"""Which URL gets alerts: an HTTPS subscription to the alerts' topic, made by an API call as the owner's to alarms is.

Its URL stands in nothing that a deploy writes or prints. Of the topic's subscriptions it is the one whose URL has the
fingerprint that the stack keeps; others, made by hand, are left alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

from botocore.exceptions import ClientError

from ops.errors import OpsError
from ops.resources.alarm_subscription import CONFIRM_WITHIN_HOURS, end_subscription, subscriptions
from ops.stages import Stage, Webhook

RETRIES = {
    "numRetries": 100,
    "minDelayTarget": 30,
    "maxDelayTarget": 30,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "numMaxDelayRetries": 0,
    "backoffFunction": "linear",
}
"""A receiver that is away is tried for fifty minutes: SNS takes an hour in all, and by itself tries for one minute."""

FINGERPRINT_DIGITS = 16
HOST = re.compile(r"[A-Za-z0-9.:-]+")


def read_webhook(text: str) -> Webhook:
    """An ``https://`` URL, or ``none``; raises ``ValueError`` with a sentence that does not repeat the URL."""
    if text.strip().lower() == "none":
        return Webhook()
    parts = _split(text)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(host):
        raise ValueError("a webhook is a URL such as https://example.org/hooks/..., or `none`")
    if parts.username is not None:
        raise ValueError(
            "a webhook's URL has no user and no password: SNS hides them, and nothing finds it again"
        )
    return Webhook(host, _fingerprint(text), text)


def _split(text: str) -> SplitResult:
    """Nothing for what is no URL."""
    try:
        parts = urlsplit(text if re.fullmatch("[!-~]+", text) else "")
        parts.hostname, parts.port  # noqa: B018 - each raises for what it cannot read
    except ValueError:
        return urlsplit("")
    return parts


def webhook_changes(sns: Any, stage: Stage, before: Webhook) -> list[str]:
    """What a deploy would do about it, a line each. ``before`` is the webhook that the stack knows."""
    ended = [f"end the alerts to {before.host}"] if before.host and before != stage.webhook else []
    if not stage.webhook.url or (before == stage.webhook and _arn(sns, stage, stage.webhook)):
        return ended
    return [*ended, f"have SNS ask {stage.webhook.host} to confirm that it wants alerts"]


def subscribe_webhook(sns: Any, stage: Stage) -> None:
    """Has SNS ask the URL that this deploy was given, unless it is subscribed. Raises ``OpsError``."""
    url = stage.webhook.url
    if not url or _arn(sns, stage, stage.webhook):
        return
    try:
        sns.subscribe(
            TopicArn=_topic(stage),
            Protocol=urlsplit(url).scheme,
            Endpoint=url,
            Attributes={"DeliveryPolicy": json.dumps({"healthyRetryPolicy": RETRIES})},
        )
    except ClientError as error:
        # Whose sentence may have the URL.
        code = error.response["Error"]["Code"]
        raise OpsError(f"SNS does not take the webhook at {stage.webhook.host}: {code}.") from None


def end_webhook(sns: Any, stage: Stage, webhook: Webhook) -> None:
    """Ends its subscription; nothing where there is none."""
    end_subscription(sns, _arn(sns, stage, webhook))


def webhook_complaints(sns: Any, stage: Stage) -> list[str]:
    """What the doctor says of the stage's webhook; nothing where there is none."""
    host, arn = stage.webhook.host, _arn(sns, stage, stage.webhook)
    if not host or (arn and arn.startswith("arn:")):
        return []
    why = "has not confirmed yet" if arn else "ended its subscription, or did not confirm it"
    sentence = (
        f"{host} gets no alerts, since it {why} (docs/fleet.md has what to do about a receiver that cannot). AWS"
        f" forgets the question after {CONFIRM_WITHIN_HOURS} hours; `python -m ops deploy --stage {stage.name}"
        " --alert-webhook URL` then asks again"
    )
    return [sentence]


def _arn(sns: Any, stage: Stage, webhook: Webhook) -> str | None:
    """As SNS lists it, which is no ARN until it is confirmed; None where SNS knows nothing of it, or there is none."""
    if not webhook.host:
        return None
    found = subscriptions(sns, _topic(stage))
    return next((arn for url, arn in found.items() if _fingerprint(url) == webhook.fingerprint), None)


def _fingerprint(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def _topic(stage: Stage) -> str:
    return stage.arn("sns", stage.alerts_topic)
