"""The functions' roles: each has the rights of its policy file and no others, and Lambda alone may take it on.

Chalice writes that one policy at each deploy and checks nothing else: rights that somebody added would stay, and
a role with a policy attached to it cannot be deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError
from chalice.constants import LAMBDA_TRUST_POLICY

from ops.aws import Aws
from ops.functions.policies import policy_document
from ops.stages import Stage


def role_name(stage: Stage, short_name: str) -> str:
    """As Chalice names the role, and the one policy in it."""
    return f"{stage.prefix}-{short_name}"


def role_differences(aws: Aws, stage: Stage, short_name: str, role_arn: str) -> list[str]:
    """How the function's role differs from its policy file; at most one line. ``role_arn`` is what it runs with."""
    role, name = role_name(stage, short_name), stage.function(short_name)
    if role_arn.rpartition("/")[2] != role:
        return [f"{name}: runs with the role {role_arn}, not {role}"]
    iam = aws.client("iam")
    described = described_role(iam, role)
    if described is None:
        return [f"{name}: its role {role} is not there"]
    if not _is_lambdas_alone(described):
        return [f"{name}: others than Lambda may take on its role"]
    if bound_of(described) != stage.boundary_arn:
        return [f"{name}: its role is not bound by {stage.boundary}"]
    if attached := _attached(iam, role):
        return [f"{name}: its role has the policy {attached[0]} besides its own"]
    if _documents(iam, role) != {role: policy_document(stage, short_name)}:
        return [f"{name}: its role has other rights than .chalice/policies/{stage.name}/{short_name}.json"]
    return []


def remove_foreign_rights(aws: Aws, stage: Stage) -> None:
    """Takes every policy from the functions' roles but the one that Chalice writes, and everybody but Lambda."""
    iam = aws.client("iam")
    for short_name in stage.functions:
        role = role_name(stage, short_name)
        described = described_role(iam, role)
        if described is None:
            continue
        if not _is_lambdas_alone(described):
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(LAMBDA_TRUST_POLICY))
        for arn in _attached(iam, role):
            iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        for policy in _inline(iam, role):
            if policy != role:
                iam.delete_role_policy(RoleName=role, PolicyName=policy)


def region_of_roles(aws: Aws, stage: Stage) -> str | None:
    """The region that the stage's roles are made for; None where there are none, or who asks may not see them.

    Roles are the same ones in all regions of an account: a stage of this name in a second region would take those of
    the first away from it.
    """
    iam = aws.client("iam")
    for short_name in stage.functions:
        try:
            for document in _documents(iam, role_name(stage, short_name)).values():
                for statement in document["Statement"]:
                    resources = statement["Resource"]
                    for resource in [resources] if isinstance(resources, str) else resources:
                        _, _, service, region, *_ = resource.split(":")
                        if service == "dynamodb":
                            return str(region)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchEntity", "AccessDenied"):
                raise
    return None


def described_role(iam: Any, role: str) -> dict[str, Any] | None:
    """The role as IAM describes it; ``None`` where there is none of that name."""
    try:
        return dict(iam.get_role(RoleName=role)["Role"])
    except iam.exceptions.NoSuchEntityException:
        return None


def bound_of(described: Mapping[str, Any]) -> str:
    """The ARN of the role's permissions boundary; empty without one."""
    return str(described.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""))


def _is_lambdas_alone(described: Mapping[str, Any]) -> bool:
    return _without_sids(described["AssumeRolePolicyDocument"]) == _without_sids(LAMBDA_TRUST_POLICY)


def _without_sids(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in statement.items() if key != "Sid"}
        for statement in document["Statement"]
    ]


def _documents(iam: Any, role: str) -> dict[str, dict[str, Any]]:
    """The policies in the role, by name."""
    return {
        policy: iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for policy in _inline(iam, role)
    }


def _inline(iam: Any, role: str) -> list[str]:
    """The names of the policies in the role."""
    return list(iam.list_role_policies(RoleName=role)["PolicyNames"])


def _attached(iam: Any, role: str) -> list[str]:
    """The ARNs of the policies attached to the role."""
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return [one["PolicyArn"] for one in attached]
