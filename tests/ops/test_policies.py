"""What each function may do, as documents; the local stack enforces them in the end-to-end tests."""

from __future__ import annotations

import dataclasses
import itertools
import json
from fnmatch import fnmatch
from typing import Any

import pytest

from ops.functions.boundary import boundary_document
from ops.functions.policies import policy_document
from ops.stages import LAMBDA_FUNCTIONS, LOCAL, Stage

STAGE = Stage(
    name="home",
    account="123456789012",
    region="eu-central-1",
    sender="backup@example.org",
    recipients=("ada@example.org", "grace@example.net"),
)


def statements(short_name: str, stage: Stage = STAGE) -> list[dict[str, Any]]:
    return list(policy_document(stage, short_name)["Statement"])


def actions(short_name: str) -> set[str]:
    return {action for statement in statements(short_name) for action in statement["Action"]}


def resources(short_name: str, stage: Stage = STAGE) -> set[str]:
    found: set[str] = set()
    for statement in statements(short_name, stage):
        named = statement["Resource"]
        found |= set(named if isinstance(named, list) else [named])
    return found


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_every_action_is_named_in_full(short_name: str) -> None:
    assert not [action for action in actions(short_name) if "*" in action]


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_every_resource_is_the_stages_own(short_name: str) -> None:
    strangers = [
        arn for arn in resources(short_name) if STAGE.prefix not in arn and not arn.startswith("arn:aws:ses:")
    ]
    assert not strangers


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_nobody_may_delete_versions_or_change_the_bucket(short_name: str) -> None:
    forbidden = (
        "s3:DeleteObjectVersion",
        "s3:PutBucket",
        "s3:PutLifecycle",
        "s3:DeleteBucket",
        "s3:Bypass",
        "iam:",
    )
    assert not [action for action in actions(short_name) if action.startswith(forbidden)]


def test_only_discard_and_let_go_may_write_delete_markers() -> None:
    assert [name for name in LAMBDA_FUNCTIONS if "s3:DeleteObject" in actions(name)] == [
        "discard",
        "let_go",
    ]


def test_only_let_go_may_tag_versions_and_extend_locks_and_locks_only_where_the_stage_has_some() -> None:
    locked = dataclasses.replace(STAGE, lock_days=30)
    for action in ("s3:PutObjectVersionTagging", "s3:PutObjectRetention"):
        granted = [
            name
            for name in LAMBDA_FUNCTIONS
            if any(action in statement["Action"] for statement in statements(name, locked))
        ]
        assert granted == ["let_go"]
    assert not any("Retention" in action or "Lock" in action for action in actions("let_go"))
    [extend] = [one for one in statements("let_go", locked) if "s3:PutObjectRetention" in one["Action"]]
    assert extend["Condition"] == {
        "StringEquals": {"aws:ResourceAccount": STAGE.account},
        "NumericLessThanEquals": {"s3:object-lock-remaining-retention-days": "31"},
    }


def test_let_go_may_do_in_the_bucket_what_it_does_and_no_more() -> None:
    assert {action for action in actions("let_go") if action.startswith("s3:")} == {
        "s3:DeleteObject",
        "s3:GetBucketVersioning",
        "s3:GetLifecycleConfiguration",
        "s3:GetObject",
        "s3:GetObjectVersionTagging",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:PutObjectVersionTagging",
    }


def test_only_thaw_may_ask_for_archived_volumes() -> None:
    """It is paid by the GB."""
    assert [name for name in LAMBDA_FUNCTIONS if "s3:RestoreObject" in actions(name)] == ["thaw"]


def test_whoever_only_looks_is_served_by_a_function_that_only_reads() -> None:
    writing_the_log = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    verbs = {action.partition(":")[2] for action in actions("admin_read") - writing_the_log}
    assert {verb for verb in verbs if not verb.startswith(("Get", "List", "BatchGet", "Query"))} == set()
    assert not {"s3:GetObject", "s3:GetObjectVersion"} & actions("admin_read")


def test_only_the_api_may_store_objects() -> None:
    assert [name for name in LAMBDA_FUNCTIONS if "s3:PutObject" in actions(name)] == ["api_handler"]


def test_only_those_that_need_it_may_call_another_function() -> None:
    called = {
        name: {
            statement["Resource"].rpartition(":")[2]
            for statement in statements(name)
            if "lambda:InvokeFunction" in statement["Action"]
        }
        for name in LAMBDA_FUNCTIONS
    }
    discard, thaw = STAGE.function("discard"), STAGE.function("thaw")
    assert {name: functions for name, functions in called.items() if functions} == {
        "api_handler": {discard, thaw},
        "catalogue": {discard, thaw},
        "alerts": {thaw},
        "reconcile": {discard},
        "weekly_reconcile": {discard},
        "admin": {thaw, STAGE.function("let_go")},
    }


