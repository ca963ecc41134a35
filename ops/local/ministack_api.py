"""What MiniStack's API Gateway lacks for ``chalice deploy``: taking a REST API from its document.

MiniStack answers ImportRestApi with an empty API and knows no PutRestApi. This stands between Chalice and
MiniStack, on the loopback address, hands every call on as it came, and after these two makes the authorizers,
resources, methods and integrations that the document names by MiniStack's own calls. On AWS nothing of this
is used.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from ops.aws import Aws
from ops.local.ministack import HOST

Document = dict[str, Any]

# The host stays the one that was called: it is part of what was signed.
NOT_HANDED_ON = {"content-length", "connection", "transfer-encoding", "accept-encoding"}


@contextmanager
def importing_api_gateway(aws: Aws) -> Iterator[str]:
    """The URL to name to Chalice as ``AWS_ENDPOINT_URL_API_GATEWAY``, for the length of a ``with``."""
    gateway = Aws(aws.region, aws.endpoint).client("apigateway")

    class Handler(_Handler):
        endpoint = str(aws.endpoint)
        api_gateway = gateway

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fill(gateway: Any, api: str, document: Document) -> None:
    """Makes an API what the Swagger ``document`` says, from whatever it was before."""
    authorizers = _make_authorizers(gateway, api, document)
    root = next(item["id"] for item in _resources(gateway, api) if item["path"] == "/")
    for item in _resources(gateway, api):
        if item.get("parentId") == root:
            gateway.delete_resource(restApiId=api, resourceId=item["id"])
    made = {"": root}
    for path, methods in document["paths"].items():
        resource = _make_resource(gateway, api, path, made)
        for method, call in methods.items():
            _make_method(gateway, api, resource, method.upper(), call, authorizers)


def _make_authorizers(gateway: Any, api: str, document: Document) -> dict[str, str]:
    for old in gateway.get_authorizers(restApiId=api)["items"]:
        gateway.delete_authorizer(restApiId=api, authorizerId=old["id"])
    made = {}
    for name, scheme in document.get("securityDefinitions", {}).items():
        described = scheme["x-amazon-apigateway-authorizer"]
        made[name] = gateway.create_authorizer(
            restApiId=api,
            name=name,
            type=described["type"].upper(),
            authorizerUri=described["authorizerUri"],
            identitySource=f"method.request.header.{scheme['name']}",
            authorizerResultTtlInSeconds=described["authorizerResultTtlInSeconds"],
        )["id"]
    return made


def _resources(gateway: Any, api: str) -> list[Document]:
    return [
        item
        for page in gateway.get_paginator("get_resources").paginate(restApiId=api)
        for item in page["items"]
    ]


def _make_resource(gateway: Any, api: str, path: str, made: dict[str, str]) -> str:
    """``made`` has the identifiers of paths that are there, and gets those of what is made."""
    above = ""
    for part in path.strip("/").split("/"):
        here = f"{above}/{part}" if part else ""
        if here not in made:
            answer = gateway.create_resource(restApiId=api, parentId=made[above], pathPart=part)
            made[here] = answer["id"]
        above = here
    return made[above]


def _make_method(
    gateway: Any, api: str, resource: str, method: str, call: Document, authorizers: dict[str, str]
) -> None:
    place = {"restApiId": api, "resourceId": resource, "httpMethod": method}
    names = [name for requirement in call.get("security", []) for name in requirement if name in authorizers]
    permission = {"authorizationType": "CUSTOM", "authorizerId": authorizers[names[0]]} if names else {}
    gateway.put_method(**place, **({"authorizationType": "NONE"} | permission))
    integration = call.get("x-amazon-apigateway-integration", {})
    if "uri" in integration:
        gateway.put_integration(
            **place, type="AWS_PROXY", integrationHttpMethod="POST", uri=integration["uri"]
        )


class _Handler(BaseHTTPRequestHandler):
    endpoint: str
    api_gateway: Any

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        mode = parse_qs(url.query).get("mode", [""])[0]
        if self.command == "PUT" and mode == "overwrite":
            api = url.path.rpartition("/")[2]
            fill(self.api_gateway, api, json.loads(body))
            # The rights to this call are not asked for: MiniStack does not know it.
            self._send(200, json.dumps({"id": api}).encode())
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_HANDED_ON}
        answer = httpx.request(
            self.command, self.endpoint + self.path, headers=headers, content=body, timeout=60
        )
        if answer.is_success and self.command == "POST" and mode == "import":
            fill(self.api_gateway, answer.json()["id"], json.loads(body))
        self._send(answer.status_code, answer.content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - its caller looks for these

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing: the terminal is the command's."""
