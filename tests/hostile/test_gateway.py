"""The same at the real API Gateway, which has a memory of its own."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from tests.enrolling import enrolled
from tests.hostile.conftest import WITHOUT_A_TOKEN, Deployed


def protected_routes() -> list[tuple[str, str]]:
    import app

    return [
        (
            method,
            path.format(job="system", run="20261122t195500z-0123456789abcdef", thaw="0" * 20, version=""),
        )
        for path, methods in app.app.routes.items()
        for method in methods
        if path not in WITHOUT_A_TOKEN
    ]


def enrol(deployed: Deployed, machine: str) -> str:
    """The value of a machine's ``Authorization`` header."""
    code = deployed.admin.call("machine_add", name=machine)["code"]
    return f"Bearer {enrolled(deployed.stack.api_url, machine, code)}"


@pytest.mark.parametrize(("method", "path"), protected_routes())
def test_without_a_token_nothing_is_answered(deployed: Deployed, method: str, path: str) -> None:
    assert deployed.call(method, path).status_code == 401


@pytest.mark.parametrize(("method", "path"), protected_routes())
def test_with_a_wrong_token_nothing_is_answered(deployed: Deployed, method: str, path: str) -> None:
    wrong = f"Bearer anna-laptop.{'0' * 64}"
    assert deployed.call(method, path, wrong).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nothing"),
        ("DELETE", "/machine"),
        ("GET", "/enrolments"),
        ("GET", "/recoveries"),
        ("GET", "/client/9.8.7/newest.json"),
        ("PUT", "/client"),
        ("PUT", "/jobs/system/files"),
    ],
)
def test_what_is_no_route_is_not_answered(deployed: Deployed, method: str, path: str) -> None:
    assert deployed.call(method, path).status_code == 403


def test_anybody_is_handed_the_client_and_no_more(deployed: Deployed) -> None:
    """By the rights of the API's own role, which signs the URL."""
    answer = deployed.call("GET", "/client")
    assert answer.status_code == 302
    url, _, digest = answer.headers["Location"].partition("#sha256=")
    wheel = httpx.get(url, timeout=30)
    assert wheel.status_code == 200
    assert hashlib.sha256(wheel.content).hexdigest() == digest
    version = deployed.call("GET", f"/client/{answer.json()['version']}")
    assert version.headers["Location"].endswith(f"#sha256={digest}")
    elsewhere = url.replace("_service/client/", "anna-laptop/system/")
    assert httpx.get(elsewhere, timeout=30).status_code == 403, "the URL is for this file alone"


@pytest.mark.parametrize(
    "version",
    ["newest.json", "..", "%2e%2e%2fnewest", "0.2.0%2f..%2f..", "0.2.0%00", "%F0%9F%8D%B0", "9" * 4000],
)
def test_what_is_no_version_is_refused_and_not_looked_for(deployed: Deployed, version: str) -> None:
    answer = deployed.call("GET", f"/client/{version}")
    assert answer.status_code in (400, 403)
    assert "Location" not in answer.headers


def test_a_token_revoked_while_the_gateway_remembers_it_fails_at_the_next_call(deployed: Deployed) -> None:
    authorization = enrol(deployed, "rita-laptop")
    remembered = [deployed.call("GET", "/machine", authorization) for _ in range(2)]
    assert [answer.status_code for answer in remembered] == [200, 200]
    deployed.admin.call("machine_revoke", name="rita-laptop")
    answer = deployed.call("GET", "/machine", authorization)
    assert (answer.status_code, answer.json()["error"]) == (403, "machine_revoked")
    assert deployed.call("GET", "/jobs/system/files", authorization).status_code == 403


def test_what_the_gateway_remembers_of_one_machine_says_nothing_of_another(deployed: Deployed) -> None:
    anna, ben = enrol(deployed, "annas-tablet"), enrol(deployed, "bens-tablet")
    for _ in range(2):
        for authorization, name in ((anna, "annas-tablet"), (ben, "bens-tablet")):
            assert deployed.call("GET", "/machine", authorization).json()["machine"] == name
