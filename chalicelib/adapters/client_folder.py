"""S3: the client that a deploy has put into the bucket."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.domain.offered_client import (
    RECORD_KEY,
    VERSIONS,
    OfferedClient,
    OfferedFile,
    read_record,
    version_key,
)


class ClientFolder:
    """One small object is read for each answer; nothing is listed but for who asks for a version that there is not."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def newest(self) -> OfferedClient | None:
        """None where a deploy has put none there, or somebody something else."""
        return self._read(RECORD_KEY)

    def of_version(self, version: str) -> OfferedClient | None:
        return self._read(version_key(version))

    def versions(self) -> list[str]:
        """In the order of their names, and at most the 1,000 that one answer has."""
        found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=VERSIONS).get("Contents", [])
        return [item["Key"].removeprefix(VERSIONS).removesuffix(".json") for item in found]

    def _read(self, key: str) -> OfferedClient | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        return read_record(answer["Body"].read())

    def url(self, file: OfferedFile, life: timedelta) -> str:
        url: str = self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": file.key},
            ExpiresIn=int(life.total_seconds()),
        )
        return url
