"""Taking over a bucket that somebody set up by hand: what has to be changed in it, as pure functions.

A bucket's policy and its notifications are each one document that a PUT replaces. So each function takes the
document that is there and gives back the same with the service's part in it; what the owner has in it stays as
it is. A bucket that is adopted again, with the same prefix or with another one, ends up with each part once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from chalicelib.domain.audit.notifications import NEEDED_EVENTS, RECEIVERS, overlaps, receivers_of
from chalicelib.domain.backups.names import prefixes_overlap
from ops.errors import OpsError
from ops.functions.policies import EXTEND_LOCK, lock_bound, policy_document
from ops.stages import LAMBDA_FUNCTIONS, Stage

Document = dict[str, Any]

# ---------------------------------------------------------------- the bucket's policy


LISTING = {"s3:ListBucket", "s3:ListBucketVersions"}


def with_rights(
    policy: Document | None,
    stage: Stage,
    roles: Mapping[str, str],
    bucket: str,
    prefix: str,
    *,
    lock_days: int = 0,
) -> Document:
    """The bucket's policy with statements for each role that works on objects. ``lock_days`` are those of the bucket's
    own Object Lock, whose locks are kept up; 0 where it has none.

    ``roles`` are ARNs by the functions' short names. Each gets below ``prefix`` what it has in the service's
    own bucket, and lists no other keys. Prefixes that were adopted earlier stay.
    """
    stage = dataclasses.replace(stage, lock_days=lock_days)
    document = policy or {"Version": "2012-10-17", "Statement": []}
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    known = {statement.get("Sid"): statement for statement in statements}
    bucket_arn = f"arn:aws:s3:::{bucket}"
    ours: dict[str, Document] = {}
    for short_name in functions_on_objects(stage):
        sid = f"{stage.prefix}-{short_name}"
        earlier = [arn for arn in _as_list(known.get(sid, {}).get("Resource", [])) if arn != bucket_arn]
        below = sorted({one.removeprefix(f"{bucket_arn}/") for one in earlier} | {f"{_literal(prefix)}*"})
        rights = _statements_of_role(stage, short_name, roles[short_name], bucket_arn, below)
        ours |= {statement["Sid"]: statement for statement in rights}
    if not stage.on_local_stack:
        denials = _denials(stage, roles["api_handler"], ours[f"{stage.prefix}-api_handler"]["Resource"])
        ours |= {denial["Sid"]: denial for denial in denials}
    others = [statement for statement in statements if statement.get("Sid") not in ours]
    return {**document, "Statement": [*others, *ours.values()]}


def _statements_of_role(
    stage: Stage, short_name: str, role: str, bucket_arn: str, below: Sequence[str]
) -> list[Document]:
    """What a role may do with objects, in listings, and with the bucket's settings; ``below`` are patterns of keys."""
    on_objects, on_bucket = _s3_actions(stage, short_name)
    listing: Document = {"Resource": [bucket_arn]}
    if "*" not in below:
        # S3 takes the key itself for the prefix where it decides between "not found" and "forbidden".
        listing["Condition"] = {"StringLike": {"s3:prefix": list(below)}}
    objects: Document = {"Resource": [f"{bucket_arn}/{one}" for one in below]}
    bound = lock_bound(stage)
    parts = {
        "": (on_objects - {EXTEND_LOCK}, objects),
        "-locks": (on_objects & {EXTEND_LOCK}, {**objects, **({"Condition": bound} if bound else {})}),
        "-listing": (on_bucket & LISTING, listing),
        "-settings": (on_bucket - LISTING, {"Resource": [bucket_arn]}),
    }
    return [
        {
            "Sid": f"{stage.prefix}-{short_name}{part}",
            "Effect": "Allow",
            "Principal": {"AWS": role},
            "Action": sorted(chosen),
            **where,
        }
        for part, (chosen, where) in parts.items()
        if chosen
    ]


