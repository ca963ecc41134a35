"""Creates what holds data: the stack of ``resources.yaml``, and by API calls what a stack cannot do.

CloudFormation compares templates and not what exists: an API call repairs what somebody changed by hand,
stands beside what the owner has, as the lifecycle rules do, and asks again whom AWS no longer waits for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import Aws
from ops.errors import OpsError
from ops.resources.alarm_subscription import is_subscribed, subscribe_owner, unsubscribe
from ops.resources.cloudformation import (
    deploy_stack,
    deployed_template,
    described_stack,
    import_into_new_stack,
    parameters_of,
    settled_stack,
)
from ops.resources.compare_bucket_policy import missing_statements, put_missing_statements
from ops.resources.lifecycle import changed_rules, put_lifecycle_rules
from ops.resources.mail_identities import make_identities, missing_identities
from ops.resources.stack_parameters import stack_parameters, webhook_of
from ops.resources.template import TEMPLATE_PATH, read_template
from ops.resources.webhook_subscription import end_webhook, subscribe_webhook, webhook_changes
from ops.stages import Stage, Webhook

TTL_ATTRIBUTE = "expires_at_epoch"
DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


def deploy_resources(aws: Aws, stage: Stage, *, poll_seconds: float = 5) -> None:
    """Makes or updates bucket, queues, table and alarms; harmless to repeat. Raises ``OpsError``."""
    cloudformation, sns = aws.client("cloudformation"), aws.client("sns")
    template, parameters = TEMPLATE_PATH.read_text(), stack_parameters(stage)
    stack = settled_stack(cloudformation, stage.resources_stack, poll_seconds=poll_seconds)
    if stack is None:
        _take_over_what_was_kept(aws, stage, poll_seconds)
    else:
        _end_earlier_subscriptions(sns, stage, parameters_of(stack))
    deploy_stack(
        cloudformation,
        name=stage.resources_stack,
        template={"TemplateBody": template},
        parameters=parameters,
        poll_seconds=poll_seconds,
    )
    cloudformation.update_termination_protection(
        StackName=stage.resources_stack, EnableTerminationProtection=True
    )
    put_lifecycle_rules(aws.client("s3"), stage.bucket)
    put_missing_statements(aws.client("s3"), stage)
    put_object_lock(aws.client("s3"), stage)
    if stage.on_local_stack:
        _protect_table(aws, stage.table)
    make_identities(aws.client("sesv2"), stage)
    subscribe_owner(sns, stage)
    subscribe_webhook(sns, stage)


def _end_earlier_subscriptions(sns: Any, stage: Stage, before: Mapping[str, str]) -> None:
    earlier = before.get("Recipients", "").partition(",")[0]
    if earlier not in ("", stage.recipients[0]):
        unsubscribe(sns, stage, earlier)
    if webhook_of(before) != stage.webhook:
        end_webhook(sns, stage, webhook_of(before))


def changed_resources(aws: Aws, stage: Stage) -> list[str]:
    """What ``deploy_resources`` would do to the stack, a line each; empty if all is as it should be."""
    cloudformation = aws.client("cloudformation")
    stack = described_stack(cloudformation, stage.resources_stack)
    if stack is None:
        kept = kept_resources(aws, stage)
        taken_over = [f"take over what is there: {', '.join(kept.values())}"] if kept else []
        made = "make bucket, queues, table, mail identities, and alarms that mail the owner"
        return [*taken_over, made, *webhook_changes(aws.client("sns"), stage, Webhook())]
    if stack["StackStatus"] not in DONE:
        return [f"finish what was broken off (the stack is in {stack['StackStatus']})"]
    before = parameters_of(stack)
    changes = [
        f"set {name} to {value or 'nothing'}, which was {before.get(name) or 'nothing'}"
        for name, value in stack_parameters(stage).items()
        if before.get(name, "") != value and name != "AlertWebhook"
    ]
    changes += webhook_changes(aws.client("sns"), stage, webhook_of(before))
    old = read_template(deployed_template(cloudformation, stage.resources_stack))["Resources"]
    new = read_template(TEMPLATE_PATH.read_text())["Resources"]
    changes += [f"make {name}" for name in new if name not in old]
    changes += [f"remove {name}" for name in old if name not in new]
    changes += [f"change {name}" for name in new if name in old and old[name] != new[name]]
    if not stack.get("EnableTerminationProtection"):
        changes.append("protect the stack from being deleted by mistake")
    return changes + _changes_beside_the_stack(aws, stage)


def _changes_beside_the_stack(aws: Aws, stage: Stage) -> list[str]:
    s3 = aws.client("s3")
    changes = changed_rules(s3, stage.bucket)
    changes += [f"put {name} back into the bucket's policy" for name in missing_statements(s3, stage)]
    if object_lock_differs(s3, stage):
        changes.append(f"set Object Lock to {stage.lock_days} days, {stage.lock_mode}")
    changes += [
        f"have SES ask {address} to confirm" for address in missing_identities(aws.client("sesv2"), stage)
    ]
    if not is_subscribed(aws.client("sns"), stage):
        changes.append(f"have SNS ask {stage.recipients[0]} to confirm that it wants alarms")
    return changes


def kept_resources(aws: Aws, stage: Stage) -> dict[str, str]:
    """Bucket and table that outlived an earlier stack, by the names they have in the template."""
    found = {}
    try:
        aws.client("s3").head_bucket(Bucket=stage.bucket, ExpectedBucketOwner=stage.account)
        found["Bucket"] = stage.bucket
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status != 404:
            raise OpsError(
                f"The bucket {stage.bucket} exists and you have no right to read it: find out whose it is, or name"
                " another stage."
            ) from error
    try:
        aws.client("dynamodb").describe_table(TableName=stage.table)
        found["Table"] = stage.table
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    return found


def put_object_lock(s3: Any, stage: Stage) -> None:
    """Sets the lock that new objects get. Once on it cannot be turned off again, only its days changed."""
    if object_lock_differs(s3, stage):
        s3.put_object_lock_configuration(
            Bucket=stage.bucket,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": stage.lock_mode, "Days": stage.lock_days}},
            },
        )


def object_lock_differs(s3: Any, stage: Stage) -> bool:
    return stage.lock_days > 0 and object_lock(s3, stage.bucket) != (stage.lock_mode, stage.lock_days)


def object_lock(s3: Any, bucket: str) -> tuple[str, int] | None:
    """Mode and days that new objects are locked for; None for no lock."""
    try:
        answer = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ObjectLockConfigurationNotFoundError":
            return None
        raise
    rule = answer.get("Rule", {}).get("DefaultRetention", {})
    return (rule["Mode"], rule["Days"]) if "Days" in rule else None


def _take_over_what_was_kept(aws: Aws, stage: Stage, poll_seconds: float) -> None:
    """CloudFormation makes nothing that exists by that name; what it imports has to stand in it alone."""
    kept = kept_resources(aws, stage)
    if not kept:
        return
    template = read_template(TEMPLATE_PATH.read_text())
    wanted, identity = template["Resources"], {"Bucket": "BucketName", "Table": "TableName"}
    # The table whole: CloudFormation would set its expiry anew, which DynamoDB refuses. The bucket refers to others.
    properties = {
        "Bucket": {"BucketName": wanted["Bucket"]["Properties"]["BucketName"]},
        "Table": wanted["Table"]["Properties"],
    }
    resources = {
        name: {
            "Type": wanted[name]["Type"],
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": properties[name],
        }
        for name in kept
    }
    import_into_new_stack(
        aws.client("cloudformation"),
        name=stage.resources_stack,
        template=json.dumps({"Parameters": template["Parameters"], "Resources": resources}),
        parameters=stack_parameters(stage),
        identifiers={
            name: (wanted[name]["Type"], {identity[name]: physical}) for name, physical in kept.items()
        },
        poll_seconds=poll_seconds,
    )


def _protect_table(aws: Aws, table: str) -> None:
    """What MiniStack's CloudFormation takes and ignores."""
    dynamodb = aws.client("dynamodb")
    try:
        dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
        )
    except ClientError as error:
        if "already enabled" not in str(error):
            raise
    dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
