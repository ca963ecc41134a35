"""The wheel in the owner's own bucket, and the record of it by which the service hands it out (``GET /client``)."""

from __future__ import annotations

import base64
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.domain.offered_client import RECORD_KEY, OfferedClient, OfferedFile, read_record, version_key
from ops.aws import Aws
from ops.client.wheel import LOCK, built_wheel, client_digest, client_version, wheel_name
from ops.stages import Stage

FOLDER = "_service/client/"


def offered_client(aws: Aws, stage: Stage) -> OfferedClient | None:
    """Exactly this client, by its very keys; None if it is not in the bucket with its digests, as S3 proved them when
    it was stored."""
    wheel, requirements = (_stored(aws, stage, name) for name in (wheel_name(), LOCK.name))
    return OfferedClient(client_version(), wheel, requirements) if wheel and requirements else None


def client_changes(aws: Aws, stage: Stage) -> list[str]:
    """What ``offer_client`` would do, a line each; empty if there is nothing to do."""
    mine = offered_client(aws, stage)
    if mine is None:
        return ["put this version of the client into the bucket"]
    records = [_record(aws, stage, key) for key in (version_key(mine.version), RECORD_KEY)]
    return [] if records == [mine, mine] else ["have GET /client hand out this version of the client"]


def offer_client(aws: Aws, stage: Stage) -> None:
    """Stores the wheel, and the versions and digests of what it needs, and then the records: of its version, and of the
    newest. Raises ``OpsError``."""
    for path in (LOCK, built_wheel()):
        _put(aws, stage, _prefix() + path.name, path.read_bytes())
    mine = offered_client(aws, stage)
    if mine is not None:
        _keep_the_one_of_before(aws, stage)
        for key in (version_key(mine.version), RECORD_KEY):
            _put(aws, stage, key, mine.as_text().encode())


def _keep_the_one_of_before(aws: Aws, stage: Stage) -> None:
    """A deploy of before versions had records left only that of the newest: its machines may be held at it."""
    before = _record(aws, stage, RECORD_KEY)
    if before is not None and _record(aws, stage, version_key(before.version)) is None:
        _put(aws, stage, version_key(before.version), before.as_text().encode())


def _put(aws: Aws, stage: Stage, key: str, body: bytes) -> None:
    # The body by itself, not upload_file: a stage with Object Lock asks for a checksum of each PUT.
    aws.client("s3").put_object(Bucket=stage.bucket, Key=key, Body=body, ChecksumAlgorithm="SHA256")


def _stored(aws: Aws, stage: Stage, name: str) -> OfferedFile | None:
    key = _prefix() + name
    found = _unless_missing(
        aws.client("s3").head_object, Bucket=stage.bucket, Key=key, ChecksumMode="ENABLED"
    )
    checksum = found and found.get("ChecksumSHA256")
    return OfferedFile(key, base64.b64decode(checksum).hex()) if checksum else None


def _record(aws: Aws, stage: Stage, key: str) -> OfferedClient | None:
    found = _unless_missing(aws.client("s3").get_object, Bucket=stage.bucket, Key=key)
    return read_record(found["Body"].read()) if found else None


def _unless_missing(call: Any, **arguments: Any) -> Any:
    try:
        return call(**arguments)
    except ClientError as error:
        # 403 where there is no bucket yet, or none that may be listed.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return None
        raise


def _prefix() -> str:
    """A folder for each content, so that yesterday's URL still fetches the same file."""
    return f"{FOLDER}{client_digest()[:16]}/"