def without_rights(policy: Document, stage: Stage) -> Document:
    """The bucket's policy without what ``with_rights`` put into it."""
    others = [one for one in policy["Statement"] if not one.get("Sid", "").startswith(f"{stage.prefix}-")]
    return {**policy, "Statement": others}


def changed_statements(before: Document | None, after: Document) -> list[str]:
    """What ``with_rights`` added to the bucket's policy, in words."""
    statements = (before or {}).get("Statement", [])
    known = [_in_one_form(one) for one in (statements if isinstance(statements, list) else [statements])]
    return [
        f"its policy: {'let' if one['Effect'] == 'Allow' else 'keep'} {role_name(one['Principal']['AWS'])}"
        f" {'do' if one['Effect'] == 'Allow' else 'from'} {', '.join(_as_list(one['Action']))}"
        f"{'' if one['Effect'] == 'Allow' else ' ' + REASONS[one['Sid'].rpartition('-')[2]]}"
        for one in after["Statement"]
        if _in_one_form(one) not in known
    ]


def _in_one_form(value: Any) -> Any:
    """AWS gives a list of one back as that one, and a list in an order of its own."""
    if isinstance(value, dict):
        return {key: _in_one_form(one) for key, one in value.items()}
    return sorted(value) if isinstance(value, list) else [value]


REASONS = {
    "only": "where the key exists",
    "url": "by a URL older than 15 minutes",
    "key": "with an encryption key that S3 does not keep",
    "redirect": "as a redirect of a website",
}
"""Why the service's denials are there, by the end of their names."""


def role_name(arn: str) -> str:
    return arn.rpartition("/")[2]


def functions_on_objects(stage: Stage) -> list[str]:
    """Short names of the functions that have any right on the bucket."""
    return [short_name for short_name in LAMBDA_FUNCTIONS if any(_s3_actions(stage, short_name))]


def _s3_actions(stage: Stage, short_name: str) -> tuple[set[str], set[str]]:
    """What the function may do in the service's own bucket: with its objects, and with the bucket as a whole."""
    on_objects, on_bucket = set[str](), set[str]()
    for statement in policy_document(stage, short_name)["Statement"]:
        if statement["Resource"] == f"arn:aws:s3:::{stage.bucket}/*":
            on_objects |= set(statement["Action"])
        elif statement["Resource"] == f"arn:aws:s3:::{stage.bucket}":
            on_bucket |= set(statement["Action"])
    return on_objects, on_bucket


def _denials(stage: Stage, signer: str, objects: Sequence[str]) -> list[Document]:
    """What resources.yaml demands of everybody in the service's own bucket, here of the signing role alone."""
    denied = {"Effect": "Deny", "Principal": {"AWS": signer}, "Resource": list(objects)}
    return [
        {
            "Sid": f"{stage.prefix}-first-write-only",
            **denied,
            "Action": "s3:PutObject",
            "Condition": {
                "Null": {"s3:if-none-match": "true"},
                "Bool": {"s3:ObjectCreationOperation": "true"},
            },
        },
        {
            "Sid": f"{stage.prefix}-no-old-url",
            **denied,
            "Action": "s3:*",
            "Condition": {"NumericGreaterThan": {"s3:signatureAge": "900000"}},
        },
        *(
            {
                "Sid": f"{stage.prefix}-no-{name}",
                **denied,
                "Action": "s3:PutObject",
                "Condition": {"Null": {f"s3:{header}": "false"}},
            }
            for name, header in UNWANTED_HEADERS.items()
        ),
    ]


UNWANTED_HEADERS = {
    "customer-key": "x-amz-server-side-encryption-customer-algorithm",
    "redirect": "x-amz-website-redirect-location",
}
"""Headers of a PUT that S3's policies know and that no upload of ours has."""


def _literal(prefix: str) -> str:
    """In a policy's resource these characters are wildcards, unless they are written as variables."""
    return "".join(f"${{{letter}}}" if letter in "$*?" else letter for letter in prefix)


