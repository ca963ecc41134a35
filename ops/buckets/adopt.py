"""Taking over a bucket that somebody set up by hand, with the owner's credentials."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.backups.names import Location
from ops.buckets.documents import (
    Document,
    changed_receivers,
    changed_statements,
    functions_on_objects,
    with_receiver,
    with_rights,
    without_receiver,
    without_rights,
)
from ops.errors import OpsError
from ops.resources.compare_bucket_policy import bucket_policy
from ops.resources.lifecycle import changed_let_go_rules, put_let_go_rules
from ops.resources.stack import object_lock
from ops.service.admin_client import AdminClient
from ops.service.deployed_stage import DeployedStage


@dataclasses.dataclass(frozen=True)
class Adoption:
    """What has to be in the bucket; nothing is changed before ``carry_out``."""

    deployed: DeployedStage
    bucket: str
    prefix: str
    bucket_policy: Document
    notifications: Document
    changes: tuple[str, ...]
    """What ``carry_out`` would change, a line each; empty if all of it was done before."""

    def carry_out(self) -> None:
        """Gives the functions their rights, has the events come, and what is let go removed. May be repeated.

        Raises ``OpsError``.
        """
        s3 = self.deployed.aws.client("s3")
        notifications: Any = self.notifications
        with _as_ops_errors(f"The bucket {self.bucket} could not be changed"):
            s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(self.bucket_policy))
            s3.put_bucket_notification_configuration(
                Bucket=self.bucket, NotificationConfiguration=notifications
            )
            put_let_go_rules(s3, self.bucket, self.deployed.stage, [self.prefix])


def adopted_places(deployed: DeployedStage) -> list[Location]:
    """The places of jobs in buckets that are not the service's own; none before the service is deployed.

    Raises ``OpsError`` where the service does not answer.
    """
    stage, functions = deployed.stage, deployed.aws.client("lambda")
    try:
        functions.get_function_configuration(FunctionName=stage.function("admin"))
    except functions.exceptions.ResourceNotFoundException:
        return []
    places = [job.location for job in AdminClient(deployed.aws, stage.function("admin")).jobs()]
    return [place for place in dict.fromkeys(places) if place.bucket != stage.bucket]


def plans_for_adopted(deployed: DeployedStage) -> Iterator[Adoption | OpsError]:
    """What has to be done again for each adopted place, or why it is not known.

    A role that was made anew is unknown to a bucket's policy, which stores not the role's name but its id
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html). And a later version
    may want other rights. Each is planned when the one before was carried out: two may be in one bucket.
    """
    for place in adopted_places(deployed):
        try:
            yield plan_adoption(deployed, place.bucket, place.prefix)
        except OpsError as error:
            yield error


def give_back(deployed: DeployedStage, bucket: str) -> None:
    """Takes the service out of a bucket's policy and notifications; what the owner has in them stays.

    The lifecycle rules stay as well: they go on moving what is stored, and removing what was let go, which alone has
    the tag. Raises ``OpsError``.
    """
    stage, s3 = deployed.stage, deployed.aws.client("s3")
    with _as_ops_errors(f"The bucket {bucket} could not be changed"), suppress(s3.exceptions.NoSuchBucket):
        end_events(s3, bucket, stage.arn("sqs", stage.queue))
        policy = without_rights(bucket_policy(s3, bucket), stage)
        if policy["Statement"]:
            s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        else:
            s3.delete_bucket_policy(Bucket=bucket)


def end_events(s3: Any, bucket: str, queue_arn: str) -> None:
    """Sends nothing to the queue any more: S3 refuses every later change that names a queue that is gone."""
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration=without_receiver(configuration, queue_arn)
    )


def plan_adoption(deployed: DeployedStage, bucket: str, prefix: str) -> Adoption:
    """Looks at the bucket and works out what has to be changed. Raises ``OpsError`` where it cannot be adopted."""
    stage, s3 = deployed.stage, deployed.aws.client("s3")
    _check_place(deployed, s3, bucket)
    with _as_ops_errors(f"The bucket {bucket} could not be read"):
        _check_versioning(s3, bucket)
        functions = deployed.aws.client("lambda")
        roles = {
            short_name: functions.get_function_configuration(FunctionName=stage.function(short_name))["Role"]
            for short_name in functions_on_objects(stage)
        }
        old_policy = bucket_policy(s3, bucket)
        lock = object_lock(s3, bucket)
        answer = s3.get_bucket_notification_configuration(Bucket=bucket)
        rules = changed_let_go_rules(s3, bucket, stage, [prefix])
        old_notifications = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    policy = with_rights(old_policy, stage, roles, bucket, prefix, lock_days=lock[1] if lock else 0)
    notifications = with_receiver(old_notifications, stage, stage.arn("sqs", stage.queue), prefix)
    changes = [
        *changed_statements(old_policy, policy),
        *changed_receivers(old_notifications, notifications, stage, prefix),
        *rules,
    ]
    return Adoption(deployed, bucket, prefix, policy, notifications, tuple(changes))


def _check_place(deployed: DeployedStage, s3: Any, bucket: str) -> None:
    stage = deployed.stage
    if bucket == stage.bucket:
        raise OpsError(f"{bucket} is the service's own bucket: leave out --bucket.")
    try:
        answer = s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=stage.account)
    except BotoCoreError as error:
        raise OpsError(f"The bucket {bucket} could not be read: {error}") from error
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            raise OpsError(f"There is no bucket called {bucket}: check the name.") from error
        raise OpsError(
            f"The bucket {bucket} belongs to another account, or you have no right to read it: the service's account is"
            f" {stage.account}, and a bucket has to be in the same one. Copy the backup into a bucket of it."
        ) from error
    region = answer["BucketRegion"]
    if region != stage.region:
        raise OpsError(
            f"The bucket {bucket} is in {region} and the service in {stage.region}: events cross no border."
            f" Deploy a stage of the service in {region}, or copy the backup into a bucket in {stage.region}."
        )


def _check_versioning(s3: Any, bucket: str) -> None:
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        raise OpsError(
            f"The bucket {bucket} has versioning off, so that what is deleted is gone for good. Turn it"
            f" on and type the command again: `aws s3api put-bucket-versioning --bucket {bucket}"
            " --versioning-configuration Status=Enabled`."
        )


@contextmanager
def _as_ops_errors(what: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise OpsError(f"{what}: {error}") from error
