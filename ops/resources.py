"""Making what is kept: the stack of ``resources.yaml``, and beside it what belongs to API calls.

The lifecycle rules stand beside the owner's own, which a template would replace. The table's expiry and
point-in-time recovery are in the template as well; the stand-in's CloudFormation takes and ignores them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from ops.aws import Aws
from ops.cloudformation import (
    deploy_stack,
    deployed_template,
    described_stack,
    import_into_new_stack,
    settled_stack,
)
from ops.errors import OpsError
from ops.lifecycle import put_lifecycle_rules
from ops.mail_identities import make_identities, missing_identities
from ops.stage_settings import stack_parameters
from ops.stages import Stage

TEMPLATE_PATH = Path(__file__).with_name("resources.yaml")
TTL_ATTRIBUTE = "expires_at_epoch"
DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


def deploy_resources(aws: Aws, stage: Stage, *, poll_seconds: float = 5) -> None:
    """Makes or updates bucket, queues, table and alarms; harmless to repeat. Raises ``OpsError``."""
    cloudformation = aws.client("cloudformation")
    template, parameters = TEMPLATE_PATH.read_text(), stack_parameters(stage)
    if settled_stack(cloudformation, stage.resources_stack, poll_seconds=poll_seconds) is None:
        _take_over_what_was_kept(aws, stage, poll_seconds)
    deploy_stack(
        cloudformation,
        name=stage.resources_stack,
        template=template,
        parameters=parameters,
        poll_seconds=poll_seconds,
    )
    cloudformation.update_termination_protection(
        StackName=stage.resources_stack, EnableTerminationProtection=True
    )
    put_lifecycle_rules(aws.client("s3"), stage.bucket)
    put_object_lock(aws.client("s3"), stage)
    _protect_table(aws, stage.table)
    make_identities(aws.client("sesv2"), stage)


def changed_resources(aws: Aws, stage: Stage) -> list[str]:
    """What ``deploy_resources`` would do to the stack, a line each; empty if all is as it should be."""
    cloudformation = aws.client("cloudformation")
    stack = described_stack(cloudformation, stage.resources_stack)
    if stack is None:
        kept = kept_resources(aws, stage)
        taken_over = [f"take over what is there: {', '.join(kept.values())}"] if kept else []
        return [*taken_over, "make bucket, queues, table, mail identities, and alarms that mail the owner"]
    if stack["StackStatus"] not in DONE:
        return [f"finish what was broken off (the stack is in {stack['StackStatus']})"]
    changes = []
    before = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
    for name, value in stack_parameters(stage).items():
        if before.get(name) != value:
            changes.append(f"set {name} to {value or 'nothing'}, which was {before.get(name) or 'nothing'}")
    old = _resources_in(deployed_template(cloudformation, stage.resources_stack))
    new = _resources_in(TEMPLATE_PATH.read_text())
    changes += [f"make {name}" for name in new if name not in old]
    changes += [f"remove {name}" for name in old if name not in new]
    changes += [f"change {name}" for name in new if name in old and old[name] != new[name]]
    if not stack.get("EnableTerminationProtection"):
        changes.append("protect the stack from being deleted by mistake")
    changes += [
        f"have SES ask {address} to confirm" for address in missing_identities(aws.client("sesv2"), stage)
    ]
    if not changes and object_lock_differs(aws.client("s3"), stage):
        changes.append(f"set Object Lock to {stage.lock_days} days, {stage.lock_mode}")
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
                f"The bucket {stage.bucket} is there and may not be looked at: see whose it is, or name"
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
    wanted = _resources_in(TEMPLATE_PATH.read_text())
    identity = {"Bucket": ("BucketName",), "Table": ("TableName", *_TABLE_SHAPE)}
    resources = {
        name: {
            "Type": wanted[name]["Type"],
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {key: wanted[name]["Properties"][key] for key in identity[name]},
        }
        for name in kept
    }
    parameters = yaml.load(TEMPLATE_PATH.read_text(), _Loader)["Parameters"]  # noqa: S506 - it is a SafeLoader
    import_into_new_stack(
        aws.client("cloudformation"),
        name=stage.resources_stack,
        template=json.dumps({"Parameters": parameters, "Resources": resources}),
        parameters=stack_parameters(stage),
        identifiers={
            name: (wanted[name]["Type"], {identity[name][0]: physical}) for name, physical in kept.items()
        },
        poll_seconds=poll_seconds,
    )


_TABLE_SHAPE = ("BillingMode", "AttributeDefinitions", "KeySchema")


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms: ``!Ref X`` becomes ``{"Ref": "X"}``, ``!Sub`` ``{"Fn::Sub": ...}``."""


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".")
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


def _resources_in(template: str) -> dict[str, Any]:
    return dict(yaml.load(template, _Loader)["Resources"])  # noqa: S506 - it is a SafeLoader


def _protect_table(aws: Aws, table: str) -> None:
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