# ---------------------------------------------------------------- the bucket's notifications


def with_receiver(configuration: Document, stage: Stage, queue_arn: str, prefix: str) -> Document:
    """The notification configuration that also sends every event below ``prefix`` to the queue.

    Raises ``OpsError`` where another receiver has some of these events: S3 takes one a kind of event and prefix.
    """
    queues: list[Document] = configuration.get("QueueConfigurations", [])
    earlier = {_prefix_of(one) for one in queues if one["QueueArn"] == queue_arn}
    prefixes = _without_nested(earlier | {prefix})
    kept = {
        kind: [one for one in configuration[kind] if one.get("QueueArn") != queue_arn]
        for kind in RECEIVERS
        if kind in configuration
    }
    for kind, others in kept.items():
        for other in others:
            _refuse_overlap(other, other[RECEIVERS[kind]], prefix)
    ours = [_receiver(stage, queue_arn, one) for one in sorted(prefixes)]
    merged = {**configuration, **kept, "QueueConfigurations": [*kept.get("QueueConfigurations", []), *ours]}
    return {name: value for name, value in merged.items() if name != "ResponseMetadata"}


def changed_receivers(before: Document, after: Document, stage: Stage, prefix: str) -> list[str]:
    """What ``with_receiver`` added to the notifications, in words."""
    if _in_any_order(before) == _in_any_order(after):
        return []
    others = sum(len(before.get(kind, [])) for kind in RECEIVERS)
    beside = f", beside the {others} that {'is' if others == 1 else 'are'} there" if others else ""
    return [f"its notifications: every event {f'below {prefix} ' if prefix else ''}to {stage.queue}{beside}"]


def without_receiver(configuration: Document, queue_arn: str) -> Document:
    """The notification configuration without the queue."""
    queues = [one for one in configuration.get("QueueConfigurations", []) if one["QueueArn"] != queue_arn]
    kept = {name: value for name, value in configuration.items() if name != "ResponseMetadata"}
    return {**kept, "QueueConfigurations": queues}


def _in_any_order(configuration: Document) -> set[tuple[str, frozenset[str], str, str]]:
    """Who gets what: S3 returns events in its own order, and encodes names and filters its own way."""
    return {(one.arn, frozenset(one.events), one.prefix, one.suffix) for one in receivers_of(configuration)}


def _receiver(stage: Stage, queue_arn: str, prefix: str) -> Document:
    rules = [{"Name": "prefix", "Value": quote_plus(prefix, safe="/")}] if prefix else []
    return {
        "Id": f"{stage.prefix}:{prefix}"[:255],
        "QueueArn": queue_arn,
        "Events": list(NEEDED_EVENTS),
        **({"Filter": {"Key": {"FilterRules": rules}}} if rules else {}),
    }


def _refuse_overlap(other: Document, receiver: str, prefix: str) -> None:
    theirs = _prefix_of(other)
    if not prefixes_overlap(theirs, prefix):
        return
    shared = [event for event in other["Events"] if any(overlaps(event, ours) for ours in NEEDED_EVENTS)]
    if shared:
        raise OpsError(
            f"The bucket sends {', '.join(shared)} of {f'{theirs}…' if theirs else 'every key'} to {receiver}"
            " already, and S3 allows one receiver only. Send its events by EventBridge instead, or remove that"
            " notification if nobody needs it. Then type the command again."
        )


def _prefix_of(configuration: Document) -> str:
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    values = [rule["Value"] for rule in rules if rule["Name"].lower() == "prefix"]
    return unquote_plus(values[0]) if values else ""


def _without_nested(prefixes: Iterable[str]) -> set[str]:
    chosen: set[str] = set()
    for prefix in sorted(prefixes, key=len):
        if not any(prefix.startswith(wider) for wider in chosen):
            chosen.add(prefix)
    return chosen


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
