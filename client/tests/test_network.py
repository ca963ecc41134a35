"""The border to the network: proxies, certificates, and a service that is broken or in somebody else's hands."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import certifi
import httpx
import pytest
from fake_service import now_text
from hypothesis import given
from hypothesis import strategies as st
from laptop import Laptop
from panicroom.api import BAD_LINK, LONGEST_RETRY_AFTER_SECONDS, Api, ApiError
from panicroom.backup.preconditions import lease as lease_module
from panicroom.backup.preconditions.greeting import greet
from panicroom.backup.preconditions.lease import HeldLease
from panicroom.exit_codes import ExitCode, Problem
from panicroom.network import link_fault, proxy_for, tls_context
from panicroom.places import Places
from panicroom.recovery.sheet.facts import sheet_page
from panicroom.recovery.sheet.html import as_html
from panicroom.recovery.sheet.known import what_is_known
from panicroom.recovery.sheet.text import as_text
from panicroom.setting_values import check_url
from panicroom.settings import JobSettings, Settings
from panicroom.setup.health import service as health
from panicroom.setup.passphrase_trial import manifest_to_try
from panicroom.setup.schedule import due_jobs, on_calendar
from panicroom.shown import cleaned, shown
from panicroom.terminal.plain_lines import PlainReporter
from panicroom.terminal.status import prometheus_text, status_json, status_lines
from panicroom.wire import EnrolmentRequest, MultipartRequest, RunStart, UploadRequest
from test_commands import one_clear_line

SERVICE = "https://abc.execute-api.eu-central-1.amazonaws.com/api"
BUCKET = "https://anna.s3.eu-central-1.amazonaws.com/laptop/system/x"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, SERVICE, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, SERVICE, "http://proxy:3128"),
        ({"HTTPS_PROXY": "proxy:3128"}, SERVICE, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, SERVICE, None),
        ({"ALL_PROXY": "socks://127.0.0.1:1080/"}, SERVICE, "socks5://127.0.0.1:1080/"),
        ({"all_proxy": "socks5h://127.0.0.1:1080"}, SERVICE, "socks5h://127.0.0.1:1080"),
        ({"ALL_PROXY": "http://proxy", "NO_PROXY": ".amazonaws.com"}, SERVICE, None),
        ({"ALL_PROXY": "http://proxy", "NO_PROXY": "amazonaws.com:443"}, SERVICE, None),
        ({"ALL_PROXY": "http://proxy", "NO_PROXY": "zonaws.com"}, SERVICE, "http://proxy"),
        ({"ALL_PROXY": "http://proxy", "no_proxy": "*"}, SERVICE, None),
        ({"ALL_PROXY": "http://proxy", "NO_PROXY": "localhost,fd00::/8"}, "http://[fd00::5]/", None),
        ({"ALL_PROXY": "http://proxy", "NO_PROXY": "[::1], 10.0.0.0/8"}, "http://[::1]:80/", None),
        ({"ALL_PROXY": "http://proxy", "NO_PROXY": "[::1], 10.0.0.0/8"}, "http://10.2.3.4/", None),
        ({"ALL_PROXY": "http://proxy", "NO_PROXY": "127.0.0.1,fd00::/8"}, SERVICE, "http://proxy"),
    ],
)
def test_a_request_goes_the_way_that_the_environment_gives(
    environment: dict[str, str], url: str, proxy: str | None
) -> None:
    chosen = proxy_for(url, environment)
    assert (chosen.url if chosen else None) == proxy


@pytest.mark.parametrize(
    "value", ["socks4://h:1", "ftp://h", "http://", "http://h:port", "://", "http://[::1"]
)
def test_a_proxy_that_cannot_be_used_names_its_variable(value: str) -> None:
    with pytest.raises(Problem, match="ALL_PROXY=") as caught:
        proxy_for(SERVICE, {"ALL_PROXY": value})
    assert caught.value.exit_code == ExitCode.SETTINGS


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_missing_certificates_name_their_variable(variable: str) -> None:
    with pytest.raises(Problem, match=f"{variable}=/no/such"):
        tls_context({variable: "/no/such"})


def test_a_log_of_keys_that_cannot_be_written_is_not_taken_for_bad_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorities = tmp_path / "authorities.pem"
    authorities.write_bytes(Path(certifi.where()).read_bytes())
    monkeypatch.setenv("SSLKEYLOGFILE", "/no/such/folder/keys")
    with pytest.raises(Problem, match="SSLKEYLOGFILE=/no/such/folder/keys cannot be written"):
        tls_context({"SSL_CERT_FILE": str(authorities)})


@given(st.text(alphabet="socks5htp:/[]@0123456789abc.%,", max_size=30), st.text(max_size=20))
def test_no_value_of_a_variable_is_a_traceback(proxy: str, exceptions: str) -> None:
    with contextlib.suppress(Problem):
        proxy_for(SERVICE, {"ALL_PROXY": proxy, "NO_PROXY": exceptions})


def test_a_variable_that_is_wrong_is_one_line_from_every_command(laptop: Laptop) -> None:
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    for variable, value, code in (
        ("ALL_PROXY", "socks4://127.0.0.1:9", ExitCode.SETTINGS),
        ("ALL_PROXY", "socks://127.0.0.1:9/", ExitCode.TRY_LATER),
        ("SSL_CERT_FILE", "/no/such/bundle.pem", ExitCode.SETTINGS),
    ):
        one_clear_line(laptop.run("backup", **{variable: value}), code, variable)
    ended = laptop.run("doctor", ALL_PROXY="socks4://127.0.0.1:9")
    assert (ended.returncode, ended.stderr) == (ExitCode.UNHEALTHY, "")
    assert "ALL_PROXY" in ended.stdout
    laptop.succeed("backup", ALL_PROXY="socks://127.0.0.1:9/", NO_PROXY="127.0.0.1,fd00::/8")


# ---------------------------------------------------------------- links


@pytest.mark.parametrize(
    "url",
    [
        BUCKET,
        "https://s3.eu-central-1.amazonaws.com/anna/x?X-Amz-Signature=1",
        "https://my.dotted.bucket.s3.amazonaws.com/x",
        "https://anna.s3.dualstack.eu-central-1.amazonaws.com/x",
        "https://anna.s3-accelerate.amazonaws.com/x",
        "https://anna.s3.cn-north-1.amazonaws.com.cn/x",
    ],
)
def test_links_to_s3_are_followed(url: str) -> None:
    headers = {
        "Content-Length": "1",
        "If-None-Match": "*",
        "x-amz-checksum-sha256": "x",
        "x-amz-storage-class": "STANDARD",
        "x-amz-tagging": "a=b",
        "x-amz-meta-volumes": "3",
        "x-amz-meta-proof": "0a",
    }
    assert link_fault(url, headers, SERVICE) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://anna.s3.eu-central-1.amazonaws.com/x",
        "https://anna.s3.eu-central-1.amazonaws.com.evil.example/x",
        "https://evil.example/s3.amazonaws.com",
        "https://evil.example/?s3.eu-central-1.amazonaws.com",
        "https://s3.eu-central-1.amazonaws.com@evil.example/x",
        "https://evil.example#.s3.amazonaws.com",
        "https://evils3.amazonaws.com.example/x",
        "https://s3.eu-central-1.amazonaws.com:8443/x",
        "https://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:9000/x",
        "http://localhost/x",
        "file:///etc/passwd",
        "https://anna.s3.amazonaws.com/x\r\nHost: evil",
        "https://abc.execute-api.eu-central-1.amazonaws.com/x",
        "https://[::1",
        "",
    ],
)
def test_links_elsewhere_are_not_followed(url: str) -> None:
    assert link_fault(url, {}, SERVICE) is not None


@pytest.mark.parametrize(
    "name", ["Authorization", "Host", "Cookie", "Transfer-Encoding", "x-amz-acl", "X-A\r\nB"]
)
def test_headers_that_s3_does_not_need_are_not_sent(name: str) -> None:
    assert link_fault(BUCKET, {name: "x"}, SERVICE) is not None


def test_only_a_service_on_this_machine_may_name_this_machine() -> None:
    assert link_fault("http://127.0.0.1:9000/x", {}, "http://localhost:8000/api") is None


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "https://",
        "https://u:p@host/",
        "https://host/?a=b",
        "ftp://host",
        "https://h\n",
        "x",
    ],
)
def test_a_service_url_is_https_and_nothing_more(url: str) -> None:
    with pytest.raises(Problem):
        check_url(url)


# ---------------------------------------------------------------- a hostile service

Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def hostile() -> Iterator[Callable[[Answer], str]]:
    """A service that answers every call in the given way; its URL."""
    servers = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer(self)

            def log_message(self, *_arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def says(data: object, status: int = 200, **headers: str) -> Answer:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def machine(**changes: object) -> dict[str, object]:
    return {
        "machine": "laptop",
        "server_time": "2026-11-29T12:00:00Z",
        "jobs": [],
        "newest_client_version": "1.0.0",
        "oldest_client_version": "0.1.0",
        **changes,
    }


@pytest.mark.parametrize(
    "data",
    [
        machine(machine="../../etc"),
        machine(server_time="yesterday"),
        machine(server_time="2026-11-29T12:00:00"),
        machine(jobs="none"),
        b"[" * 100_000,
        b"\xff\xfe",
        b"",
    ],
)
def test_an_answer_that_makes_no_sense_is_one_line(hostile: Callable[[Answer], str], data: object) -> None:
    with pytest.raises(ApiError, match="does not understand"):
        Api(hostile(says(data)), patience_seconds=0).machine()


def test_an_answer_may_be_neither_endless_nor_packed(hostile: Callable[[Answer], str]) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b" " * 2**20)

    with pytest.raises(ApiError, match="more than 16 MB"):
        Api(hostile(endless), patience_seconds=0).machine()
    with pytest.raises(ApiError, match="packed"):
        Api(hostile(says(b"x", Content_Encoding="gzip")), patience_seconds=0).machine()


def test_a_listing_that_does_not_get_on_ends(hostile: Callable[[Answer], str]) -> None:
    with pytest.raises(ApiError, match="without an end"):
        Api(hostile(says({"files": [], "next": "same"})), patience_seconds=0).files("system")


def test_nobody_can_have_the_client_sleep_for_good(hostile: Callable[[Answer], str]) -> None:
    slept: list[float] = []
    refusal = {"error": "try_again", "message": "later", "retry_after_seconds": 10**9}
    url = hostile(says(refusal, 503, Retry_After=str(10**9)))
    with pytest.raises(ApiError):
        Api(url, patience_seconds=1.5, sleep=slept.append).machine()
    assert slept
    assert max(slept) <= LONGEST_RETRY_AFTER_SECONDS


def test_a_network_that_comes_back_is_reported_as_one_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, waited = iter(range(4)), list[float]()

    def lost_twice(request: httpx.Request) -> httpx.Response:
        if next(calls) < 2:
            raise httpx.ConnectError("gone", request=request)
        return answering(json.dumps(machine()).encode())(request)

    api = Api(SERVICE, "laptop.0a", sleep=lambda _seconds: None)
    monkeypatch.setattr(api, "_http", httpx.Client(transport=httpx.MockTransport(lost_twice)))
    api.outlast_the_network(waited.append)
    api.machine()
    api.machine()
    assert len(waited) == 3
    assert waited[0] > 0
    assert waited[1] > 0
    assert waited[2] == 0


RUN = {"run": "20261129t120000z-0a0a", "server_time": now_text(), "lease_seconds": 1200}
JOB = {
    "job": "system",
    "state": "failing",
    "period_seconds": 86400,
    "grace_seconds": 86400,
    "archive_class": "GLACIER_IR",
    "archive_after_days": 7,
    "newest_complete_at": "2026-11-29T11:00:00Z",
    "chain_length": 2,
    "stored_bytes": 1024,
    "last_run": {"run": "x", "kind": "full", "started_at": "2026-11-29T10:00:00Z", "exit_code": 10},
    "bucket": "annas",
    "prefix": "laptop/system/",
    "proofs_since": "2026-11-01T00:00:00Z",
}
FILE = {
    "name": "meta_duplicity-full.20261129T110000Z.manifest.gpg",
    "size": 300,
    "etag": "0a",
    "stored_at": "2026-11-29T11:00:00Z",
    "storage_class": "STANDARD",
}
PERMIT = {"name": FILE["name"], "url": BUCKET, "headers": {"If-None-Match": "*"}, "retry_after_seconds": 5}
PART = {"number": 1, "url": BUCKET, "headers": {"Content-Length": "1"}}
DOWNLOAD = {"name": FILE["name"], "url": BUCKET, "size": 300, "sha256": "0a", "volumes": 3, "proof": "0a"}


def use_status(api: Api, tmp_path: Path) -> None:
    """All that a command does with the service's words about this machine."""
    status = api.machine()
    status_lines(status, 60)
    status_json(status)
    prometheus_text(status)
    places = Places(tmp_path, tmp_path, tmp_path)
    settings = Settings(SERVICE, "laptop", "file", 25, 12, (JobSettings("system", tmp_path),), places)
    page = sheet_page(what_is_known(settings, status), "2026-11-29")
    as_html(page), as_text(page)
    health.clock(status), health.versions(status), health.weekly_mail(status)
    list(health.last_runs(settings, status))
    due_jobs(settings.jobs, status)
    for job in status.jobs:
        on_calendar(job.period_seconds)
    with contextlib.suppress(Problem):
        greet(api, "system", PlainReporter(io.StringIO()))


