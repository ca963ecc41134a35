"""S3: the client that a deploy has put into the bucket."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.domain.offered_client import RECORD_KEY, OfferedClient, OfferedFile, read_record


class ClientFolder:
    """One small object is read for each answer; nothing is listed."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def newest(self) -> OfferedClient | None:
        """None where a deploy has put none there, or somebody something else."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=RECORD_KEY)
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
