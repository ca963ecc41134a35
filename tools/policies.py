"""Runs parliament, an independent linter of IAM policies, over every policy that is deployed: ``make check``.

    python -m tools.policies

What it finds is wrong or is an exception with its reason here; so is an exception that nothing needs any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click
import parliament

from ops.buckets.documents import functions_on_objects, with_rights
from ops.deploy.deployer_policy import deployer_policy
from ops.deploy.reader_policy import reader_policy
from ops.functions.boundary import boundary_document
from ops.functions.policies import policy_document
from ops.functions.roles import role_name
from ops.resources.template import bucket_statements, queue_statements
from ops.stages import LAMBDA_FUNCTIONS, Stage

STAGE = Stage(
    name="home",
    account="123456789012",
    region="eu-central-1",
    sender="ada@example.org",
    recipients=("ada@example.org", "grace@example.net"),
)


@dataclass(frozen=True)
class PolicyProblem:
    """What parliament says of a policy: its own name of the issue, and the detail as text."""

    policy: str
    issue: str
    detail: str


EXCEPTIONS: Mapping[tuple[str, str, str], str] = {
    (
        "boundary",
        "RESOURCE_STAR",
        "ses:SendEmail",
    ): "any identity of the account; each role's policy names less",
    (
        "boundary",
        "RESOURCE_STAR",
        "s3:GetObject",
    ): "adopted buckets have any name; the account is in the condition",
    (
        "deployer",
        "RESOURCE_POLICY_PRIVILEGE_ESCALATION",
        "s3:PutBucketPolicy",
    ): "docs/security.md says it remains",
    (
        "deployer",
        "RESOURCE_POLICY_PRIVILEGE_ESCALATION",
        "s3:PutLifecycle",
    ): "docs/security.md says it remains",
    (
        "deployer",
        "RESOURCE_MISMATCH",
        "cloudformation:",
    ): "a pattern: it reaches what the stack's own name covers",
    ("deployer", "RESOURCE_MISMATCH", "s3:DeleteObjectTagging"): "a pattern: on the bucket, not on objects",
    ("deployer", "RESOURCE_MISMATCH", "dynamodb:Describe"): "a pattern: of the table",
    ("deployer", "RESOURCE_MISMATCH", "sns:"): "a pattern: it reaches what the topic's own name covers",
    ("deployer", "RESOURCE_MISMATCH", "ses:CreateEmailIdentity"): "SES v2 names the identity, v1 did not",
    ("deployer", "RESOURCE_STAR", "cloudwatch:DescribeAlarms"): "the doctor asks by a prefix of names",
    ("deployer", "RESOURCE_STAR", "lambda:DeleteEventSourceMapping"): "the function is in the condition",
    ("deployer", "MISMATCHED_TYPE_BUT_USABLE", "StringEquals"): "as AWS's own examples of boundaries have it",
    (
        "bucket",
        "UNKNOWN_CONDITION_FOR_ACTION",
        "s3:signature",
    ): "two calls to S3 itself that carry no signature's age",
    (
        "adopted bucket",
        "INVALID_SID",
        "panicroom-home-",
    ): "a bucket's policy takes hyphens, a role's does not",
}
"""Policy, issue and what its detail has in it, with the reason why it stays."""


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each policy by a name."""
    for short_name in LAMBDA_FUNCTIONS:
        yield short_name, policy_document(STAGE, short_name)
    yield "boundary", boundary_document(STAGE)
    yield "deployer", deployer_policy(STAGE)
    yield "reader", reader_policy(STAGE)
    yield "bucket", {"Version": "2012-10-17", "Statement": bucket_statements(STAGE)}
    roles = {
        name: f"arn:aws:iam::{STAGE.account}:role/{role_name(STAGE, name)}"
        for name in functions_on_objects(STAGE)
    }
    yield "adopted bucket", with_rights(None, STAGE, roles, "attic", "old/")
    yield "queue", {"Version": "2012-10-17", "Statement": queue_statements(STAGE)}


def problems(name: str, document: dict[str, Any]) -> list[PolicyProblem]:
    """What parliament finds in one policy."""
    found = parliament.analyze_policy_string(json.dumps(document)).findings
    return [
        PolicyProblem(name, one.issue, f"{one.detail or ''} {one.location.get('string', '')}")
        for one in found
    ]


def complaints() -> list[str]:
    """Sentences about what is wrong, and about exceptions that nothing needs."""
    used, wrong = set(), []
    for problem in (problem for name, document in documents() for problem in problems(name, document)):
        reasons = [
            one
            for one in EXCEPTIONS
            if one[:2] == (problem.policy, problem.issue) and one[2] in problem.detail
        ]
        used |= set(reasons)
        if not reasons:
            wrong.append(f"{problem.policy}: {problem.issue} {problem.detail}".strip())
    return wrong + [f"nothing needs the exception {one} any more" for one in EXCEPTIONS if one not in used]


@click.command()
def main() -> None:
    """Lints every IAM policy."""
    found = complaints()
    for line in found:
        click.echo(line)
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
