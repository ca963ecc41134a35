"""What whoever deploys may do: the smallest IAM policy for ``deploy``, ``doctor`` and ``destroy``.

Nothing in it reads, changes or removes a backup: no object but the client's own wheel, no version, no bucket
and no table can be deleted with it. Roles can be made for this stage's functions only, and handed to Lambda
only.
"""

from __future__ import annotations

from typing import Any

from ops.stages import Stage

Statement = dict[str, Any]


def deployer_policy(stage: Stage) -> dict[str, Any]:
    """The policy document for one stage in one account and region."""
    return {"Version": "2012-10-17", "Statement": _statements(stage)}


def _statements(stage: Stage) -> list[Statement]:
    prefix, arn = stage.prefix, stage.arn
    bucket, iam = f"arn:aws:s3:::{stage.bucket}", f"arn:aws:iam::{stage.account}"
    functions = [arn("lambda", f"function:{prefix}"), arn("lambda", f"function:{prefix}-*")]
    return [
        _allow(
            "SeeOwnRights",
            ["iam:SimulatePrincipalPolicy"],
            _narrow(stage, [f"{iam}:user/*", f"{iam}:role/*"]),
        ),
        _allow(
            "Stack",
            [
                "cloudformation:CreateChangeSet",
                "cloudformation:CreateStack",
                "cloudformation:DeleteStack",
                "cloudformation:DescribeChangeSet",
                "cloudformation:DescribeStackEvents",
                "cloudformation:DescribeStacks",
                "cloudformation:ExecuteChangeSet",
                "cloudformation:GetTemplate",
                "cloudformation:UpdateStack",
                "cloudformation:UpdateTerminationProtection",
            ],
            arn("cloudformation", f"stack/{stage.resources_stack}/*"),
        ),
        # Get* of a bucket, not of its objects, reads settings only; CloudFormation looks at all of them.
        _allow(
            "Bucket",
            [
                "s3:CreateBucket",
                "s3:DeleteBucketPolicy",
                "s3:Get*",
                "s3:ListBucket",
                "s3:ListBucketVersions",
                "s3:ListTagsForResource",
                "s3:PutBucketNotification",
                "s3:PutBucketObjectLockConfiguration",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPolicy",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutBucketVersioning",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
                "s3:TagResource",
                "s3:UntagResource",
            ],
            bucket,
        ),
        _allow("HandOutTheClient", ["s3:GetObject", "s3:PutObject"], f"{bucket}/_service/client/*"),
        _allow(
            "Table",
            [
                "dynamodb:CreateTable",
                "dynamodb:Describe*",
                "dynamodb:GetResourcePolicy",
                "dynamodb:ListTagsOfResource",
                "dynamodb:TagResource",
                "dynamodb:UntagResource",
                "dynamodb:UpdateContinuousBackups",
                "dynamodb:UpdateTable",
                "dynamodb:UpdateTimeToLive",
            ],
            arn("dynamodb", f"table/{stage.table}"),
        ),
        _allow(
            "Queues",
            [
                "sqs:CreateQueue",
                "sqs:DeleteQueue",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ListQueueTags",
                "sqs:SetQueueAttributes",
                "sqs:TagQueue",
                "sqs:UntagQueue",
            ],
            arn("sqs", f"{stage.queue}*"),
        ),
        _allow(
            "AlarmTopic",
            [
                "sns:CreateTopic",
                "sns:DeleteTopic",
                "sns:GetDataProtectionPolicy",
                "sns:GetTopicAttributes",
                "sns:ListSubscriptionsByTopic",
                "sns:ListTagsForResource",
                "sns:SetTopicAttributes",
                "sns:Subscribe",
                "sns:TagResource",
                "sns:Unsubscribe",
                "sns:UntagResource",
            ],
            [arn("sns", stage.alarms_topic), arn("sns", f"{stage.alarms_topic}:*")],
        ),
        _allow(
            "Alarms",
            [
                "cloudwatch:DeleteAlarms",
                "cloudwatch:ListTagsForResource",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
            ],
            arn("cloudwatch", f"alarm:{prefix}-*"),
        ),
        _allow(
            "Functions",
            [
                "lambda:AddPermission",
                "lambda:CreateFunction",
                "lambda:DeleteFunction",
                "lambda:DeleteFunctionConcurrency",
                "lambda:GetFunction",
                "lambda:GetFunctionConfiguration",
                "lambda:GetPolicy",
                "lambda:InvokeFunction",
                "lambda:ListTags",
                "lambda:TagResource",
                "lambda:UntagResource",
                "lambda:UpdateFunctionCode",
                "lambda:UpdateFunctionConfiguration",
                # What the stand-in asks for where Chalice takes a limit away.
                *(["lambda:PutFunctionConcurrency"] if stage.on_stand_in else []),
            ],
            _narrow(stage, functions),
        ),
        # None of these knows a narrower resource.
        _allow(
            "ListAndRead",
            [
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetMetricStatistics",
                "lambda:ListEventSourceMappings",
                "lambda:ListFunctions",
                "logs:DescribeLogGroups",
                "ses:GetAccount",
                "ses:GetSuppressedDestination",
            ],
            "*",
        ),
        {
            **_allow(
                "QueueMapping",
                [
                    "lambda:CreateEventSourceMapping",
                    "lambda:DeleteEventSourceMapping",
                    "lambda:GetEventSourceMapping",
                    "lambda:UpdateEventSourceMapping",
                ],
                "*",
            ),
            **_condition(stage, {"ArnLike": {"lambda:FunctionArn": functions}}),
        },
        _allow(
            "Roles",
            [
                "iam:CreateRole",
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
                "iam:PutRolePolicy",
                "iam:UpdateAssumeRolePolicy",
            ],
            f"{iam}:role/{prefix}-*",
        ),
        {
            **_allow("HandRolesToLambda", ["iam:PassRole"], f"{iam}:role/{prefix}-*"),
            **_condition(stage, {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}),
        },
        _allow(
            "Schedules",
            [
                "events:DeleteRule",
                "events:DescribeRule",
                "events:ListTargetsByRule",
                "events:PutRule",
                "events:PutTargets",
                "events:RemoveTargets",
            ],
            _narrow(stage, [arn("events", f"rule/{prefix}-*")]),
        ),
        # API Gateway gives an API its identifier when it is made: there is no name to narrow this by.
        _allow(
            "Api",
            [
                "apigateway:DELETE",
                "apigateway:GET",
                "apigateway:PATCH",
                "apigateway:POST",
                "apigateway:PUT",
            ],
            [
                f"arn:aws:apigateway:{stage.region}::/restapis",
                f"arn:aws:apigateway:{stage.region}::/restapis/*",
            ],
        ),
        _allow(
            "Logs",
            [
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:FilterLogEvents",
                "logs:PutRetentionPolicy",
            ],
            [arn("logs", f"log-group:/aws/lambda/{prefix}{end}") for end in ("", ":*", "-*")],
        ),
        _allow(
            "MailIdentities",
            [
                "ses:CreateEmailIdentity",
                "ses:DeleteEmailIdentity",
                "ses:GetEmailIdentity",
                "ses:TagResource",
            ],
            _narrow(
                stage,
                [
                    arn("ses", f"identity/{name}")
                    for address in stage.addresses
                    for name in (address, address.partition("@")[2])
                    if name
                ],
            ),
        ),
    ]


def _narrow(stage: Stage, arns: list[str]) -> list[str]:
    """The stand-in knows these actions on every resource or on none."""
    return ["*"] if stage.on_stand_in else arns


def _condition(stage: Stage, condition: dict[str, Any]) -> dict[str, Any]:
    """The stand-in does not tell what these conditions ask for."""
    return {} if stage.on_stand_in else {"Condition": condition}


def _allow(name: str, actions: list[str], resource: str | list[str]) -> Statement:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": resource}
