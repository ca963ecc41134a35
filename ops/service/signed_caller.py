"""Who types a command, signed for the service: Lambda does not tell a function who calls it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chalicelib.adapters.caller_identity import FUNCTION_HEADER
from ops.aws import Aws

if TYPE_CHECKING:
    from mypy_boto3_sts.client import STSClient

LIFE_SECONDS = 60
"""STS itself goes by the time of signing, and takes a query for 15 minutes; the service for five."""


def signed_caller(aws: Aws, function_name: str) -> str:
    """The query of a request to STS, signed with the credentials of whoever types, that asks only who that is. Whoever
    has it can learn that as well, for some minutes, and nothing more: the service asks STS with it.

    It counts for this function alone, whose name is signed with it.
    """

    def name_function(request: Any, **_: object) -> None:
        request.headers[FUNCTION_HEADER] = function_name

    sts = regional_sts(aws)
    sts.meta.events.register("before-sign.sts.GetCallerIdentity", name_function)
    url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=LIFE_SECONDS, HttpMethod="GET")
    return urlsplit(url).query


def regional_sts(aws: Aws) -> STSClient:
    """At the address where the service asks, as the signature covers it. A person's settings may have another one for
    their own calls: the global one, FIPS, dual stack, a proxy."""
    sts = aws.client("sts")
    if aws.endpoint is not None:
        return sts
    suffix = "amazonaws.com.cn" if sts.meta.partition == "aws-cn" else "amazonaws.com"
    address = f"https://sts.{sts.meta.region_name}.{suffix}"
    return dataclasses.replace(aws, endpoint=address, own_keys=True).client("sts")
