"""The service as Chalice packages it: one SAM template and one zip, from a clean copy of the project."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chalice.constants import MISSING_DEPENDENCIES_TEMPLATE
from chalice.utils import to_cfn_resource_name

from ops.aws import environment_for_local_stack
from ops.errors import OpsError
from ops.functions.chalice_config import write_config_files
from ops.stages import Stage

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = PROJECT / "build" / "packages"

REQUESTS_PER_SECOND = 50
REQUEST_BURST = 200
"""Throttling of each method of the API: a thousand machines ask far less. API Gateway counts every method by itself;
what all of them together may run at once is limited by the functions' concurrency."""


LONGEST_ANSWER = 600

CHALICE = "import sys; from chalice.cli import main; sys.dont_write_bytecode = True; sys.exit(main())"
"""Chalice imports the app to learn its routes: no byte code may come into the package by that. That of Chalice itself
is written, which makes the next run a second shorter."""


@dataclass(frozen=True)
class AppPackage:
    """``template`` is the SAM template; its functions' code is the file ``zip_path``."""

    template: dict[str, Any]
    zip_path: Path


def copy_project(target: Path, stage: Stage, project: Path = PROJECT) -> None:
    """Copies what Chalice packages into an empty folder, with the stage's configuration.

    Chalice packs everything below ``chalicelib``, byte code included, and takes a changed file for new code.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in ("app.py", "requirements.txt"):
        shutil.copy(project / name, target)
    shutil.copytree(
        project / "chalicelib", target / "chalicelib", ignore=shutil.ignore_patterns("__pycache__")
    )
    write_config_files(stage, target / ".chalice")


def package_digest(project: Path, stage: Stage) -> str:
    """A digest of all files of a copied project, and of what packages them; the same digest needs no new package."""
    made_by = json.dumps([sys.version, version("chalice"), template_additions(stage)])
    return hashlib.sha256((_digest_of(project) + made_by).encode()).hexdigest()


def _digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def package_app(project: Path, stage: Stage, work_folder: Path) -> AppPackage:
    """Runs ``chalice package`` on a copied project. Raises ``OpsError`` with Chalice's own last words."""
    merge_path = work_folder / "merge.json"
    output = work_folder / "packaged"
    merge_path.write_text(json.dumps(template_additions(stage)))
    run_chalice(
        ["package", "--stage", stage.name, "--merge-template", str(merge_path), str(output)],
        project,
        environment_for_local_stack(stage.region),  # packaging asks AWS for nothing
    )
    return _read_package(output)


def _read_package(folder: Path) -> AppPackage:
    return AppPackage(json.loads((folder / "sam.json").read_text()), folder / "deployment.zip")


def package_app_once(project: Path, stage: Stage) -> AppPackage:
    """As ``package_app``; the same files are packaged once, and found again in ``PACKAGES``.

    Packaging takes most of the time in which a local stack starts or a deploy is planned. Raises ``OpsError``.
    """
    package = PACKAGES / package_digest(project, stage)
    if not package.exists():
        PACKAGES.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=PACKAGES) as folder:
            package_app(project, stage, Path(folder))
            # Whoever packages the same at the same time comes first or second: both are the same.
            with contextlib.suppress(OSError):
                (Path(folder) / "packaged").rename(package)
    return _read_package(package)


def run_chalice(arguments: list[str], project: Path, environment: Mapping[str, str]) -> str:
    """Runs the ``chalice`` command in a project's folder and returns what it printed; raises ``OpsError``."""
    run = subprocess.run(
        [sys.executable, "-c", CHALICE, *arguments],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise OpsError(f"`chalice {arguments[0]}` failed: {_last_words(run.stdout)}")
    missing = _missing_libraries(run.stdout)
    if missing:
        raise OpsError(
            f"`chalice {arguments[0]}` could not fetch {', '.join(missing)}, without which the functions do not work."
            " Check the network, then type the command again."
        )
    return run.stdout


def _missing_libraries(output: str) -> list[str]:
    """What Chalice went on without: it only prints that, and ends with 0."""
    begin, end = MISSING_DEPENDENCIES_TEMPLATE.strip().split("%s")
    return output.partition(begin)[2].partition(end)[0].split()


def _last_words(output: str) -> str:
    """What AWS answered, which Chalice breaks into short lines and follows with advice; else the last line."""
    _, has_answer, answer = output.partition("received the following error:")
    if has_answer:
        return " ".join(answer.split())[:LONGEST_ANSWER]
    return (output.strip().splitlines() or ["it printed nothing"])[-1]


def template_additions(stage: Stage) -> dict[str, Any]:
    """What Chalice leaves out of its template: names, partial batch failures, throttling."""
    resources: dict[str, Any] = {
        logical_id(short_name): {"Properties": {"FunctionName": deployed_name}}
        for short_name, deployed_name in stage.functions.items()
    }
    # Without it the answer that names the failed messages is read as success, and their events are lost.
    resources["Catalogue"]["Properties"]["Events"] = {
        "CatalogueSqsEventSource": {"Properties": {"FunctionResponseTypes": ["ReportBatchItemFailures"]}}
    }
    throttling = {"ThrottlingRateLimit": REQUESTS_PER_SECOND, "ThrottlingBurstLimit": REQUEST_BURST}
    resources["RestAPI"] = {
        "Properties": {
            "MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", **throttling}],
            "OpenApiVersion": "2.0",  # what keeps SAM from making a second API stage, called "Stage"
        }
    }
    return {"Resources": resources}


def with_code_at(template: dict[str, Any], bucket: str, key: str) -> dict[str, Any]:
    """The template with every function's code taken from one object in S3."""
    resources = {
        name: (
            {**resource, "Properties": {**resource["Properties"], "CodeUri": f"s3://{bucket}/{key}"}}
            if resource["Type"] == "AWS::Serverless::Function"
            else resource
        )
        for name, resource in template["Resources"].items()
    }
    return {**template, "Resources": resources}


def logical_id(short_name: str) -> str:
    """What Chalice calls a function in its template."""
    return "APIHandler" if short_name == "api_handler" else str(to_cfn_resource_name(short_name))
