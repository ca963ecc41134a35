"""Compares the deployed REST API with what Chalice would deploy, and calls it.

An update changes the API first, then deploys it to its stage, then gives the authorizer's permission. One that was
killed in between leaves an API that looks right and serves yesterday's routes, or answers every machine with
500; so each of the three is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from ops.aws import Aws
from ops.functions.chalice_config import MINIMUM_COMPRESSION_BYTES
from ops.functions.chalice_record import api_url, find_rest_api
from ops.functions.permissions import may_be_called_by
from ops.stages import API_STAGE, Stage

Route = tuple[str, str, bool]
"""Path, method, and whether a token is asked for."""

CALLED_BY_THE_API = ("api_handler", "authorizer")
MADE_UP_TOKEN = f"Bearer nobody.{'0' * 43}"
ANSWER_SECONDS = 60
"""API Gateway gives up after 29 s; MiniStack may have a function to start first."""


def api_differences(aws: Aws, stage: Stage, wanted: set[Route]) -> list[str]:
    """What ``chalice deploy`` would change in the API, a line each; empty if nothing."""
    api = find_rest_api(aws, stage)
    if api is None:
        return ["the REST API is not there"]
    gateway = aws.client("apigateway")
    return [
        *_route_differences(gateway, api, wanted),
        *_stage_differences(gateway, api, wanted),
        *_compression_differences(gateway, api),
        *_permission_differences(aws, stage, api),
    ]


def unexpected_answers(aws: Aws, stage: Stage) -> Iterator[str]:
    """Calls the API without valid credentials. Each call has to be refused: by the gateway without a token, by the
    authorizer with an unknown one, by the handler with an empty enrolment."""
    api = find_rest_api(aws, stage)
    if api is None:
        yield "is not there"
        return
    unauthenticated: tuple[tuple[str, str, str, dict[str, Any], tuple[int, ...]], ...] = (
        ("GET", "/machine", "without a token", {}, (401,)),
        (
            "GET",
            "/machine",
            "with a made-up token",
            {"headers": {"Authorization": MADE_UP_TOKEN}},
            (401, 403),
        ),
        ("POST", "/enrolments", "with nothing in it", {"json": {}}, (400,)),
    )
    url = api_url(aws, stage, api)
    for method, path, how, request, expected in unauthenticated:
        try:
            status = httpx.request(method, url + path, timeout=ANSWER_SECONDS, **request).status_code
        except httpx.HTTPError as error:
            yield f"{url} cannot be reached from here: {error}"
            return
        if status not in expected:
            yield f"{method} {path} {how} is answered with {status}, not {' or '.join(map(str, expected))}"


def _route_differences(gateway: Any, api: str, wanted: set[Route]) -> Iterator[str]:
    pages = gateway.get_paginator("get_resources").paginate(restApiId=api, embed=["methods"])
    found = {
        (item["path"], method, call.get("authorizationType") == "CUSTOM")
        for page in pages
        for item in page["items"]
        for method, call in item.get("resourceMethods", {}).items()
    }
    yield from (f"the API lacks {method} {path}" for path, method, _ in sorted(wanted - found))
    yield from (f"the API has {method} {path} besides" for path, method, _ in sorted(found - wanted))


def _stage_differences(gateway: Any, api: str, wanted: set[Route]) -> Iterator[str]:
    """What machines reach is not the API as it is now, but as it was when it was deployed last."""
    stages = gateway.get_stages(restApiId=api)["item"]
    deployments = [one["deploymentId"] for one in stages if one["stageName"] == API_STAGE]
    if not deployments:
        yield f"the API has no stage {API_STAGE}"
        return
    deployment = gateway.get_deployment(restApiId=api, deploymentId=deployments[0], embed=["apisummary"])
    served = {
        (path, method, call.get("authorizationType"))
        for path, calls in deployment.get("apiSummary", {}).items()
        for method, call in calls.items()
    }
    # MiniStack keeps no authorization type in its summary.
    asked = {"CUSTOM": True, "NONE": False}
    known = {(path, method, asked.get(kind, (path, method, True) in wanted)) for path, method, kind in served}
    # A summary that says nothing is no reason to deploy again and again.
    if known and known != wanted:
        yield f"the API's stage {API_STAGE} still serves other routes"


def _compression_differences(gateway: Any, api: str) -> Iterator[str]:
    found = gateway.get_rest_api(restApiId=api).get("minimumCompressionSize")
    if found != MINIMUM_COMPRESSION_BYTES:
        yield f"the API compresses answers from {found} bytes on, not from {MINIMUM_COMPRESSION_BYTES}"


def _permission_differences(aws: Aws, stage: Stage, api: str) -> Iterator[str]:
    source = f"arn:aws:execute-api:{stage.region}:{stage.account}:{api}/*"
    for short_name in CALLED_BY_THE_API:
        name = stage.function(short_name)
        if not may_be_called_by(aws, name, "apigateway", source):
            yield f"{name}: the API may not call it"
