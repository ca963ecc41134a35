"""Making what is kept: the stack of ``resources.yaml``, and beside it what belongs to API calls.

The lifecycle rules stand beside the owner's own, which a template would replace. The table's expiry and
point-in-time recovery are in the template as well; the stand-in's CloudFormation takes and ignores them.
"""

from __future__ import annotations

from pathlib import Path

from botocore.exceptions import ClientError

from ops.adoption import senders, with_senders
from ops.aws import Aws
from ops.cloudformation import deploy_stack
from ops.lifecycle import put_lifecycle_rules
from ops.queue_policy import read_queue_policy, write_queue_policy
from ops.stages import Stage

TEMPLATE_PATH = Path(__file__).with_name("resources.yaml")
TTL_ATTRIBUTE = "expires_at_epoch"


def deploy_resources(aws: Aws, stage: Stage, *, poll_seconds: float = 5) -> None:
    """Makes or updates bucket, queues, table and mail identities; harmless to repeat. Raises ``OpsError``."""
    sqs = aws.client("sqs")
    adopted = senders(read_queue_policy(sqs, stage.queue))
    deploy_stack(
        aws.client("cloudformation"),
        name=stage.resources_stack,
        template=TEMPLATE_PATH.read_text(),
        parameters={
            "Stage": stage.name,
            "Sender": stage.sender,
            "Recipient": stage.recipients[0],
            "BucketGuards": "none" if stage.on_stand_in else "full",
        },
        poll_seconds=poll_seconds,
    )
    # The template knows nothing of adopted buckets, and an update of the queue's policy would leave them out.
    policy = read_queue_policy(sqs, stage.queue)
    if senders(policy) != adopted:
        write_queue_policy(sqs, stage.queue, with_senders(policy, stage, adopted))
    put_lifecycle_rules(aws.client("s3"), stage.bucket)
    _protect_table(aws, stage.table)


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
