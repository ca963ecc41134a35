"""The client, handed out by the service to a computer that has nothing yet."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.domain.offered_client import RECORD_KEY, OfferedClient, OfferedFile, version_key
from tests.service.conftest import NOW, Service

WHEEL, LOCK = b"the wheel", b"duplicity==3.2.1 --hash=sha256:..."
OFFERED = OfferedClient(
    "9.8.7",
    OfferedFile("_service/client/new/panicroom-9.8.7-py3-none-any.whl", hashlib.sha256(WHEEL).hexdigest()),
    OfferedFile("_service/client/new/requirements.txt", hashlib.sha256(LOCK).hexdigest()),
)


@pytest.fixture
def offered(service: Service) -> Service:
    service.put(OFFERED.wheel.key, WHEEL)
    service.put(OFFERED.requirements.key, LOCK)
    service.put(RECORD_KEY, OFFERED.as_text().encode())
    return service


@pytest.mark.parametrize("token", [None, "anna-laptop." + "0" * 64])
def test_anybody_is_redirected_to_the_newest_wheel_with_its_digest(
    offered: Service, token: str | None
) -> None:
    answer = offered.call("GET", "/client", token=token)
    assert answer.status == 302
    url = urlsplit(answer.headers["Location"])
    assert url.path.endswith("/panicroom-9.8.7-py3-none-any.whl"), "by which pip knows that it is a wheel"
    assert url.fragment == f"sha256={OFFERED.wheel.sha256}"
    assert answer.body == {
        "version": "9.8.7",
        "sha256": OFFERED.wheel.sha256,
        "url": answer.headers["Location"],
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_digests_of_what_it_needs_have_an_address_that_can_be_typed(offered: Service) -> None:
    answer = offered.call("GET", "/client/requirements.txt")
    assert answer.status == 302
    assert urlsplit(answer.headers["Location"]).path.endswith("/_service/client/new/requirements.txt")
    assert answer.body["sha256"] == OFFERED.requirements.sha256


def test_the_address_lives_as_long_as_the_buckets_policy_lets_one(offered: Service) -> None:
    query = parse_qs(urlsplit(offered.call("GET", "/client").headers["Location"]).query)
    assert query["X-Amz-Expires"] == [str(int(timedelta(minutes=15).total_seconds()))]


def test_after_a_deploy_the_new_one_is_handed_out_at_once(offered: Service) -> None:
    newer = dataclasses.replace(OFFERED, version="9.9.0")
    offered.put(RECORD_KEY, newer.as_text().encode())
    assert offered.call("GET", "/client").body["version"] == "9.9.0"


@pytest.mark.parametrize("record", [None, b"", b"{}", b"[]", b'{"version": 1, "wheel": "x"}', b"\xff"])
@pytest.mark.parametrize("path", ["/client", "/client/requirements.txt"])
def test_without_a_client_it_says_who_puts_one_there_and_what_to_do(
    service: Service, path: str, record: bytes | None
) -> None:
    if record is not None:
        service.put(RECORD_KEY, record)
    answer = service.call("GET", path)
    assert (answer.status, answer.error) == (404, "not_found")
    assert "python -m ops deploy" in answer.body["message"]
    assert "recovery sheet" in answer.body["message"]
    assert "Location" not in answer.headers


def of_version(version: str) -> OfferedClient:
    wheel = OfferedFile(f"_service/client/{version}/panicroom-{version}-py3-none-any.whl", "1" * 64)
    return OfferedClient(version, wheel, dataclasses.replace(OFFERED.requirements, sha256="2" * 64))


@pytest.fixture
def versions(offered: Service) -> Service:
    for version in ("0.2.0", "0.10.0", "9.8.7"):
        offered.put(version_key(version), of_version(version).as_text().encode())
    return offered


@pytest.mark.parametrize("version", ["0.2.0", "9.8.7"])
def test_a_version_stays_at_its_address_when_newer_ones_come(versions: Service, version: str) -> None:
    versions.put(RECORD_KEY, dataclasses.replace(OFFERED, version="9.9.0").as_text().encode())
    wheel = versions.call("GET", f"/client/{version}")
    assert (wheel.status, wheel.body["version"], wheel.body["sha256"]) == (302, version, "1" * 64)
    assert wheel.body["url"] == wheel.headers["Location"]
    url = urlsplit(wheel.headers["Location"])
    assert url.path.endswith(f"/panicroom-{version}-py3-none-any.whl")
    assert url.fragment == f"sha256={'1' * 64}"
    needs = versions.call("GET", f"/client/{version}/requirements.txt")
    assert (needs.status, needs.body["version"], needs.body["sha256"]) == (302, version, "2" * 64)
    assert urlsplit(needs.headers["Location"]).path.endswith("/requirements.txt")


@pytest.mark.parametrize("suffix", ["", "/requirements.txt"])
def test_an_unknown_version_is_answered_with_those_that_there_are(versions: Service, suffix: str) -> None:
    answer = versions.call("GET", f"/client/0.3.0{suffix}")
    assert (answer.status, answer.error) == (404, "not_found")
    assert "no client 0.3.0. It has 9.8.7, 0.10.0, 0.2.0." in answer.body["message"]


def test_a_bucket_of_before_versions_were_recorded_says_what_brings_one(offered: Service) -> None:
    message = offered.call("GET", "/client/9.8.7").body["message"]
    assert "It has none by its version yet." in message
    assert "python -m ops deploy" in message


@pytest.mark.parametrize(
    "version",
    ["newest.json", "..", "v0.2.0", "0.2", "0.2.0.0", "0.2.0%0A", "..%2Fnewest", "0.2.0%2F..", "%D9%A1.2.0", "1" * 5000,
     "00002.0.0", "<b>", "0.2.0 ", "-1.0.0"],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["", "/requirements.txt"])
def test_what_is_no_version_is_refused_without_a_look_into_the_bucket(
    versions: Service, called: list[str], version: str, suffix: str
) -> None:
    answer = versions.call("GET", f"/client/{version}{suffix}")
    assert answer.status in (400, 403)
    assert answer.headers.get("Location") is None
    assert answer.body.get("message", "").partition(",")[0] in (
        "",
        "A version of the client is three numbers",
    )
    assert called == []


@pytest.fixture
def called(service: Service) -> list[str]:
    """The calls to AWS from now on."""
    from chalicelib import wiring

    calls: list[str] = []
    for client in (wiring.machine_store()._table._client, wiring._s3()):
        client.meta.events.register("before-call", lambda model, **_: calls.append(model.name))
    return calls


@pytest.mark.parametrize("path", ["/client", "/client/9.8.7"])
def test_nothing_is_listed_for_it_and_no_row_is_read(versions: Service, called: list[str], path: str) -> None:
    assert versions.call("GET", path).status == 302
    assert called == ["GetObject"]


def test_its_files_are_no_strays(offered: Service) -> None:
    offered.catalogue(OFFERED.wheel.key, OFFERED.requirements.key, RECORD_KEY, version_key("9.8.7"))
    offered.now = NOW + timedelta(days=1)
    assert "_service/" not in str(offered.admin("audit"))