def test_thaw_can_neither_read_nor_write_an_object() -> None:
    assert {action for action in actions("thaw") if action.startswith("s3:")} == {
        "s3:ListBucket",
        "s3:RestoreObject",
    }


@pytest.mark.parametrize(
    ("short_name", "partitions"),
    [
        ("api_handler", ["LEASES", "FINDINGS", "OPEN_SETS"]),
        ("catalogue", ["FINDINGS", "OPEN_SETS"]),
        ("reconcile", ["FINDINGS", "OPEN_SETS"]),
        ("weekly_reconcile", ["FINDINGS", "OPEN_SETS"]),
        ("daily_audit", ["FINDINGS"]),
    ],
)
def test_a_function_deletes_rows_of_few_kinds_only(short_name: str, partitions: list[str]) -> None:
    deleting = [s for s in statements(short_name) if "dynamodb:DeleteItem" in s["Action"]]
    assert [s["Condition"] for s in deleting] == [
        {
            "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": partitions},
            "Null": {"dynamodb:LeadingKeys": "false"},  # of no values at all the first part would hold
        }
    ]


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_what_is_allowed_in_a_bucket_is_allowed_in_this_accounts_alone(short_name: str) -> None:
    """A bucket's name is free once the bucket is deleted: somebody else may have it tomorrow."""
    in_buckets = [
        statement
        for statement in statements(short_name)
        if statement["Effect"] == "Allow" and ":s3:::" in str(statement["Resource"])
    ]
    of_account = {"StringEquals": {"aws:ResourceAccount": STAGE.account}}
    assert [one["Sid"] for one in in_buckets if one.get("Condition") != of_account] == []


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
@pytest.mark.parametrize("stage", [STAGE, LOCAL, dataclasses.replace(STAGE, lock_days=30)])
def test_the_boundary_takes_no_right_from_a_function(stage: Stage, short_name: str) -> None:
    bounds = [
        (action, statement["Resource"])
        for statement in boundary_document(stage)["Statement"]
        for action in statement["Action"]
    ]
    for statement in statements(short_name, stage):
        named = statement["Resource"]
        for action, arn in itertools.product(
            statement["Action"], named if isinstance(named, list) else [named]
        ):
            assert any(fnmatch(action, one) and fnmatch(arn, within) for one, within in bounds), (action, arn)


@pytest.mark.parametrize(
    "action",
    [
        "s3:DeleteObjectVersion",
        "s3:DeleteBucket",
        "s3:PutBucketPolicy",
        "s3:PutLifecycleConfiguration",
        "s3:BypassGovernanceRetention",
        "s3:PutObjectAcl",
        "dynamodb:DeleteTable",
        "dynamodb:Scan",
        "iam:PassRole",
        "iam:PutRolePolicy",
        "sts:AssumeRole",
        "lambda:UpdateFunctionCode",
    ],
)
def test_within_the_boundary_no_role_deletes_a_version_or_changes_a_setting(action: str) -> None:
    bounds = [one for statement in boundary_document(STAGE)["Statement"] for one in statement["Action"]]
    assert [one for one in bounds if fnmatch(action, one)] == []


def test_only_the_owner_deletes_rows_of_every_kind() -> None:
    deleting = [name for name in LAMBDA_FUNCTIONS if "dynamodb:DeleteItem" in actions(name)]
    assert deleting == [
        "api_handler",
        "catalogue",
        "alerts",
        "daily_audit",
        "let_go",
        "reconcile",
        "weekly_reconcile",
        "admin",
    ]


def test_mail_goes_out_only_as_the_sender_and_to_whatever_identity_covers_a_recipient() -> None:
    """A recipient may be covered by a domain, and a machine's owner is none of the stage's recipients."""
    for function in ("weekly_report", "alerts", "admin"):
        [send] = [s for s in statements(function) if s["Sid"] == "SendMail"]
        assert send["Resource"] == "arn:aws:ses:eu-central-1:123456789012:identity/*"
        assert send["Condition"] == {"StringEquals": {"ses:FromAddress": "backup@example.org"}}


def test_a_star_stands_only_where_the_stand_in_knows_no_narrower_resource() -> None:
    with_star = [name for name in LAMBDA_FUNCTIONS if "*" in resources(name, LOCAL)]
    assert with_star == ["weekly_report", "alerts", "admin"]
    assert not [name for name in LAMBDA_FUNCTIONS if "*" in resources(name)]


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_each_function_writes_its_own_log_and_no_other(short_name: str) -> None:
    [logs] = [s for s in statements(short_name) if s["Sid"] == "WriteOwnLogs"]
    group = f"log-group:/aws/lambda/{STAGE.function(short_name)}"
    assert all(arn.partition(group)[2] in ("", ":*") and group in arn for arn in logs["Resource"])


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_a_policy_fits_into_a_role(short_name: str) -> None:
    """IAM takes 10,240 characters of inline policy a role."""
    assert len(json.dumps(policy_document(STAGE, short_name))) < 10_240
