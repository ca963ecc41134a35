"""What a deploy would change in the API: its routes, what its stage serves, and who may call whom."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ops.functions import compare_api
from ops.functions.compare_api import api_differences, unexpected_answers
from ops.stages import Stage

HOME = Stage(name="home", account="123456789012", region="eu-central-1", sender="", recipients=())
API = "abcdefghij"
SOURCE = f"arn:aws:execute-api:eu-central-1:123456789012:{API}/*"
ROUTES = {("/machine", "GET", True), ("/enrolments", "POST", False)}
SERVED = {
    "/machine": {"GET": {"authorizationType": "CUSTOM", "apiKeyRequired": False}},
    "/enrolments": {"POST": {"authorizationType": "NONE", "apiKeyRequired": False}},
}


class Account:
    """An account with one API, in which all is as it should be but what a test changes."""

    def __init__(self) -> None:
        self.served: dict[str, Any] = SERVED
        self.compresses_from: int | None = 1024
        self.callers = {HOME.prefix: [statement()], HOME.function("authorizer"): [statement()]}

    def client(self, service: str) -> Any:
        client = boto3.client(
            service,  # type: ignore[call-overload]
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        stub = Stubber(client)
        if service == "lambda":
            self._answer_lambda(stub)
        else:
            self._answer_gateway(stub)
        stub.activate()
        return client

    def _answer_gateway(self, stub: Stubber) -> None:
        items = [
            {
                "path": path,
                "resourceMethods": {
                    method: {"authorizationType": "CUSTOM" if token else "NONE"}
                    for known, method, token in ROUTES
                    if known == path
                },
            }
            for path, _, _ in sorted(ROUTES)
        ]
        stub.add_response("get_resources", {"items": items})
        stub.add_response("get_stages", {"item": [{"stageName": "api", "deploymentId": "newest"}]})
        wanted = {"restApiId": API, "deploymentId": "newest", "embed": ["apisummary"]}
        stub.add_response("get_deployment", {"apiSummary": self.served}, wanted)
        found = {} if self.compresses_from is None else {"minimumCompressionSize": self.compresses_from}
        stub.add_response("get_rest_api", found)

    def _answer_lambda(self, stub: Stubber) -> None:
        # A client is made for each question.
        name = next(iter(self.callers))
        statements = self.callers.pop(name)
        if statements:
            policy = {"Policy": json.dumps({"Statement": statements})}
            stub.add_response("get_policy", policy, {"FunctionName": name})
        else:
            stub.add_client_error("get_policy", "ResourceNotFoundException")


def statement(**changes: Any) -> dict[str, Any]:
    """As Lambda keeps what Chalice adds."""
    return {
        "Sid": "0",
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Condition": {"ArnLike": {"AWS:SourceArn": SOURCE}},
        **changes,
    }


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(compare_api, "find_rest_api", lambda *_: API)
    return Account()


def differences(account: Account) -> list[str]:
    return api_differences(account, HOME, ROUTES)  # type: ignore[arg-type]


def test_an_api_as_it_should_be_has_no_differences(account: Account) -> None:
    assert differences(account) == []


@pytest.mark.parametrize(
    "served",
    [
        {"/machine": SERVED["/machine"]},
        {**SERVED, "/older": SERVED["/machine"]},
        {**SERVED, "/machine": {"GET": {"authorizationType": "NONE"}}},
    ],
    ids=["one too few", "one too many", "one without a token"],
)
def test_routes_that_were_changed_and_not_deployed_are_a_difference(
    account: Account, served: dict[str, Any]
) -> None:
    """The API has them: an update was killed before it deployed the stage."""
    account.served = served
    assert differences(account) == ["the API's stage api still serves other routes"]


def test_a_deployment_that_does_not_say_what_it_serves_is_no_difference(account: Account) -> None:
    """It would be deployed again and again."""
    account.served = {}
    assert differences(account) == []


@pytest.mark.parametrize("function", [HOME.prefix, HOME.function("authorizer")])
@pytest.mark.parametrize(
    "statements",
    [
        [],
        [statement(Principal={"Service": "events.amazonaws.com"})],
        [statement(Condition={"ArnLike": {"AWS:SourceArn": SOURCE.replace(API, "older")}})],
    ],
    ids=["none", "of another service", "of another API"],
)
def test_a_permission_that_is_missing_is_a_difference(
    account: Account, function: str, statements: list[Any]
) -> None:
    account.callers[function] = statements
    assert differences(account) == [f"{function}: the API may not call it"]


@pytest.mark.parametrize("found", [None, 4096])
def test_so_is_another_size_from_which_answers_are_compressed(account: Account, found: int | None) -> None:
    account.compresses_from = found
    assert differences(account) == [f"the API compresses answers from {found} bytes on, not from 1024"]


# ---------------------------------------------------------------- asked for real


Answers = Callable[[str, str, str | None], int]


@contextmanager
def listening(answers: Answers) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(answers(self.command, self.path, self.headers.get("Authorization")))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = _answer  # noqa: N815 - its caller looks for these

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked(account: Account, monkeypatch: pytest.MonkeyPatch, answers: Answers) -> list[str]:
    with listening(answers) as url:
        monkeypatch.setattr(compare_api, "api_url", lambda *_: url)
        return list(unexpected_answers(account, HOME))  # type: ignore[arg-type]


def test_an_api_that_refuses_strangers_is_well(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(method: str, _path: str, token: str | None) -> int:
        return 400 if method == "POST" else 403 if token else 401

    assert asked(account, monkeypatch, answers) == []


def test_an_authorizer_that_cannot_be_called_is_reported(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(method: str, _path: str, token: str | None) -> int:
        return 400 if method == "POST" else 500 if token else 401

    [told] = asked(account, monkeypatch, answers)
    assert told == "GET /machine with a made-up token is answered with 500, not 401 or 403"


def test_an_api_that_lets_a_stranger_in_is_reported(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = asked(account, monkeypatch, lambda *_: 200)
    assert [line.split(" is answered")[0] for line in told] == [
        "GET /machine without a token",
        "GET /machine with a made-up token",
        "POST /enrolments with nothing in it",
    ]


def test_an_api_that_cannot_be_reached_is_reported(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_api, "api_url", lambda *_: "http://127.0.0.1:9")
    [told] = unexpected_answers(account, HOME)  # type: ignore[arg-type]
    assert told.startswith("http://127.0.0.1:9 cannot be reached from here:")