def start_run(api: Api, tmp_path: Path) -> None:
    HeldLease.start(api, "system", tmp_path, RunStart(kind="full", clock="2026-11-29T12:00:00Z")).lost()


CALLS: dict[str, tuple[dict[str, object], Callable[[Api, Path], object]]] = {
    "machine": (
        machine(jobs=[JOB], last_weekly_mail_at="2026-11-28T12:00:00Z", region="eu-west-1"),
        use_status,
    ),
    "enrol": (
        {"machine": "laptop", "jobs": [{"job": "system", "period_seconds": 86400}]},
        lambda api, _folder: api.enrol(EnrolmentRequest("code", "0a")),
    ),
    "run": (RUN, start_run),
    "files": ({"files": [FILE]}, lambda api, _folder: manifest_to_try(api.files("system"))),
    "uploads": ({"files": [PERMIT]}, lambda api, _folder: api.uploads("system", UploadRequest("x", ()))),
    "multiparts": (
        {"upload": "x", "parts": [PART], "etag": "0a"},
        lambda api, _folder: api.multiparts("system", MultipartRequest("x", "x", 1, 1, ())),
    ),
    "downloads": ({"files": [DOWNLOAD]}, lambda api, _folder: api.downloads("system", ("x",))),
    "discards": (
        {"discarded": ["x"], "refused": [{"name": "x", "error": "set_sealed", "message": "no"}]},
        lambda api, _folder: api.discards("system", "x", ("x",)),
    ),
}

