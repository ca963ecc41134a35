"""Which AWS the owner's commands talk to: an account, by the person's own credentials, or the local stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

# The stand-in's root keys: they are no secret and work nowhere else.
STAND_IN_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@dataclass(frozen=True)
class Aws:
    """Makes clients. ``endpoint`` is the stand-in's URL, None for AWS itself."""

    region: str | None = None
    endpoint: str | None = None

    def client(self, service: str, **settings: Any) -> Any:
        """A boto3 client of the service; ``settings`` go into its ``Config``."""
        if self.endpoint is None:
            return boto3.client(service, region_name=self.region, config=Config(**settings))  # type: ignore[call-overload]
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=self.region,
            endpoint_url=self.endpoint,
            config=Config(**settings),
            **STAND_IN_KEYS,
        )
