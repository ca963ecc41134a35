"""The functions' roles: each has the rights of its policy file and no others, and Lambda alone may take it on.

Chalice writes that one policy at each deploy and looks at nothing else: rights that somebody added would stay, and
a role with a policy attached to it cannot be deleted.
"""

from __future__ import annotations

import json
from typing import Any

from chalice.constants import LAMBDA_TRUST_POLICY

from ops.aws import Aws
from ops.policies import policy_document
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
    try:
        is_lambdas_alone = _is_lambdas_alone(iam, role)
        inline, attached = _policies(iam, role)
        documents = {
            policy: iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for policy in inline
        }
    except iam.exceptions.NoSuchEntityException:
        return [f"{name}: its role {role} is not there"]
    if not is_lambdas_alone:
        return [f"{name}: others than Lambda may take on its role"]
    if attached:
        return [f"{name}: its role has the policy {attached[0]} besides its own"]
    if documents != {role: policy_document(stage, short_name)}:
        return [f"{name}: its role has other rights than .chalice/policies/{stage.name}/{short_name}.json"]
    return []


def remove_foreign_rights(aws: Aws, stage: Stage) -> None:
    """Takes every policy from the functions' roles but the one that Chalice writes, and everybody but Lambda."""
    iam = aws.client("iam")
    for short_name in stage.functions:
        role = role_name(stage, short_name)
        try:
            inline, attached = _policies(iam, role)
        except iam.exceptions.NoSuchEntityException:
            continue
        if not _is_lambdas_alone(iam, role):
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(LAMBDA_TRUST_POLICY))
        for arn in attached:
            iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        for policy in inline:
            if policy != role:
                iam.delete_role_policy(RoleName=role, PolicyName=policy)


def _is_lambdas_alone(iam: Any, role: str) -> bool:
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    return _without_sids(trust) == _without_sids(LAMBDA_TRUST_POLICY)


def _without_sids(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in statement.items() if key != "Sid"}
        for statement in document["Statement"]
    ]


def _policies(iam: Any, role: str) -> tuple[list[str], list[str]]:
    """The names of those in the role, and the ARNs of those attached to it."""
    inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return list(inline), [one["PolicyArn"] for one in attached]
