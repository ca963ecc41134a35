"""What each Lambda function may do: one IAM policy document a function, as pure functions of the stage.

Actions and resources are named; ``*`` stands only where AWS knows no narrower resource. Two rules hold
throughout, and tests check them: no function may delete a version or change the bucket's settings, and
``discard`` and ``let_go``, which no client can call, may write delete markers. A third test compares the
policies with the operations and services that the code uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ops.stages import Stage

Statement = dict[str, Any]
Document = dict[str, Any]

GET_MANY, GET, QUERY = "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"
SETTINGS = (
    "s3:GetBucketAcl",
    "s3:GetBucketLocation",
    "s3:GetBucketNotification",
    "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetIntelligentTieringConfiguration",
    "s3:GetLifecycleConfiguration",
)
"""What says whether a bucket is safe; each only reads."""

EXTEND_LOCK = "s3:PutObjectRetention"
PUT, UPDATE, DELETE = "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"


def policy_document(stage: Stage, short_name: str) -> Document:
    """The policy of one function's role, ready to be written as JSON."""
    return {
        "Version": "2012-10-17",
        "Statement": [*_POLICIES[short_name](stage), _own_logs(stage, short_name)],
    }


def _api_handler(stage: Stage) -> list[Statement]:
    return [
        # A presigned URL can do what its signer may: tags and the class are part of the PUT it signs.
        _on_objects(stage, "SignUploadsAndDownloads", "s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"),
        # The client's wheel is there, which every laptop installs: only a deploy writes it.
        {
            "Sid": "WriteNothingOfTheService",
            "Effect": "Deny",
            "Action": ["s3:PutObject", "s3:PutObjectTagging"],
            "Resource": f"arn:aws:s3:::{stage.bucket}/_service/*",
        },
        _list_bucket(stage),
        _table(stage, [GET_MANY, GET, QUERY, PUT, UPDATE]),
        _give_leases_back(stage),
        _ask_for_discards(stage),
        _ask_for_thaws(stage),
    ]


def _authorizer(stage: Stage) -> list[Statement]:
    return [_table(stage, [GET])]


def _catalogue(stage: Stage) -> list[Statement]:
    queue_actions = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    return [
        _allow("TakeEvents", queue_actions, stage.arn("sqs", stage.queue)),
        # HeadObject, for the volume count that a manifest carries; without ListBucket a missing key is a 403.
        _on_objects(stage, "LookAtObjects", "s3:GetObject", "s3:GetObjectTagging"),
        _list_bucket(stage),
        _list_versions(stage),
        _table(stage, [GET_MANY, GET, QUERY, PUT, UPDATE]),
        _close_findings(stage, "OPEN_SETS"),
        # Files added to a finished set by an old permission are hidden again.
        _ask_for_discards(stage),
        # Enough restore events have come: all may be readable.
        _ask_for_thaws(stage),
    ]


def _reconcile(stage: Stage) -> list[Statement]:
    """What the catalogue does upon an event, it does for every key."""
    return [
        _on_objects(stage, "LookAtObjects", "s3:GetObject", "s3:GetObjectTagging"),
        _list_bucket(stage),
        _list_versions(stage),
        _table(stage, [GET_MANY, GET, QUERY, PUT, UPDATE]),
        _close_findings(stage, "OPEN_SETS"),
        _ask_for_discards(stage),
    ]


def _weekly_report(stage: Stage) -> list[Statement]:
    return [
        _table(stage, [GET_MANY, QUERY, PUT, UPDATE]),
        _send_mail(stage),
        _allow(
            "CountDeadLetters",
            ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"],
            stage.arn("sqs", stage.dead_letter_queue),
        ),
    ]


def _alerts(stage: Stage) -> list[Statement]:
    return [
        # Findings about thaws open and close with the time.
        _table(stage, [GET_MANY, GET, QUERY, PUT, UPDATE]),
        _close_findings(stage),
        _send_mail(stage),
        _publish_alerts(stage),
        _ask_for_thaws(stage),
    ]


def _daily_audit(stage: Stage) -> list[Statement]:
    return [*_look_at_settings(stage), _table(stage, [QUERY, PUT, UPDATE]), _close_findings(stage)]