ODD: tuple[object, ...] = (
    *(None, True, -1, 0, 1, 10**6, 10**10, 10**30, 1.5, float("nan"), float("inf"), [], {}, [[]], {"a": 1}),
    *("", "x", "../..", "\0", "\x1b[2J", "\ud800", "9" * 5000, "2026-11-29T12:00:00", "0001-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59+00:00", "2026-11-29", "http://127.0.0.1/", "-1", "x" * 100_000),
)


def spoilt(data: object) -> Iterator[object]:
    """The answer with each of its values in turn replaced by each odd one, or left out."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield {name: item for name, item in data.items() if name != key}
            yield from ({**data, key: other} for other in (*ODD, *spoilt(value)))
    elif isinstance(data, list):
        yield from ([other] for item in data for other in (*ODD, *spoilt(item)))


@pytest.mark.parametrize("call", CALLS)
def test_no_value_in_an_answer_is_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Each is refused in one line, or does no harm to what the commands make of it."""
    waits: list[float] = []
    monkeypatch.setattr(lease_module.HeldLease, "_beat", lambda _lease, seconds: waits.append(seconds))
    good, use = CALLS[call]
    if "server_time" in good:  # this module may have been loaded a while ago
        good = {**good, "server_time": now_text()}
    refused: list[tuple[object, str]] = []
    api = Api(SERVICE, "laptop.0a", patience_seconds=0)
    for answer in (good, *spoilt(good), *ODD):
        body = json.dumps(answer).encode()
        monkeypatch.setattr(api, "_http", httpx.Client(transport=httpx.MockTransport(answering(body))))
        try:
            use(api, tmp_path)
        except (ApiError, Problem) as failure:
            refused.append((answer, str(failure)))
    assert len(refused) > len(ODD)
    assert all(said.isprintable() and len(said) < 1000 for _answer, said in refused)
    assert [said for answer, said in refused if answer is good] == []
    assert all(15 <= seconds <= 300 for seconds in waits)


