"""What is deployed passes cfn-lint, and the deployer's policy fits what deploying does, in both directions."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint import api as lint
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from ops.deploy.access import EXAMPLES
from ops.deploy.deployer_policy import deployer_policy
from ops.functions.package import copy_project, package_app, with_code_at
from ops.resources.template import TEMPLATE_PATH, read_template
from ops.stages import LOCAL, Stage
from tests.ops.iam_actions import action_of

HOME = Stage(
    name="home",
    account="123456789012",
    region="eu-central-1",
    sender="backup@example.org",
    recipients=("ada@example.org", "grace@example.net"),
)
MANAGED_POLICY_CHARACTERS = 6144
"""What IAM takes for a policy that is attached to a user or a permission set; blanks are not counted."""

CALLS_FILE = Path(__file__).with_name("deployer_calls.txt")
"""All that ``test_deploy_again.py`` sees a deployer call, and ``test_deploy.py`` some of: both compare it with this."""


WITHOUT_A_CALL_OF_ITS_OWN = {
    "cloudformation:DescribeStackEvents": "the reason, where a stack could not be made",
    "lambda:TagResource": "CreateFunction with tags asks for it",
    "lambda:UntagResource": "Chalice takes away a tag that an older version set",
    "ses:GetSuppressedDestination": "`report status`, which the owner types with the same rights",
    "ses:TagResource": "CreateEmailIdentity with tags asks for it",
}
"""What deploying asks for on AWS without that call having been seen on MiniStack."""


def complaints(template: str) -> list[str]:
    """Errors and warnings; what only informs is left out."""
    found = [f"{one.rule.id} {one.message}" for one in lint.lint_all(template)]
    return [one for one in found if not one.startswith("I")]


def test_the_template_of_what_is_kept_passes_cfn_lint() -> None:
    assert complaints(TEMPLATE_PATH.read_text()) == []


def test_the_template_of_the_functions_passes_cfn_lint(tmp_path: Path) -> None:
    copy_project(tmp_path / "project", LOCAL)
    template = package_app(tmp_path / "project", LOCAL, tmp_path).template
    assert complaints(json.dumps(with_code_at(template, "bucket", "key"))) == []


def test_cloudformation_is_given_no_yaml_aliases() -> None:
    """It takes none, which cfn-lint does not say."""
    events = yaml.parse(TEMPLATE_PATH.read_text(), yaml.SafeLoader)
    assert not [event for event in events if isinstance(event, yaml.AliasEvent)]


# ---------------------------------------------------------------- the deployer's policy, as a document


def allowed() -> list[str]:
    statements = [one for one in deployer_policy(HOME)["Statement"] if one["Effect"] == "Allow"]
    return [action for one in statements for action in one["Action"]]


def called() -> set[str]:
    actions = {action_of(line) for line in CALLS_FILE.read_text().split()}
    return {action for action in actions if action}


def asked_by_cloudformation(*handlers: str) -> set[str]:
    """What AWS says that CloudFormation may call on our behalf for the types that the template uses."""
    found: set[str] = set()
    for resource in read_template(TEMPLATE_PATH.read_text())["Resources"].values():
        schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        for name, handler in schema["handlers"].items():
            if name in handlers:
                found |= set(handler["permissions"])
    return found


def is_allowed(action: str) -> bool:
    return any(fnmatch.fnmatch(action, one) for one in allowed())


FOR_WHAT_THE_TEMPLATE_LEAVES_OUT = {
    "dynamodb:AssociateTableReplica": "global tables",
    "dynamodb:*Item": "global tables",
    "dynamodb:CreateTableReplica": "global tables",
    "*:Untag*": "a tag that a resource once had and no longer has",
    "dynamodb:DeleteResourcePolicy": "a policy of the table's own",
    "dynamodb:*ableKinesisStreamingDestination": "streams",
    "dynamodb:ImportTable": "tables filled from a bucket",
    "dynamodb:PutResourcePolicy": "a policy of the table's own",
    "dynamodb:Query": "global tables",
    "dynamodb:Scan": "global tables",
    "dynamodb:UpdateContributorInsights": "statistics of keys",
    "dynamodb:UpdateKinesisStreamingDestination": "streams",
    "iam:*": "roles for replicas and for reports of deliveries",
    "kinesis:*": "streams",
    "kms:*": "a key of the owner's own",
    "logs:*": "tables filled from a bucket",
    "s3:*Abac": "rights by tags",
    "s3:*Accelerate*": "uploads by the nearest edge",
    "s3:*Analytics*": "statistics of keys",
    "s3:*BucketAcl": "access lists, which are switched off",
    "s3:*CORS": "web pages",
    "s3:*Cors": "web pages",
    "s3:*IntelligentTiering*": "a class that this service does not use",
    "s3:*Inventory*": "lists of keys",
    "s3:*Logging": "logs of access",
    "s3:*Metadata*": "tables of metadata",
    "s3:*Metrics*": "numbers by prefix",
    "s3:*Object": "tables of metadata, tables filled from a bucket",
    "s3:*ObjectAcl": "access lists, which are switched off",
    "s3:*Replication*": "replication",
    "s3:*Website": "web pages",
    "s3:DeleteBucketEncryption": "a template that once had it and no longer does",
    "s3:DeleteBucketLifecycle": "a template that once had it and no longer does",
    "s3:PutObjectLockConfiguration": "no action that IAM knows; the one it does is allowed",
    "s3tables:*": "tables of metadata",
}
"""Rights that CloudFormation wants for properties which no resource of the template has."""


def test_the_deployer_may_do_every_call_that_was_seen() -> None:
    assert [action for action in called() if not is_allowed(action)] == []


def test_cloudformation_may_look_at_all_that_the_template_makes() -> None:
    """It reads a resource with every property there is, whether the template has it or not."""
    assert [action for action in asked_by_cloudformation("read") if not is_allowed(action)] == []


def test_cloudformation_may_make_and_change_all_that_the_template_has() -> None:
    missing = {one for one in asked_by_cloudformation("create", "update") if not is_allowed(one)}
    left_out = {name: fnmatch.filter(missing, name) for name in FOR_WHAT_THE_TEMPLATE_LEAVES_OUT}
    assert missing - {action for actions in left_out.values() for action in actions} == set()
    assert [name for name, actions in left_out.items() if not actions] == []


def test_the_deployer_may_do_nothing_that_nobody_calls() -> None:
    used = called() | asked_by_cloudformation("create", "read", "update", "delete")
    used |= {"iam:PassRole"} | set(WITHOUT_A_CALL_OF_ITS_OWN)  # Lambda is handed a role
    assert [one for one in allowed() if not fnmatch.filter(used, one)] == []


@pytest.mark.parametrize(
    "action",
    [
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:DeleteBucket",
        "s3:BypassGovernanceRetention",
        "dynamodb:DeleteTable",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "sqs:ReceiveMessage",
        "iam:CreateUser",
        "iam:AttachRolePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicy",
        "iam:DeleteRolePermissionsBoundary",
        "iam:SetDefaultPolicyVersion",
    ],
)
def test_the_deployer_can_neither_read_nor_remove_a_backup_nor_become_more(action: str) -> None:
    assert not [one for one in allowed() if fnmatch.fnmatch(action, one)]


def test_of_objects_the_deployer_touches_the_clients_wheel_only() -> None:
    on_objects = {
        one["Sid"]
        for one in deployer_policy(HOME)["Statement"]
        if one["Effect"] == "Allow" and any("s3:::" in arn and "/" in arn for arn in listed(one["Resource"]))
    }
    assert on_objects == {"HandOutTheClient"}


def test_a_star_for_a_resource_stands_only_where_aws_knows_no_narrower_one() -> None:
    with_star = [one["Sid"] for one in deployer_policy(HOME)["Statement"] if "*" in listed(one["Resource"])]
    assert with_star == ["EndSubscriptions", "ListAndRead", "QueueMapping"]
    [mapping] = [one for one in deployer_policy(HOME)["Statement"] if one["Sid"] == "QueueMapping"]
    assert mapping["Condition"] == {
        "ArnLike": {
            "lambda:FunctionArn": [
                "arn:aws:lambda:eu-central-1:123456789012:function:panicroom-home",
                "arn:aws:lambda:eu-central-1:123456789012:function:panicroom-home-*",
            ]
        }
    }


def test_roles_are_handed_to_lambda_alone() -> None:
    [handing] = [one for one in deployer_policy(HOME)["Statement"] if "iam:PassRole" in one["Action"]]
    assert handing["Condition"] == {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}


def test_roles_are_made_and_written_into_within_their_boundary_alone() -> None:
    making = {"iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"}
    [statement] = [one for one in deployer_policy(HOME)["Statement"] if making & set(one["Action"])]
    assert set(statement["Action"]) == making
    boundary = "arn:aws:iam::123456789012:policy/panicroom-home-boundary"
    assert statement["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": boundary}}


def test_it_denies_the_deletion_of_whatever_is_stored() -> None:
    """Also where the bucket's policy, which the deployer writes, allows it."""
    [denial] = [one for one in deployer_policy(HOME)["Statement"] if one["Effect"] == "Deny"]
    assert denial["Action"] == ["s3:BypassGovernanceRetention", "s3:DeleteObject*"]
    assert denial["Resource"] == f"arn:aws:s3:::{HOME.bucket}/*"


def test_the_simulator_is_asked_no_pattern() -> None:
    patterns = {action for action in allowed() if "*" in action}
    assert patterns == set(EXAMPLES)
    assert [one for one, example in EXAMPLES.items() if not fnmatch.fnmatch(example, one)] == []


def test_it_fits_into_one_policy() -> None:
    long_names = Stage(
        name="a" * 16,
        account="123456789012",
        region="ap-southeast-2",
        sender="the.sender@example.org",
        recipients=("the.first.recipient@example.org", "the.second.recipient@example.net"),
    )
    assert len(json.dumps(deployer_policy(long_names), separators=(",", ":"))) < MANAGED_POLICY_CHARACTERS


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
