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
    wheel, requirements = (_stored(aws, stage, key) for key in (_key_of_wheel(), _prefix() + LOCK.name))
    return OfferedClient(client_version(), wheel, requirements) if wheel and requirements else None


def client_changes(aws: Aws, stage: Stage) -> list[str]:
    """What ``offer_client`` would do, a line each; empty if there is nothing to do."""
    mine, of_version = offered_client(aws, stage), _record(aws, stage, version_key(client_version()))
    kept = _kept(of_version) if of_version and of_version.wheel.key != _key_of_wheel() else []
    if mine is None:
        return ["put this version of the client into the bucket", *kept]
    is_handed_out = _record(aws, stage, RECORD_KEY) == mine and (kept or of_version == mine)
    return [] if is_handed_out else ["have GET /client hand out this version of the client", *kept]


def _kept(of_version: OfferedClient) -> list[str]:
    version = of_version.version
    sentence = (
        f"leave GET /client/{version} as it is: another client {version} was deployed before this one, and machines may"
        " be held at its digest. A new number in client/src/panicroom/__init__.py gives this one an address of its own"
    )
    return [sentence]


def offer_client(aws: Aws, stage: Stage) -> None:
    """Stores the wheel, and the versions and digests of what it needs, and then the records: of its version, and of the
    newest. A version keeps the client that it had first. Raises ``OpsError``."""
    records = [_record(aws, stage, key) for key in (RECORD_KEY, version_key(client_version()))]
    mine = offered_client(aws, stage)
    if mine is None or mine not in records:
        for path in (LOCK, built_wheel()):
            _put(aws, stage, _prefix() + path.name, path.read_bytes())
        mine = offered_client(aws, stage)
    if mine is not None:
        # A deploy of before versions had records left only that of the newest: its machines may be held at it.
        for one in (records[0], mine):
            if one is not None:
                _keep_version(aws, stage, one)
        _put(aws, stage, RECORD_KEY, mine.as_text().encode())


def _keep_version(aws: Aws, stage: Stage, client: OfferedClient) -> None:
    """Its record, unless the version has another client's."""
    before = _record(aws, stage, version_key(client.version))
    if before is None or before.wheel.key == client.wheel.key:
        _put(aws, stage, version_key(client.version), client.as_text().encode())


def _put(aws: Aws, stage: Stage, key: str, body: bytes) -> None:
    # The body by itself, not upload_file: a stage with Object Lock asks for a checksum of each PUT.
    aws.client("s3").put_object(Bucket=stage.bucket, Key=key, Body=body, ChecksumAlgorithm="SHA256")


def _stored(aws: Aws, stage: Stage, key: str) -> OfferedFile | None:
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


def _key_of_wheel() -> str:
    return _prefix() + wheel_name()


def _prefix() -> str:
    """A folder for each content, so that yesterday's URL still fetches the same file."""
    return f"{FOLDER}{client_digest()[:16]}/"
