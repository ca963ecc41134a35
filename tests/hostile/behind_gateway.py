"""Calls the API's handlers as API Gateway does, without asking the authorizer.

The gateway remembers an authorizer's answer for minutes, so a handler is called with tokens that were good once.
"""

from __future__ import annotations

import json

from chalice.local import LambdaEventConverter, RouteMatcher

from tests.service.conftest import Answer


def call(method: str, path: str, body: object = None, token: str | None = None) -> Answer:
    """``token`` is what follows ``Bearer``."""
    import app

    headers = {"content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    converter = LambdaEventConverter(RouteMatcher(list(app.app.routes)), app.app.api.binary_types)
    event = converter.create_lambda_event(method, path, headers, raw)
    event["requestContext"]["authorizer"] = {"principalId": "remembered"}
    response = app.app(event, None)
    return Answer(response["statusCode"], json.loads(response["body"] or "null"), dict(response["headers"]))
