"""Which AWS the owner's commands talk to: an account, by the person's own credentials, or the local stack."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
import botocore.session
from botocore.config import Config

if TYPE_CHECKING:  # only the checks install these stubs
    from mypy_boto3_apigateway.client import APIGatewayClient
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_events.client import EventBridgeClient
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_logs.client import CloudWatchLogsClient
    from mypy_boto3_pricing.client import PricingClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sesv2.client import SESV2Client
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sts.client import STSClient

# The local stack's root keys: they are no secret and work nowhere else.
LOCAL_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}

# Where boto3 would look for a person's profile and files: for MiniStack, nowhere.
_NOTHING_OF_A_PERSON: dict[str, Any] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class Aws:
    """Makes clients. ``endpoint`` is the local stack's URL, None for AWS itself."""

    region: str | None = None
    endpoint: str | None = None
    own_keys: bool = False
    """With the person's own credentials at the endpoint too, where they otherwise are the local stack's root keys."""

    @overload
    def client(self, service: Literal["apigateway"], **settings: Any) -> APIGatewayClient: ...
    @overload
    def client(self, service: Literal["cloudformation"], **settings: Any) -> CloudFormationClient: ...
    @overload
    def client(self, service: Literal["cloudwatch"], **settings: Any) -> CloudWatchClient: ...
    @overload
    def client(self, service: Literal["dynamodb"], **settings: Any) -> DynamoDBClient: ...
    @overload
    def client(self, service: Literal["events"], **settings: Any) -> EventBridgeClient: ...
    @overload
    def client(self, service: Literal["iam"], **settings: Any) -> IAMClient: ...
    @overload
    def client(self, service: Literal["lambda"], **settings: Any) -> LambdaClient: ...
    @overload
    def client(self, service: Literal["logs"], **settings: Any) -> CloudWatchLogsClient: ...
    @overload
    def client(self, service: Literal["pricing"], **settings: Any) -> PricingClient: ...
    @overload
    def client(self, service: Literal["s3"], **settings: Any) -> S3Client: ...
    @overload
    def client(self, service: Literal["sesv2"], **settings: Any) -> SESV2Client: ...
    @overload
    def client(self, service: Literal["sns"], **settings: Any) -> SNSClient: ...
    @overload
    def client(self, service: Literal["sqs"], **settings: Any) -> SQSClient: ...
    @overload
    def client(self, service: Literal["sts"], **settings: Any) -> STSClient: ...

    @overload
    def client(self, service: str, **settings: Any) -> Any: ...

    def client(self, service: str, **settings: Any) -> Any:
        """A boto3 client of the service; ``settings`` go into its ``Config``."""
        return self._session().client(  # type: ignore[call-overload]
            service, region_name=self.region, endpoint_url=self.endpoint, config=Config(**settings)
        )

    def environment(self) -> dict[str, str]:
        """This process's environment for a program that is to reach the same AWS with the same credentials."""
        if self.endpoint is None:
            region = {"AWS_DEFAULT_REGION": self.region, "AWS_REGION": self.region} if self.region else {}
            return {**os.environ, **region}
        environment = environment_for_local_stack(str(self.region), self.endpoint)
        if self.own_keys:
            environment |= {name: os.environ[name] for name in _KEYS if name in os.environ}
        return environment

    def _session(self) -> boto3.Session:
        settings = tuple(
            sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
        )
        return _session(self.endpoint is not None and not self.own_keys, settings)


@functools.lru_cache(maxsize=8)
def _session(is_local: bool, _settings: tuple[tuple[str, str], ...]) -> boto3.Session:
    """Cached while the environment stays the same: each new session reads the models of all services."""
    if not is_local:
        return boto3.Session()
    session = botocore.session.Session(session_vars=_NOTHING_OF_A_PERSON)
    return boto3.Session(botocore_session=session, **LOCAL_KEYS)


def environment_for_local_stack(region: str, endpoint: str | None = None) -> dict[str, str]:
    """This process's environment for a program that is to reach MiniStack and no account of a person."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    aimed = {"AWS_ENDPOINT_URL": endpoint} if endpoint else {}
    keys = {name.upper(): value for name, value in LOCAL_KEYS.items()}
    return {**kept, **keys, **aimed, "AWS_DEFAULT_REGION": region}
