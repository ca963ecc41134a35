"""No body makes the service fail: each is taken or refused, with a code and a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile import behind_gateway
from tests.service.conftest import Answer, Service, later, running_service

VOLUME = "data_duplicity-full.20261122T195500Z.vol1.difftar.gpg"
SIGNATURES = "meta_duplicity-full-signatures.20261122T195500Z.sigtar.gpg"
MANIFEST = "meta_duplicity-full.20261122T195500Z.manifest.gpg"
DIGEST = "0" * 64


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch, running_service(patch) as service:
        yield service


@pytest.fixture(scope="module")
def token(service: Service) -> str:
    token = service.enrolled(jobs=["system"], photos=True)
    behind_gateway.call("POST", "/jobs", {"job": "photos-2018", "family": "photos"}, token)
    return token


class Lease:
    """Whoever held the job's lease, half an hour later nobody does."""

    def __init__(self, service: Service, token: str) -> None:
        self.service, self.token = service, token

    def lapse(self) -> dict[str, Any]:
        """A run's start that is in order."""
        later(self.service, minutes=30)
        return {"kind": "full", "clock": self.service.now.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def renewed(self) -> str:
        run: str = behind_gateway.call("POST", "/jobs/system/runs", self.lapse(), self.token).body["run"]
        return run


@pytest.fixture(scope="module")
def lease(service: Service, token: str) -> Lease:
    return Lease(service, token)


def assert_answered(answer: Answer) -> None:
    assert answer.status < 500, answer
    if answer.status >= 400:
        assert answer.error is not None
        assert answer.body["message"]


HUGE = 10**40
LONG = "x" * 1_000_000
NESTED: Any = "x"
for _ in range(60):
    NESTED = [NESTED]

ODD_STARTS: list[dict[str, Any]] = [
    {"estimated_bytes": HUGE},
    {"estimated_bytes": -1},
    {"source_files": HUGE},
    {"source_bytes": -HUGE},
    {"resumes": ""},
    {"resumes": LONG},
    {"resumes": "\ud800"},
    {"kind": LONG},
    {"clock": "0001-01-01T00:00:00Z"},
    {"clock": "9999-12-31T23:59:59Z"},
    {"clock": "२०२६-11-22T20:00:00Z"},
]


@pytest.mark.parametrize("fields", ODD_STARTS, ids=lambda fields: ascii(fields)[:40])
def test_a_runs_start(lease: Lease, fields: dict[str, Any]) -> None:
    start = {**lease.lapse(), **fields}
    assert_answered(behind_gateway.call("POST", "/jobs/system/runs", start, lease.token))


ODD_CHECKS: list[dict[str, Any]] = [
    {"files": HUGE},
    {"bytes": -1},
    {"rotted": HUGE},
    {"hashed_bytes": 2**50},
    {"hashed_since": LONG},
    {"hashed_since": "9999-12-31T23:59:59Z"},
    {"hashed_since": "0001-01-01T00:00:00Z"},
    {"hashed_since": ""},
    {"job": LONG},
    {"job": "\ud800"},
    {"job": "system"},
    {"rotted": 10**10, "hashed_since": "2026-11-22T20:00:00Z"},
]


@pytest.mark.parametrize("fields", ODD_CHECKS, ids=lambda fields: ascii(fields)[:40])
def test_a_check(lease: Lease, fields: dict[str, Any]) -> None:
    start = {**lease.lapse(), "kind": "check"}
    checks = [{"job": "photos-2018", "files": 1, "bytes": 1, **fields}] * 2
    for body in ({**start, "checks": checks}, {**start, **fields, "checks": []}, {**start, "checks": None}):
        assert_answered(behind_gateway.call("POST", "/jobs/photos/runs", body, lease.token))
    assert behind_gateway.call("GET", "/machine", token=lease.token).status == 200
    lease.service.admin("report_preview")


@pytest.mark.parametrize(
    "fields",
    [
        {"job": LONG},
        {"job": "\ud800"},
        {"job": "photos-\x00"},
        {"job": "photos-2018/"},
        {"family": LONG},
        {"family": ""},
    ],
    ids=lambda fields: ascii(fields)[:40],
)
def test_a_photo_job(token: str, fields: dict[str, Any]) -> None:
    answer = behind_gateway.call("POST", "/jobs", {"job": "photos-2018", "family": "photos", **fields}, token)
    assert_answered(answer)
    assert answer.error in ("bad_name", "unknown_job", "bad_request")


ODD_ENDS: list[dict[str, Any]] = [
    {"exit_code": HUGE},
    {"exit_code": -HUGE},
    {"volumes": HUGE},
    {"uploaded_bytes": HUGE},
    {"files_skipped": -HUGE},
    {"message": LONG},
    {"message": ""},
    {"message": "\x00\ud800"},
    {"statistics": {"": 1.0}},
    {"statistics": {"x": float("nan")}},
    {"statistics": {"x": float("inf")}},
    {"statistics": {"x": 1e308}},
    {"statistics": {"x": HUGE}},
    {"statistics": {LONG: 1}},
    {"statistics": {f"name {number}": number for number in range(20_000)}},
    {"statistics": {}},
]


@pytest.mark.parametrize("fields", ODD_ENDS, ids=lambda fields: ascii(fields)[:40])
def test_a_runs_end(lease: Lease, fields: dict[str, Any]) -> None:
    path = f"/jobs/system/runs/{lease.renewed()}"
    assert_answered(behind_gateway.call("PATCH", path, {"exit_code": 0, **fields}, lease.token))
    status = behind_gateway.call("GET", "/machine", token=lease.token)
    assert status.status == 200, "what was taken can be told again"
    lease.service.admin("report_preview")


ODD_FILES: list[dict[str, Any]] = [
    {"size": HUGE},
    {"size": -HUGE},
    {"name": "\ud800"},
    {"name": "\x00"},
    {"sha256": LONG},
    {"set": []},
    {"name": MANIFEST, "set": [{"name": "\ud800", "size": HUGE, "etag": LONG}]},
    {"name": MANIFEST, "set": [{"name": VOLUME, "size": 1, "etag": "e"}] * 40_000},
    {
        "name": MANIFEST,
        "size": 5 * 2**30,
        "set": [{"name": n, "size": 1, "etag": "e"} for n in (VOLUME, SIGNATURES)],
    },
]


@pytest.mark.parametrize("fields", ODD_FILES, ids=lambda fields: ascii(fields)[:40])
def test_an_upload(lease: Lease, fields: dict[str, Any]) -> None:
    file = {"name": VOLUME, "size": 1, "sha256": DIGEST, **fields}
    body = {"run": lease.renewed(), "files": [file]}
    answer = behind_gateway.call("POST", "/jobs/system/uploads", body, lease.token)
    assert_answered(answer)


@pytest.mark.parametrize(
    "names", [["\ud800"], [LONG], ["\x00"], [""], [VOLUME] * 100], ids=lambda n: ascii(n)[:20]
)
@pytest.mark.parametrize("call", ["downloads", "discards"])
def test_a_download_or_a_discard(lease: Lease, call: str, names: list[str]) -> None:
    body = {"run": lease.renewed(), "names": names}
    assert_answered(behind_gateway.call("POST", f"/jobs/system/{call}", body, lease.token))


@pytest.mark.parametrize("after", ["x" * 1025, "%00", "%ED%A0%80", "%F0%9F%94%92" * 300, "../../ben", "%2F"])
def test_a_listing_from_anywhere(token: str, after: str) -> None:
    assert_answered(behind_gateway.call("GET", f"/jobs/system/files?after={after}", token=token))


@pytest.mark.parametrize(
    "job", ["%00", "%2e%2e", "a%2Fb", "x" * 2000, "%ED%A0%80", "SYSTEM", "сystem", "system "]
)
def test_a_job_of_any_name(token: str, job: str) -> None:
    answer = behind_gateway.call("GET", f"/jobs/{job}/files", token=token)
    assert (answer.status, answer.error) == (404, "unknown_job")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
FIELDS = (
    "code",
    "secret_sha256",
    "kind",
    "clock",
    "run",
    "files",
    "names",
    "exit_code",
    "statistics",
    "set",
    "name",
    "part_bytes",
    "part_sha256",
    "upload",
    "etags",
    "size",
    "job",
    "family",
    "checks",
)
BODIES = st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=6) | ANYTHING


@settings(max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(
        [
            "/enrolments",
            "/jobs",
            "/jobs/photos/runs",
            *(f"/jobs/system/{c}" for c in ("runs", "uploads", "multiparts", "downloads", "discards")),
        ]
    ),
    body=BODIES,
)
def test_whatever_json_there_is(token: str, path: str, body: object) -> None:
    assert_answered(behind_gateway.call("POST", path, json.dumps(body).encode(), token))