def _look_at_settings(stage: Stage) -> list[Statement]:
    """What the audit reads of a bucket: every setting, and the sizes of uploads that nobody finished."""
    return [
        _on_bucket(stage, "LookAtSettings", *SETTINGS, "s3:ListBucketMultipartUploads"),
        _on_objects(stage, "LookAtTagsAndParts", "s3:GetObjectTagging", "s3:ListMultipartUploadParts"),
    ]


def _discard(stage: Stage) -> list[Statement]:
    return [
        # Without s3:DeleteObjectVersion this can only write a delete marker: the bytes stay.
        _on_objects(stage, "WriteDeleteMarkers", "s3:DeleteObject"),
        _on_objects(stage, "LookAtObjects", "s3:GetObject"),
        _list_bucket(stage),
        # A manifest that somebody deleted is an older version.
        _list_versions(stage),
        _table(stage, [GET_MANY, GET, QUERY, UPDATE]),
    ]


def _let_go(stage: Stage) -> list[Statement]:
    tag = ("s3:GetObjectVersionTagging", "s3:PutObjectVersionTagging")
    return [
        # Without s3:DeleteObjectVersion this can only write a delete marker: the bytes stay for the grace period.
        _on_objects(stage, "MarkAndTag", "s3:DeleteObject", *tag),
        _on_objects(stage, "LookAtObjects", "s3:GetObject"),
        _list_bucket(stage),
        _list_versions(stage),
        _on_bucket(stage, "LookAtVersioning", "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"),
        *(_keep_locks(stage) if stage.lock_days else ()),
        _table(stage, [GET_MANY, GET, QUERY, PUT, UPDATE]),
        _close_findings(stage, "OPEN_SETS"),
    ]


def _keep_locks(stage: Stage) -> list[Statement]:
    """Extends locks, which S3 lets nobody shorten; by no more than the stage's own days, as what is locked is paid."""
    extend = _on_objects(stage, "ExtendLocks", EXTEND_LOCK)
    extend = {**extend, "Condition": {**extend["Condition"], **lock_bound(stage)}}
    return [
        _on_bucket(stage, "LookAtLock", "s3:GetBucketObjectLockConfiguration"),
        _on_objects(stage, "LookAtLocks", "s3:GetObjectRetention"),
        extend,
    ]


def lock_bound(stage: Stage) -> Statement:
    """How far a lock may be extended, as a condition: the day that has begun counts as well."""
    # MiniStack does not know how far a lock is to reach, and would refuse every call.
    if stage.on_local_stack:
        return {}
    return {"NumericLessThanEquals": {"s3:object-lock-remaining-retention-days": str(stage.lock_days + 1)}}


def _thaw(stage: Stage) -> list[Statement]:
    return [
        # What it asks for is paid by the GB: the others can only ask it to go on with what was agreed to.
        _on_objects(stage, "AskForReadableCopies", "s3:RestoreObject"),
        _list_bucket(stage),
        _table(stage, [GET_MANY, GET, QUERY, PUT, UPDATE]),
    ]


def _admin(stage: Stage) -> list[Statement]:
    # It alone removes rows for good: those of a machine that the owner no longer wants watched.
    actions = [GET_MANY, GET, QUERY, PUT, UPDATE, DELETE]
    return [
        _list_versions(stage),
        *_look_at_settings(stage),
        _table(stage, actions),
        _send_mail(stage),
        _publish_alerts(stage),
        _ask_for_thaws(stage),
        _ask_to_let_go(stage),
    ]


def _admin_read(stage: Stage) -> list[Statement]:
    """No right but those to read: whatever a command does by mistake, a look changes nothing."""
    return [
        _list_versions(stage),
        _on_bucket(stage, "LookAtSettings", *SETTINGS),
        _table(stage, [GET_MANY, GET, QUERY]),
    ]


_POLICIES: dict[str, Callable[[Stage], list[Statement]]] = {
    "api_handler": _api_handler,
    "authorizer": _authorizer,
    "catalogue": _catalogue,
    "weekly_report": _weekly_report,
    "alerts": _alerts,
    "daily_audit": _daily_audit,
    "discard": _discard,
    "thaw": _thaw,
    "let_go": _let_go,
    "reconcile": _reconcile,
    "weekly_reconcile": _reconcile,
    "admin": _admin,
    "admin_read": _admin_read,
}


