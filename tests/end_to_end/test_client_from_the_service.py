"""A computer that has nothing yet fetches the client from the service: real curl, pip and pipx, the real redirect."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import httpx
import pytest
from panicroom import __version__
from panicroom.recovery.install import install_lines

from chalicelib.domain.offered_client import RECORD_KEY, version_key
from ops.aws import Aws
from ops.client.offer import client_changes, offer_client, offered_client
from ops.client.wheel import built_wheel, wheel_name
from ops.doctor.checks import CHECKS
from ops.doctor.patient import Patient
from ops.functions.package import PROJECT
from ops.stages import LOCAL
from tests.end_to_end.conftest import Service

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]


def redirected(service: Service) -> str:
    """What curl prints of where the client is."""
    return subprocess.run(
        ["curl", "-fsSo", os.devnull, "-w", "%{redirect_url}", f"{service.stack.api_url}/client"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture
def empty_environment(tmp_path: Path) -> Path:
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


def install(environment: Path, url: str) -> subprocess.CompletedProcess[str]:
    """The wheel alone: what it needs is pip's and takes minutes; the soak fetches that too."""
    python = str(environment / "bin" / "python")
    command = [*PIP, "--python", python, "install", "--no-cache-dir", "--no-deps", "--require-hashes", url]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def another_wheel(service: Service) -> Iterator[None]:
    """Somebody has written to the very key of the wheel."""
    record = json.loads(service.s3.get_object(Bucket=service.stack.bucket, Key=RECORD_KEY)["Body"].read())
    key = record["wheel"]["key"]
    wheel = service.s3.get_object(Bucket=service.stack.bucket, Key=key)["Body"].read()
    service.s3.put_object(Bucket=service.stack.bucket, Key=key, Body=wheel + b"x", ChecksumAlgorithm="SHA256")
    yield
    offer_client(Aws(service.stack.region, service.stack.endpoint), LOCAL)


