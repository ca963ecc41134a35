"""Who deploys, and with which rights: checked before anything is created."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from ops.aws import Aws
from ops.deploy.deployer_policy import deployer_policy
from ops.errors import OpsError
from ops.stages import Stage

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef

ACTIONS_A_QUESTION = 50
"""IAM's simulator takes more; its answer grows with them."""

EXAMPLES = {
    "cloudformation:*": "cloudformation:CreateChangeSet",
    "cloudwatch:*Tag*": "cloudwatch:TagResource",
    "dynamodb:*Tag*": "dynamodb:TagResource",
    "dynamodb:Describe*": "dynamodb:DescribeTable",
    "s3:*Tag*": "s3:PutBucketTagging",
    "s3:Get*": "s3:GetBucketVersioning",
    "sns:*": "sns:CreateTopic",
    "sqs:*Tag*": "sqs:TagQueue",
}
"""What IAM's simulator is asked where the policy has a pattern, which it does not take."""


NO_CREDENTIALS = (
    "No AWS credentials were found. The browser's cloud shell brings its own; elsewhere sign in with"
    " `aws sso login` first."
)


@dataclasses.dataclass(frozen=True)
class AwsCaller:
    account: str
    arn: str

    @property
    def is_root(self) -> bool:
        return self.arn.endswith(":root")


def caller(aws: Aws) -> AwsCaller:
    """The owner of the credentials. Raises ``OpsError`` with what to do where none work."""
    try:
        answer = aws.client("sts").get_caller_identity()
    except NoCredentialsError as error:
        raise OpsError(NO_CREDENTIALS) from error
    except ClientError as error:
        raise OpsError(f"AWS rejects these credentials: {error} Sign in again.") from error
    except BotoCoreError as error:
        raise OpsError(f"AWS cannot be reached in {aws.region}: {error} Check the network.") from error
    return AwsCaller(answer["Account"], answer["Arn"])


def missing_rights(aws: Aws, stage: Stage, who: AwsCaller) -> list[str]:
    """Actions of the deployer's policy that IAM says it would refuse; empty also where IAM does not say.

    The root may do everything, and IAM simulates nothing for it.
    """
    if who.is_root:
        return []
    iam, refused = aws.client("iam"), list[str]()
    source = policy_source(iam, who.arn)
    for statement in deployer_policy(stage)["Statement"]:
        if statement["Sid"] == "SeeOwnRights" or statement["Effect"] == "Deny" or not statement["Resource"]:
            continue
        arns = [arn for arn in _listed(statement["Resource"]) if arn != "*"]
        for actions in _in_parts([EXAMPLES.get(action, action) for action in statement["Action"]]):
            try:
                answer = iam.simulate_principal_policy(
                    PolicySourceArn=source,
                    ActionNames=actions,
                    ContextEntries=_context(statement),
                    ResourceArns=arns or ["*"],
                )
            except ClientError as error:
                if error.response["Error"]["Code"].startswith("AccessDenied"):
                    return ["iam:SimulatePrincipalPolicy"]
                return []
            refused += [
                result["EvalActionName"]
                for result in answer["EvaluationResults"]
                if result["EvalDecision"] != "allowed"
            ]
    return list(dict.fromkeys(refused))


def policy_source(iam: Any, arn: str) -> str:
    """The user or role behind an identity: STS names a session, and IAM's simulator wants its role."""
    parts = arn.split(":", 5)
    if parts[2] != "sts" or not parts[5].startswith("assumed-role/"):
        return arn
    role = parts[5].split("/")[1]
    try:
        # A session's name has lost the path of its role, as those of IAM Identity Center have one.
        return str(iam.get_role(RoleName=role)["Role"]["Arn"])
    except ClientError:
        return f"arn:aws:iam::{parts[4]}:role/{role}"


def _context(statement: dict[str, Any]) -> list[ContextEntryTypeDef]:
    """The values that the statement's own condition asks for: what is simulated is the call as it will be made."""
    return [
        {
            "ContextKeyName": key,
            "ContextKeyValues": [value.replace("*", "x") for value in _listed(values)],
            "ContextKeyType": "string",
        }
        for tests in statement.get("Condition", {}).values()
        for key, values in tests.items()
    ]


def _in_parts(actions: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(actions), ACTIONS_A_QUESTION):
        yield actions[start : start + ACTIONS_A_QUESTION]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
