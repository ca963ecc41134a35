"""The most that a function's role may ever do, whatever policy somebody writes into it: its permissions boundary.

IAM allows a role what its policy *and* its boundary allow. The deployer's policy lets nobody make a role without this
boundary, or write into one that lacks it, and lets nobody change the boundary once it is there. So whoever has the
deployer's rights cannot make a role that deletes a version or opens a bucket.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError
from chalice.constants import LAMBDA_TRUST_POLICY

from chalicelib.domain.mail.phrases import count
from ops.aws import Aws
from ops.errors import OpsError
from ops.functions.roles import bound_of, described_role, role_name
from ops.stages import Stage


def boundary_document(stage: Stage) -> dict[str, Any]:
    """Wider than the functions' policies, so that it stands from version to version; the same on the local stack."""
    own_buckets = {"StringEquals": {"aws:ResourceAccount": stage.account}}
    rows = ("BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
    logs = ("CreateLogGroup", "CreateLogStream", "PutLogEvents")
    queues = ("ChangeMessageVisibility", "DeleteMessage", "GetQueue*", "ReceiveMessage", "SendMessage")
    objects = (
        *("AbortMultipartUpload", "DeleteObject", "Get*", "List*", "PutObject", "PutObjectTagging"),
        *("PutObjectVersionTagging", "PutObjectRetention", "RestoreObject"),
    )
    return {
        "Version": "2012-10-17",
        "Statement": [
            _within("Rows", "dynamodb", rows, stage.arn("dynamodb", f"table/{stage.table}")),
            _within("Logs", "logs", logs, stage.arn("logs", f"log-group:/aws/lambda/{stage.prefix}*")),
            _within("Queues", "sqs", queues, stage.arn("sqs", f"{stage.queue}*")),
            _within(
                "Functions", "lambda", ("InvokeFunction",), stage.arn("lambda", f"function:{stage.prefix}-*")
            ),
            _within("Alerts", "sns", ("Publish",), stage.arn("sns", stage.alerts_topic)),
            _within("Mail", "ses", ("SendEmail", "SendRawEmail"), "*"),
            # Adopted buckets too, of this account. No version is deleted and no setting changed.
            {**_within("Objects", "s3", objects, "*"), "Condition": own_buckets},
        ],
    }


def boundary_changes(aws: Aws, stage: Stage) -> list[str]:
    """What ``make_roles`` would do, a line each; empty if all roles are there and bound."""
    known, iam = _present_document(aws, stage), aws.client("iam")
    changes = []
    if known is None:
        changes.append(f"make the policy {stage.boundary}, the most that any role may do")
    elif known != boundary_document(stage):
        changes.append(f"put back the policy {stage.boundary}, which allows other things")
    roles = [role_name(stage, short_name) for short_name in stage.functions]
    described = {role: described_role(iam, role) for role in roles}
    missing = [role for role, found in described.items() if found is None]
    if missing:
        changes.append(f"make {count(len(missing), 'role')}, bound by {stage.boundary}")
    changes += [
        f"bind the role {role} by {stage.boundary}"
        for role, found in described.items()
        if found is not None and bound_of(found) != stage.boundary_arn
    ]
    return changes


def make_roles(aws: Aws, stage: Stage) -> None:
    """Makes the boundary and the roles that are missing, and binds the others; Chalice then writes their policies.

    Chalice would make roles without a boundary. Raises ``OpsError`` where the boundary has to be changed and these
    credentials may not.
    """
    iam, document = aws.client("iam"), json.dumps(boundary_document(stage))
    known = _present_document(aws, stage)
    if known is None:
        iam.create_policy(PolicyName=stage.boundary, PolicyDocument=document)
    elif known != boundary_document(stage):
        _change_boundary(iam, stage, document)
    for short_name in stage.functions:
        role = role_name(stage, short_name)
        found = described_role(iam, role)
        if found is None:
            iam.create_role(
                RoleName=role,
                AssumeRolePolicyDocument=json.dumps(LAMBDA_TRUST_POLICY),
                PermissionsBoundary=stage.boundary_arn,
            )
        elif bound_of(found) != stage.boundary_arn:
            iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=stage.boundary_arn)


def _change_boundary(iam: Any, stage: Stage, document: str) -> None:
    try:
        iam.create_policy_version(PolicyArn=stage.boundary_arn, PolicyDocument=document, SetAsDefault=True)
    except ClientError as error:
        raise OpsError(
            f"The policy {stage.boundary} allows other things than this version of panicroom wants, and the rights for"
            f" deploying do not change it: deploy once as somebody who may do everything. ({error})"
        ) from error


def _present_document(aws: Aws, stage: Stage) -> dict[str, Any] | None:
    iam = aws.client("iam")
    try:
        version = iam.get_policy(PolicyArn=stage.boundary_arn)["Policy"]["DefaultVersionId"]
        answer = iam.get_policy_version(PolicyArn=stage.boundary_arn, VersionId=version)
    except iam.exceptions.NoSuchEntityException:
        return None
    document: Any = answer["PolicyVersion"]["Document"]
    return dict(document)


def _within(name: str, service: str, actions: tuple[str, ...], resource: str) -> dict[str, Any]:
    qualified = [f"{service}:{action}" for action in actions]
    return {"Sid": name, "Effect": "Allow", "Action": qualified, "Resource": resource}
