"""The bucket's policy, which CloudFormation writes once: what somebody took out of it is put back by API call."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from ops.resources.template import bucket_statements
from ops.stages import Stage


def missing_statements(s3: Any, stage: Stage) -> list[str]:
    """Names of the template's statements that the bucket's policy does not have; MiniStack has none."""
    if stage.on_local_stack:
        return []
    known = {statement.get("Sid") for statement in bucket_policy(s3, stage.bucket)["Statement"]}
    return [statement["Sid"] for statement in bucket_statements(stage) if statement["Sid"] not in known]


def put_missing_statements(s3: Any, stage: Stage) -> None:
    """Puts back the statements that are missing, beside whatever else is in the policy."""
    missing = missing_statements(s3, stage)
    if missing:
        policy = bucket_policy(s3, stage.bucket)
        added = [statement for statement in bucket_statements(stage) if statement["Sid"] in missing]
        document = {**policy, "Statement": [*policy["Statement"], *added]}
        s3.put_bucket_policy(Bucket=stage.bucket, Policy=json.dumps(document))


def bucket_policy(s3: Any, bucket: str) -> dict[str, Any]:
    """The policy of any bucket, its statements as a list; without statements where there is none."""
    try:
        policy = dict(json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]))
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucketPolicy":
            return {"Version": "2012-10-17", "Statement": []}
        raise
    if not isinstance(policy["Statement"], list):
        policy["Statement"] = [policy["Statement"]]
    return policy