def test_pip_installs_what_curl_was_told(service: Service, empty_environment: Path) -> None:
    url = redirected(service)
    assert f"/panicroom-{__version__}-py3-none-any.whl?" in url
    ended = install(empty_environment, url)
    assert ended.returncode == 0, ended.stderr
    said = subprocess.run(
        [empty_environment / "bin" / "python", "-c", "import panicroom; print(panicroom.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == __version__


@pytest.mark.usefixtures("another_wheel")
def test_a_wheel_of_another_digest_is_refused(service: Service, empty_environment: Path) -> None:
    ended = install(empty_environment, redirected(service))
    assert ended.returncode != 0
    assert "DO NOT MATCH THE HASHES" in ended.stderr
    assert not list(empty_environment.rglob("panicroom*"))


def test_the_doctor_finds_a_wheel_that_is_gone_or_was_changed(service: Service) -> None:
    aws = Aws(service.stack.region, service.stack.endpoint)
    wheel = offered_client(aws, LOCAL)
    assert wheel is not None
    try:
        service.s3.put_object(
            Bucket=service.stack.bucket, Key=wheel.wheel.key, Body=b"x", ChecksumAlgorithm="SHA256"
        )
        assert client_changes(aws, LOCAL) == ["have GET /client hand out this version of the client"]
        service.s3.delete_object(Bucket=service.stack.bucket, Key=wheel.wheel.key)
        assert client_changes(aws, LOCAL) == ["put this version of the client into the bucket"]
    finally:
        offer_client(aws, LOCAL)


def test_the_list_of_what_it_needs_comes_by_the_address_that_is_typed(service: Service) -> None:
    answer = httpx.get(f"{service.stack.api_url}/client/requirements.txt", follow_redirects=True, timeout=60)
    assert answer.status_code == 200
    assert "duplicity==3.2.1" in answer.text
    assert "--hash=sha256:" in answer.text


def test_without_a_client_curl_ends_with_an_error_and_a_deploy_brings_it_back(service: Service) -> None:
    aws = Aws(service.stack.region, service.stack.endpoint)
    assert client_changes(aws, LOCAL) == []
    service.s3.delete_object(Bucket=service.stack.bucket, Key=RECORD_KEY)
    try:
        with pytest.raises(subprocess.CalledProcessError) as refused:
            redirected(service)
        assert "404" in refused.value.stderr
        answer = httpx.get(f"{service.stack.api_url}/client", timeout=60)
        assert "python -m ops deploy" in answer.json()["message"]
        missing = "have GET /client hand out this version of the client"
        assert client_changes(aws, LOCAL) == [missing]
        doctor = CHECKS["The client"](Patient(aws, LOCAL, PROJECT, datetime.now(timezone.utc)))
        assert doctor == [f"{missing}: `python -m ops deploy --stage local` does it"]
    finally:
        offer_client(aws, LOCAL)
    assert client_changes(aws, LOCAL) == []
    assert redirected(service)


def test_a_version_can_be_fetched_when_a_newer_one_is_out_also_one_that_was_deployed_before_versions_had_records(
    service: Service, empty_environment: Path
) -> None:
    aws = Aws(service.stack.region, service.stack.endpoint)
    mine = offered_client(aws, LOCAL)
    assert mine is not None
    service.s3.delete_object(Bucket=service.stack.bucket, Key=version_key("0.0.9"))
    before = dataclasses.replace(mine, version="0.0.9").as_text().encode()
    service.s3.put_object(Bucket=service.stack.bucket, Key=RECORD_KEY, Body=before)
    try:
        offer_client(aws, LOCAL)
        offered = [httpx.get(f"{service.stack.api_url}/client{of}", timeout=60) for of in ("", "/0.0.9")]
        assert [answer.json()["version"] for answer in offered] == [__version__, "0.0.9"]
        ended = install(empty_environment, offered[1].headers["Location"])
        assert ended.returncode == 0, ended.stderr
        unknown = httpx.get(f"{service.stack.api_url}/client/0.0.8", timeout=60)
        assert unknown.status_code == 404
        assert f"It has {__version__}, 0.0.9." in unknown.json()["message"]
    finally:
        service.s3.delete_object(Bucket=service.stack.bucket, Key=version_key("0.0.9"))


def test_a_changed_client_of_the_same_version_leaves_the_one_alone_that_machines_are_held_at(
    service: Service, empty_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = Aws(service.stack.region, service.stack.endpoint)
    held = httpx.get(f"{service.stack.api_url}/client/{__version__}", timeout=60).json()
    changed = empty_environment / wheel_name()
    changed.write_bytes(built_wheel().read_bytes() + b"changed")
    with monkeypatch.context() as patch:
        patch.setattr("ops.client.offer.client_digest", lambda: "f" * 64)
        patch.setattr("ops.client.offer.built_wheel", lambda: changed)
        try:
            [put, left] = client_changes(aws, LOCAL)
            assert put == "put this version of the client into the bucket"
            assert left.startswith(
                f"leave GET /client/{__version__} as it is: another client {__version__} was"
            )
            offer_client(aws, LOCAL)
            assert client_changes(aws, LOCAL) == [], (
                "neither the next deploy nor the doctor has anything to do"
            )
            of_version, newest = (
                httpx.get(f"{service.stack.api_url}/client{of}", timeout=60).json()
                for of in (f"/{__version__}", "")
            )
            assert of_version["sha256"] == held["sha256"]
            assert newest["sha256"] == hashlib.sha256(changed.read_bytes()).hexdigest()
            ended = install(empty_environment, of_version["url"])
            assert ended.returncode == 0, ended.stderr
        finally:
            patch.undo()
            offer_client(aws, LOCAL)
    assert client_changes(aws, LOCAL) == []
    assert redirected(service).endswith(f"#sha256={held['sha256']}")


def test_the_same_client_built_anew_does_not_replace_the_file_whose_digest_is_known(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another setuptools may make other bytes of the same files."""
    aws = Aws(service.stack.region, service.stack.endpoint)
    held = offered_client(aws, LOCAL)
    rebuilt = tmp_path / wheel_name()
    rebuilt.write_bytes(built_wheel().read_bytes() + b"built elsewhere")
    monkeypatch.setattr("ops.client.offer.built_wheel", lambda: rebuilt)
    service.s3.delete_object(Bucket=service.stack.bucket, Key=RECORD_KEY)
    offer_client(aws, LOCAL)
    assert offered_client(aws, LOCAL) == held


@pytest.mark.soak  # all the libraries are fetched too, which takes minutes
def test_the_lines_of_the_sheet_install_the_client_on_an_empty_computer(
    service: Service, tmp_path: Path
) -> None:
    settings_of_pip = Path.home() / ".config" / "pip" / "pip.conf"
    ended = subprocess.run(
        ["bash", "-euc", "\n".join([*install_lines(service.stack.api_url), "panicroom --version"])],
        cwd=tmp_path,
        env={
            "HOME": str(tmp_path),
            "PATH": f"{tmp_path}/.local/bin:{Path(sys.executable).parent}:{os.environ['PATH']}",
            **({"PIP_CONFIG_FILE": str(settings_of_pip)} if settings_of_pip.exists() else {}),
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert __version__ in ended.stdout.splitlines()[-1]
    assert shutil.which("panicroom", path=f"{tmp_path}/.local/bin")
