"""``python -m ops destroy``: removes the service, leaves the backups, and shows what they cost."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

from chalicelib.domain.backups.tallies import Tallies, Tally
from ops.aws import Aws
from ops.buckets.adopt import adopted_places, end_events, give_back
from ops.deploy.pipeline import chalice
from ops.errors import OpsError
from ops.functions.chalice_config import write_config_files
from ops.functions.chalice_record import found_record, write_record
from ops.functions.compare_functions import log_retention
from ops.functions.queue_mappings import remove_surplus_mappings
from ops.functions.roles import remove_foreign_rights
from ops.resources.cloudformation import delete_stack
from ops.resources.mail_identities import remove_identities
from ops.resources.stack import kept_resources
from ops.service.deployed_stage import DeployedStage
from ops.stages import Stage
from ops.steps import Steps

VERSIONS_A_REQUEST = 1000


@dataclasses.dataclass(frozen=True)
class Kept:
    """What outlives the service."""

    bucket: str | None
    table: str | None
    stored: Tallies
    """Every version, whether it is the current one or not: all of it is billed."""


def destroy(aws: Aws, stage: Stage, project: Path, steps: Steps, *, poll_seconds: float = 5) -> list[str]:
    """Removes functions, API, schedules, queues, alarms, logs; may be repeated. Raises ``OpsError``.

    Returns a sentence for each adopted bucket that still names the service.
    """
    with steps.step("Rights and events in adopted buckets"):
        left = _give_back(DeployedStage(aws, stage))  # first, as long as the service can tell which they are
    with steps.step("Functions, schedules, queue mapping and API"):
        remove_surplus_mappings(aws, stage, poll_seconds)
        remove_foreign_rights(aws, stage)
        record = found_record(aws, stage)
        write_record(record, stage, project)
        if record["resources"]:
            write_config_files(stage, project / ".chalice")
            chalice(aws, stage, project, "delete")
    with steps.step("Logs"):
        for group in log_retention(aws, stage):
            aws.client("logs").delete_log_group(logGroupName=group)
    with steps.step("Queues, alarms, mail identities"):
        with contextlib.suppress(aws.client("s3").exceptions.NoSuchBucket):
            end_events(aws.client("s3"), stage.bucket, stage.arn("sqs", stage.queue))
        delete_stack(aws.client("cloudformation"), stage.resources_stack, poll_seconds=poll_seconds)
        remove_identities(aws.client("sesv2"), stage)
    (project / ".chalice" / "deployed" / f"{stage.name}.json").unlink(missing_ok=True)
    return left


def _give_back(deployed: DeployedStage) -> list[str]:
    """What could not be undone, a sentence each."""
    ours = f"`{deployed.stage.prefix}-` in its policy, and `{deployed.stage.queue}` in its notifications"
    try:
        buckets = dict.fromkeys(place.bucket for place in adopted_places(deployed))
    except OpsError as error:
        return [f"Which buckets were adopted is not known ({error}): remove {ours}, wherever they are."]
    left = []
    for bucket in buckets:
        try:
            give_back(deployed, bucket)
        except OpsError as error:
            left.append(f"{error} Remove what begins with {ours}.")
    return left


def what_stays(aws: Aws, stage: Stage) -> Kept:
    """Bucket and table as they are now, with every version's bytes by storage class."""
    found = kept_resources(aws, stage)
    stored: dict[str, Tally] = {}
    if "Bucket" in found:
        pages = aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=stage.bucket)
        for page in pages:
            for version in page.get("Versions", []):
                name = version.get("StorageClass", "STANDARD")
                stored[name] = stored.get(name, Tally()) + Tally(1, version["Size"])
    return Kept(found.get("Bucket"), found.get("Table"), stored)


def remove_data(aws: Aws, stage: Stage, steps: Steps) -> None:
    """Deletes every version, the bucket and the table, for good. Raises ``OpsError`` where a lock forbids it."""
    s3 = aws.client("s3")
    found = kept_resources(aws, stage)
    if "Bucket" in found:
        with steps.step(f"Every version in {stage.bucket}") as say:
            say("nothing brings them back")
            _empty(s3, stage.bucket)
            s3.delete_bucket(Bucket=stage.bucket)
    if "Table" in found:
        with steps.step(f"The table {stage.table}"):
            aws.client("dynamodb").delete_table(TableName=stage.table)


def _empty(s3: Any, bucket: str) -> None:
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": VERSIONS_A_REQUEST}
    )
    for page in pages:
        objects = [
            {"Key": version["Key"], "VersionId": version["VersionId"]}
            for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        ]
        if not objects:
            continue
        refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get(
            "Errors", []
        )
        if refused:
            raise OpsError(
                f"{refused[0]['Key']} could not be deleted ({refused[0]['Code']}): if the bucket has Object Lock,"
                " it can be emptied when the last lock has run out; type the command again then."
            )
