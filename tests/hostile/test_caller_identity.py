"""Who a journal's entry names is who has signed: a query that is forged, old, or meant for another function names
nobody. An STS stands here that recomputes every signature, as AWS does and the local stack does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import boto3
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.caller_identity import (
    LIFE,
    MOST_CHARACTERS,
    CallerIdentity,
    checked_query,
)
from ops.aws import Aws
from ops.service.signed_caller import regional_sts, signed_caller

HOME, OFFICE = "panicroom-home-admin", "panicroom-office-admin"
ANNA = "arn:aws:sts::123456789012:assumed-role/Admin/anna"
KEYS = {"AKIAANNA": ("anna's secret", ANNA)}
NOBODY_KEYS = ("AKIAANNA", "a guessed secret")


class Sts(BaseHTTPRequestHandler):
    """Answers ``GetCallerIdentity`` to who signs with one of ``KEYS``, and counts what it is asked."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        arn = self._signer()
        status, body = (200, ANSWER.format(arn=arn)) if arn else (403, REFUSAL)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def _signer(self) -> str | None:
        values = dict(parse_qsl(urlsplit(self.path).query))
        key = values["X-Amz-Credential"].partition("/")[0]
        if key not in KEYS:
            return None
        secret, arn = KEYS[key]
        return arn if signature(self.headers, values, key, secret) == values["X-Amz-Signature"] else None

    def log_message(self, *_: object) -> None:
        pass


ANSWER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>{arn}</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
REFUSAL = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>"


def signature(headers: Mapping[str, str], values: dict[str, str], key: str, secret: str) -> str:
    """What the signature of this request has to be, over the headers that it names."""
    signed = {name: headers[name] for name in values["X-Amz-SignedHeaders"].split(";")}
    query = urlencode(
        {name: text for name, text in values.items() if name != "X-Amz-Signature"}, quote_via=quote
    )
    request = AWSRequest("GET", f"http://{headers['host']}/?{query}", headers=signed)
    request.context["timestamp"] = values["X-Amz-Date"]
    auth = SigV4QueryAuth(Credentials(key, secret), "sts", values["X-Amz-Credential"].split("/")[2])
    text = auth.string_to_sign(request, auth.canonical_request(request))
    made: str = auth.signature(text, request)
    return made


@pytest.fixture
def sts() -> Iterator[ThreadingHTTPServer]:
    Sts.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sts)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def service(sts: ThreadingHTTPServer) -> CallerIdentity:
    return CallerIdentity(partial(client_of, address(sts)), HOME)


def address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def client_of(endpoint: str) -> Any:
    return boto3.client("sts", region_name="us-east-1", endpoint_url=endpoint)


@pytest.fixture
def sign(sts: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    def signed(function: str = HOME, keys: tuple[str, str] = ("AKIAANNA", "anna's secret")) -> str:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys[0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys[1])
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        return signed_caller(Aws("us-east-1", address(sts), own_keys=True), function)

    return signed


def now() -> datetime:
    return datetime.now(timezone.utc)


def test_who_signed_is_named(service: CallerIdentity, sign: Callable[..., str]) -> None:
    assert service.arn(sign(), now()) == ANNA


@pytest.mark.parametrize(
    "setting",
    [
        ("AWS_STS_REGIONAL_ENDPOINTS", "legacy"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("AWS_ENDPOINT_URL_STS", "https://proxy.example.org"),
    ],
)
@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "sts.eu-central-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_it_is_signed_for_the_sts_that_the_service_asks_whatever_a_persons_settings_say(
    monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str], region: str, host: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAANNA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anna's secret")
    asked_by_service = boto3.client("sts", region_name=region).meta.endpoint_url
    monkeypatch.setenv(*setting)
    assert regional_sts(Aws(region)).meta.endpoint_url == asked_by_service == f"https://{host}"
    scope = dict(parse_qsl(signed_caller(Aws(region), HOME)))["X-Amz-Credential"]
    assert scope.split("/")[2:] == [region, "sts", "aws4_request"]


def test_the_secret_key_is_in_no_query(sign: Callable[..., str]) -> None:
    assert "secret" not in sign()


@pytest.mark.parametrize("keys", [NOBODY_KEYS, ("AKIAOTTO", "anna's secret")])
def test_a_forged_query_names_nobody(
    service: CallerIdentity, sign: Callable[..., str], keys: tuple[str, str]
) -> None:
    assert service.arn(sign(keys=keys), now()) is None
    assert len(Sts.asked) == 1


def test_a_query_for_another_stage_names_nobody(service: CallerIdentity, sign: Callable[..., str]) -> None:
    assert service.arn(sign(OFFICE), now()) is None
    assert len(Sts.asked) == 1


def test_a_query_that_covers_no_function_is_not_even_asked_about(
    service: CallerIdentity, sign: Callable[..., str], sts: ThreadingHTTPServer
) -> None:
    sign()
    url = client_of(address(sts)).generate_presigned_url("get_caller_identity", HttpMethod="GET")
    assert service.arn(urlsplit(url).query, now()) is None
    assert Sts.asked == []


@pytest.mark.parametrize("away", [-LIFE - timedelta(seconds=5), LIFE + timedelta(seconds=5)])
def test_an_old_query_names_nobody_and_is_not_even_asked_about(
    service: CallerIdentity, sign: Callable[..., str], away: timedelta
) -> None:
    assert service.arn(sign(), now() + away) is None
    assert Sts.asked == []


def test_a_query_with_another_date_than_was_signed_names_nobody(
    service: CallerIdentity, sign: Callable[..., str]
) -> None:
    query = sign()
    signed_at = parse_qs(query)["X-Amz-Date"][0]
    later = now() + timedelta(hours=1)
    assert service.arn(query.replace(signed_at, f"{later:%Y%m%dT%H%M%SZ}"), later) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda query: query + "&Action=AssumeRole",
        lambda query: query.replace("GetCallerIdentity", "AssumeRole"),
        lambda query: query + "&RoleArn=arn:aws:iam::123456789012:role/Admin",
        lambda query: query.replace("X-Amz-Signature", "x-amz-signature"),
        lambda query: "@evil.example/?" + query,
        lambda query: "https://evil.example/?" + query,
        lambda query: query + "#",
        lambda query: query.encode(),
        lambda query: {"query": query},
        lambda query: query.replace("Version=2011-06-15", "Version=2011-06-15\r\nHost: evil.example"),
        lambda query: query + "x" * MOST_CHARACTERS,
        lambda _: "",
        lambda _: None,
    ],
)
def test_nothing_but_the_one_question_is_asked_of_sts(
    service: CallerIdentity, sign: Callable[..., str], change: Callable[[str], object]
) -> None:
    assert service.arn(change(sign()), now()) is None
    assert all("evil" not in path and "AssumeRole" not in path for path in Sts.asked)


def test_where_sts_cannot_be_reached_nobody_is_named(sign: Callable[..., str]) -> None:
    service = CallerIdentity(partial(client_of, "http://127.0.0.1:9"), HOME)
    assert service.arn(sign(), now()) is None


@given(st.text(alphabet="&=%XAmz-Signature+;/?#@ é\n\0", max_size=80))
def test_no_text_is_taken_for_a_query(text: str) -> None:
    assert checked_query(text, datetime(2026, 11, 30, tzinfo=timezone.utc)) is None
