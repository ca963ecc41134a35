"""Whether the service gets a bucket's events: S3's notification configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_plus

from chalicelib.domain.audit.findings import Finding, command, new_finding
from chalicelib.domain.backups.names import prefixes_overlap

NEEDED_EVENTS = (
    "s3:ObjectCreated:*",
    "s3:ObjectRemoved:*",
    "s3:ObjectRestore:*",
    "s3:LifecycleTransition",
    "s3:LifecycleExpiration:*",
)
"""The events that the catalogue needs."""


@dataclasses.dataclass(frozen=True)
class Receiver:
    """Who gets which events of which keys: one entry of a notification configuration."""

    arn: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""


def check_events(
    bucket: str, receivers: Iterable[Receiver] | None, queue_arn: str, prefixes: Iterable[str]
) -> list[Finding]:
    """Whether the queue gets all needed events of each prefix; ``receivers`` is None where nobody could read them."""
    if receivers is None:
        return []
    ours = [receiver for receiver in receivers if receiver.arn == queue_arn]
    others = [receiver for receiver in receivers if receiver.arn != queue_arn]
    found = []
    for prefix in prefixes:
        missing = [event for event in NEEDED_EVENTS if not any(_sends(one, event, prefix) for one in ours)]
        if missing:
            taken = sorted({one.arn for one in others if _in_the_way(one, missing, prefix)})
            found.append(_not_sent(bucket, prefix, missing, taken))
    return found


def _not_sent(bucket: str, prefix: str, missing: Sequence[str], taken: Sequence[str]) -> Finding:
    """``taken`` are receivers for whose sake S3 would refuse the queue."""
    code, place = "notifications_missing", f"s3://{bucket}/{prefix}"
    message, advice = f"The service gets no events of {place}.", "python -m ops audit --fix"
    if taken:
        code = "notifications_elsewhere"
        message = f"Events of {place} go to {', '.join(taken)} and not to the service's queue."
        advice = command("aws", "s3api", "get-bucket-notification-configuration", "--bucket", bucket)
    evidence = f"not sent: {', '.join(missing)}"
    subject = f"{bucket}/{prefix}"
    return new_finding(code, subject=subject, message=message, evidence=evidence, commands=(advice,))


def _sends(receiver: Receiver, event: str, prefix: str) -> bool:
    """Whether that receiver gets all events of that kind for all keys below ``prefix``."""
    covers = any(event == kind or event.startswith(kind.removesuffix("*")) for kind in receiver.events)
    return covers and prefix.startswith(receiver.prefix) and not receiver.suffix


def _in_the_way(receiver: Receiver, events: Sequence[str], prefix: str) -> bool:
    """Whether S3 would refuse the service's queue for that receiver's sake: it overlaps in keys and in events."""
    same_keys = prefixes_overlap(receiver.prefix, prefix)
    return same_keys and any(overlaps(sent, event) for event in events for sent in receiver.events)


def overlaps(event: str, other: str) -> bool:
    """Whether two kinds of events have one in common: ``s3:ObjectCreated:*`` and ``s3:ObjectCreated:Put`` do."""
    return event.startswith(other.rstrip("*")) or other.startswith(event.rstrip("*"))


RECEIVERS = {
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}
"""Kinds of receivers in a notification configuration, and the field that names one."""


def receivers_of(configuration: Mapping[str, Any]) -> tuple[Receiver, ...]:
    """The receivers in ``GetBucketNotificationConfiguration``; S3 stores prefixes form-encoded."""
    return tuple(_receivers(configuration))


def _receivers(configuration: Mapping[str, Any]) -> Iterable[Receiver]:
    for kind, field in RECEIVERS.items():
        for entry in configuration.get(kind, []):
            rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
            values = {rule["Name"].lower(): unquote_plus(rule["Value"]) for rule in rules}
            events = tuple(entry["Events"])
            yield Receiver(entry[field], events, values.get("prefix", ""), values.get("suffix", ""))
