"""The API that Chalice makes of the app. What ``chalice deploy`` deploys is looked at in ``test_deploy.py``."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from chalice.constants import MISSING_DEPENDENCIES_TEMPLATE

from app import app
from ops.errors import OpsError
from ops.functions import package
from ops.functions.chalice_config import stage_entry
from ops.functions.package import PROJECT, copy_project, package_app
from ops.stages import LOCAL

ZIP_BYTES = 20 * 1024 * 1024
"""More than ten times what it is: a library that does not belong into the functions is noticed."""

WITHOUT_A_TOKEN = {
    ("/enrolments", "POST"),
    ("/recoveries", "POST"),
    ("/client", "GET"),
    ("/client/requirements.txt", "GET"),
    ("/client/{version}", "GET"),
    ("/client/{version}/requirements.txt", "GET"),
}
"""A code is asked for there, or nothing at all: the client is anybody's."""


def test_the_api_that_chalice_generates_has_exactly_the_apps_routes(tmp_path: Path) -> None:
    copy_project(tmp_path / "project", LOCAL)
    template = package_app(tmp_path / "project", LOCAL, tmp_path).template
    paths: dict[str, dict[str, Any]] = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][
        "paths"
    ]
    generated = {
        (path, method.upper(), tuple(name for security in call.get("security", []) for name in security))
        for path, calls in paths.items()
        for method, call in calls.items()
    }
    in_app = {
        (path, method, (entry.authorizer.name,) if entry.authorizer else ())
        for path, methods in app.routes.items()
        for method, entry in methods.items()
    }
    assert generated == in_app
    assert {(path, method) for path, method, names in generated if not names} == WITHOUT_A_TOKEN


def test_the_zip_stays_small_and_has_no_byte_code(tmp_path: Path) -> None:
    copy_project(tmp_path / "project", LOCAL)
    zip_path = package_app(tmp_path / "project", LOCAL, tmp_path).zip_path
    assert zip_path.stat().st_size < ZIP_BYTES
    with zipfile.ZipFile(zip_path) as package_zip:
        assert [name for name in package_zip.namelist() if name.endswith(".pyc")] == []


def test_a_package_that_lacks_a_library_is_refused_and_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chalice ends well and only prints it."""
    copy_project(tmp_path / "project", LOCAL)
    said = "Creating deployment package.\n" + MISSING_DEPENDENCIES_TEMPLATE % "jinja2==3.1.6\ntzdata==2026.1"
    ended = subprocess.CompletedProcess([], 0, stdout=said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    monkeypatch.setattr(package, "PACKAGES", tmp_path / "packages")
    with pytest.raises(OpsError, match=r"could not fetch jinja2==3\.1\.6, tzdata==2026\.1, without"):
        package.package_app_once(tmp_path / "project", LOCAL)
    assert list((tmp_path / "packages").iterdir()) == []


def test_no_function_has_more_than_256_mb_but_those_with_a_measured_reason() -> None:
    """It stands beside ``MEMORY_MB_OF``."""
    entry = stage_entry(LOCAL)
    assert entry["lambda_memory_size"] <= 256
    more = {name for name, one in entry["lambda_functions"].items() if one.get("lambda_memory_size", 0) > 256}
    assert more == {"reconcile", "weekly_reconcile", "daily_audit", "admin", "admin_read"}


def test_a_cold_start_loads_no_library_that_only_a_few_functions_need() -> None:
    """How long it takes is measured by ``make bench``: no test depends on the clock."""
    code = "import boto3, sys; before = set(sys.modules); import app; print(*(set(sys.modules) - before))"
    environment = {**os.environ, "AWS_DEFAULT_REGION": LOCAL.region, "PYTHONPATH": str(PROJECT)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    loaded = run.stdout.split()
    assert not {"jinja2", "email.mime", "pydantic", "chalicelib.journeys.send_weekly_report"} & set(loaded)
    assert not {
        f"chalicelib.domain.{name}"
        for name in ("mail.alerts", "audit.bucket_audit", "costs.statement", "costs.price_table")
    } & set(loaded)
    libraries = [name for name in loaded if not name.startswith("chalicelib")]
    assert len(libraries) < 60, sorted(libraries)