def _allow(name: str, actions: list[str], resource: str | list[str]) -> Statement:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": resource}


def _on_objects(stage: Stage, name: str, *actions: str) -> Statement:
    return _of_account(stage, _allow(name, list(actions), f"arn:aws:s3:::{stage.bucket}/*"))


def _on_bucket(stage: Stage, name: str, *actions: str) -> Statement:
    return _of_account(stage, _allow(name, list(actions), f"arn:aws:s3:::{stage.bucket}"))


def _of_account(stage: Stage, statement: Statement) -> Statement:
    """A bucket's name says nothing of whose it is: one that was deleted may be somebody else's tomorrow."""
    return {**statement, "Condition": {"StringEquals": {"aws:ResourceAccount": stage.account}}}


def _list_bucket(stage: Stage) -> Statement:
    return _on_bucket(stage, "ListTheBucket", "s3:ListBucket")


def _list_versions(stage: Stage) -> Statement:
    return _on_bucket(stage, "CountEveryVersion", "s3:ListBucketVersions")


def _ask_for_discards(stage: Stage) -> Statement:
    return _allow("AskForDiscards", ["lambda:InvokeFunction"], _function(stage, "discard"))


def _ask_for_thaws(stage: Stage) -> Statement:
    return _allow("AskForThaws", ["lambda:InvokeFunction"], _function(stage, "thaw"))


def _ask_to_let_go(stage: Stage) -> Statement:
    return _allow("AskToLetGo", ["lambda:InvokeFunction"], _function(stage, "let_go"))


def _table(stage: Stage, actions: list[str]) -> Statement:
    return _allow("UseTheTable", actions, stage.arn("dynamodb", f"table/{stage.table}"))


def _give_leases_back(stage: Stage) -> Statement:
    """The end of a run deletes the row of its lease; a client that takes back what it found false ends findings."""
    return _delete_rows(stage, "GiveLeasesBack", "LEASES", "FINDINGS", "OPEN_SETS")


def _close_findings(stage: Stage, *more: str) -> Statement:
    """Findings that are solved are deleted; ``more`` are other rows that end."""
    return _delete_rows(stage, "CloseFindings", "FINDINGS", *more)


def _delete_rows(stage: Stage, name: str, *partitions: str) -> Statement:
    statement = _allow(name, [DELETE], stage.arn("dynamodb", f"table/{stage.table}"))
    condition: Statement = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": list(partitions)}}
    # ForAllValues holds of no values too. MiniStack knows no leading keys, and would refuse every call.
    if not stage.on_local_stack:
        condition["Null"] = {"dynamodb:LeadingKeys": "false"}
    return {**statement, "Condition": condition}


def _function(stage: Stage, short_name: str) -> str:
    return stage.arn("lambda", f"function:{stage.function(short_name)}")


def _send_mail(stage: Stage) -> Statement:
    """To whomever, in the sender's name alone.

    SES asks for the identities of the sender and, in its sandbox, of the recipients, machines' own owners among
    them; each may be that of an address or of its whole domain
    (https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html, "Restricting the From address").
    """
    actions = ["ses:SendEmail", "ses:SendRawEmail"]
    # MiniStack grants SendEmail on every resource or on none, and knows no sender.
    if stage.on_local_stack:
        return _allow("SendMail", actions, "*")
    statement = _allow("SendMail", actions, stage.arn("ses", "identity/*"))
    return {**statement, "Condition": {"StringEquals": {"ses:FromAddress": stage.sender}}}


def _publish_alerts(stage: Stage) -> Statement:
    return _allow("PublishAlerts", ["sns:Publish"], stage.arn("sns", stage.alerts_topic))


def _own_logs(stage: Stage, short_name: str) -> Statement:
    group = stage.arn("logs", f"log-group:/aws/lambda/{stage.function(short_name)}")
    return _allow(
        "WriteOwnLogs",
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        [group, f"{group}:*"],
    )