def answering(body: bytes) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _request: httpx.Response(200, stream=httpx.ByteStream(body))


def test_a_link_elsewhere_is_refused_before_anything_is_sent(hostile: Callable[[Answer], str]) -> None:
    permit = {"name": "x", "url": "https://evil.example/x"}
    with pytest.raises(ApiError, match=r"evil\.example") as caught:
        Api(hostile(says({"files": [permit]})), patience_seconds=0).downloads("system", ("x",))
    assert caught.value.code == BAD_LINK
    assert caught.value.as_problem().exit_code == ExitCode.REFUSED


def test_a_message_cannot_write_to_the_terminal(hostile: Callable[[Answer], str]) -> None:
    refusal = {"error": "bad_request", "message": "\x1b]0;owned\x07 \u202etxt.exe\nok\u2028" + "x" * 10_000}
    with pytest.raises(ApiError) as caught:
        Api(hostile(says(refusal, 400)), patience_seconds=0).machine()
    assert caught.value.message.isprintable()
    assert len(caught.value.message) <= 500


@given(st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3)))
def test_whatever_comes_from_outside_can_be_shown(data: object) -> None:
    def texts(item: object) -> Iterator[str]:
        if isinstance(item, str):
            yield item
        if isinstance(item, list):
            for part in item:
                yield from texts(part)

    assert all(text.isprintable() for text in texts(cleaned(data)))
    assert all(len(shown(text, 10)) <= 10 for text in texts(data))
