"""Compares what is deployed with what Chalice would deploy from this repository: a sentence for each difference.

Nothing of what was deployed is remembered, so nothing can be wrong about what is remembered: the code that
runs is fetched and compared file by file, the rest is asked of AWS.
"""

from __future__ import annotations

import dataclasses
import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from ops.aws import Aws
from ops.functions import concurrency
from ops.functions.chalice_record import find_rest_api
from ops.functions.compare_api import Route, api_differences
from ops.functions.package import (
    REQUEST_BURST,
    REQUESTS_PER_SECOND,
    AppPackage,
    copy_project,
    logical_id,
    package_app_once,
)
from ops.functions.permissions import may_be_called_by
from ops.functions.queue_mappings import event_source_mappings
from ops.functions.roles import role_differences
from ops.stages import API_STAGE, Stage

LOG_RETENTION_DAYS = 90
FETCH_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the repository would deploy."""

    functions: dict[str, dict[str, Any]]
    """The properties that Chalice gives each function, by short name."""
    routes: set[Route]
    files: dict[str, int]
    """Checksum of each file in the zip by its path, byte code left out."""


def wanted_service(stage: Stage, project: Path) -> Wanted:
    """Packages a clean copy of the project. Raises ``OpsError``."""
    with tempfile.TemporaryDirectory(prefix="panicroom-") as folder:
        copy = Path(folder) / "project"
        copy_project(copy, stage, project)
        return _wanted(package_app_once(copy, stage), stage)


def _wanted(package: AppPackage, stage: Stage) -> Wanted:
    resources = package.template["Resources"]
    functions = {
        short_name: resources[logical_id(short_name)]["Properties"] for short_name in stage.functions
    }
    paths = resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    routes = {
        (path, method.upper(), bool(call.get("security")))
        for path, calls in paths.items()
        for method, call in calls.items()
    }
    return Wanted(functions, routes, _files_in(package.zip_path.read_bytes()))


def function_differences(aws: Aws, stage: Stage, wanted: Wanted) -> list[str]:
    """What ``chalice deploy`` would change: functions, roles, queue mapping, schedules, API. Empty if nothing."""
    functions, seen = aws.client("lambda"), dict[str, dict[str, int]]()
    found, runtimes = list[str](), set[tuple[str, str]]()
    for short_name, name in stage.functions.items():
        try:
            deployed = functions.get_function(FunctionName=name)
        except functions.exceptions.ResourceNotFoundException:
            found.append(f"{name} is not there")
            continue
        found += _configuration_differences(name, dict(deployed), wanted.functions[short_name])
        limit = deployed.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        if limit is not None and short_name not in concurrency.WANTED:
            found.append(f"{name}: may run only {limit} times at once")
        runtimes.add((deployed["Configuration"]["Runtime"], wanted.functions[short_name]["Runtime"]))
        sha256 = deployed["Configuration"]["CodeSha256"]
        if sha256 not in seen:
            seen[sha256] = _files_in(_fetch(deployed["Code"]["Location"]))
        found += _code_differences(name, seen[sha256], wanted.files)
        found += role_differences(aws, stage, short_name, deployed["Configuration"]["Role"])
        found += _event_differences(aws, stage, short_name, wanted.functions[short_name].get("Events", {}))
    if len(found) == len(stage.functions) and all(one.endswith("is not there") for one in found):
        found = [f"make {len(found)} functions, each with a role of its own"]
    found += runtime_differences(runtimes)
    found += api_differences(aws, stage, wanted.routes)
    return found


def finish_differences(aws: Aws, stage: Stage) -> list[str]:
    """What Chalice does not set and is missing: partial batch failures, throttling, concurrency, log retention."""
    found = []
    for mapping in event_source_mappings(aws, stage, "catalogue"):
        if mapping["State"] in ("Disabling", "Disabled"):
            found.append("switch the queue mapping on again")
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            found.append("have the queue bring back single failed messages")
    api = find_rest_api(aws, stage)
    settings = _method_settings(aws, api)
    wanted = (float(REQUESTS_PER_SECOND), REQUEST_BURST)
    if (settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")) != wanted:
        found.append(f"throttle each method of the API at {REQUESTS_PER_SECOND} requests a second")
    found += concurrency.concurrency_differences(aws, stage)
    kept = log_retention(aws, stage)
    groups = [stage.log_group(short_name) for short_name in stage.functions]
    unlimited = [group for group in groups if kept.get(group) != LOG_RETENTION_DAYS]
    if unlimited:
        which = "every log" if unlimited == groups else f"the log {', '.join(unlimited)}"
        found.append(f"keep {which} for {LOG_RETENTION_DAYS} days")
    return found


def log_retention(aws: Aws, stage: Stage) -> dict[str, int | None]:
    """Days by log group of the stage's functions; None where a group keeps everything for ever."""
    own = {stage.log_group(short_name) for short_name in stage.functions}
    pages = (
        aws.client("logs")
        .get_paginator("describe_log_groups")
        .paginate(logGroupNamePrefix=f"/aws/lambda/{stage.prefix}")
    )
    return {
        group["logGroupName"]: group.get("retentionInDays")
        for page in pages
        for group in page["logGroups"]
        if group["logGroupName"] in own
    }


def _method_settings(aws: Aws, api: str | None) -> dict[str, Any]:
    if api is None:
        return {}
    gateway = aws.client("apigateway")
    try:
        stage = gateway.get_stage(restApiId=api, stageName=API_STAGE)
    except gateway.exceptions.NotFoundException:
        return {}
    return dict(stage.get("methodSettings", {}).get("*/*", {}))


def _configuration_differences(name: str, deployed: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    configuration = deployed["Configuration"]
    for field in ("Timeout", "MemorySize", "Handler"):
        if configuration[field] != wanted[field]:
            yield f"{name}: {field} is {configuration[field]}, not {wanted[field]}"
    environment = configuration.get("Environment", {}).get("Variables", {})
    for variable, value in wanted["Environment"]["Variables"].items():
        if environment.get(variable) != value:
            yield f"{name}: {variable} is {environment.get(variable)!r}, not {value!r}"
    yield from (
        f"{name}: {variable} is set and should not be"
        for variable in environment
        if variable not in wanted["Environment"]["Variables"]
    )


def runtime_differences(runtimes: set[tuple[str, str]]) -> list[str]:
    """``runtimes``: as deployed, and as Chalice would deploy it, which is always the Python that it runs on.

    With another Python come other files: libraries that are compiled are compiled for one version.
    """
    return [
        f"the functions run on {deployed} and this clone on {wanted} (to leave them there, remove .venv and type"
        f" `make PYTHON={deployed} owner` first)"
        for deployed, wanted in sorted(runtimes)
        if deployed != wanted
    ]


def _code_differences(name: str, deployed: dict[str, int], wanted: dict[str, int]) -> list[str]:
    if deployed == wanted:
        return []
    changed = sorted(
        path for path in deployed.keys() | wanted.keys() if deployed.get(path) != wanted.get(path)
    )
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return [f"{name}: runs other code ({changed[0]}{more})"]


def _event_differences(aws: Aws, stage: Stage, short_name: str, events: dict[str, Any]) -> Iterator[str]:
    for event in events.values():
        if event["Type"] == "SQS":
            yield from _mapping_differences(aws, stage, short_name, event["Properties"])
        elif event["Type"] == "Schedule":
            yield from _schedule_differences(aws, stage, short_name, event["Properties"]["Schedule"])


def _mapping_differences(aws: Aws, stage: Stage, short_name: str, wanted: dict[str, Any]) -> Iterator[str]:
    name, queue = stage.function(short_name), stage.arn("sqs", stage.queue)
    mappings = event_source_mappings(aws, stage, short_name)
    if [mapping["EventSourceArn"] for mapping in mappings] != [queue]:
        yield f"{name}: has {len(mappings)} queue mappings instead of the one to {stage.queue}"
        return
    [mapping] = mappings
    for field in ("BatchSize", "MaximumBatchingWindowInSeconds", "ScalingConfig"):
        if mapping.get(field) != wanted.get(field):
            yield f"{name}: its queue mapping has {field} {mapping.get(field)}, not {wanted.get(field)}"


def _schedule_differences(aws: Aws, stage: Stage, short_name: str, expression: str) -> Iterator[str]:
    events, name = aws.client("events"), stage.function(short_name)
    rule = schedule_rule(stage, short_name)
    try:
        found = events.describe_rule(Name=rule)
    except events.exceptions.ResourceNotFoundException:
        yield f"{name}: its schedule {rule} is not there"
        return
    if (found["ScheduleExpression"], found["State"]) != (expression, "ENABLED"):
        yield f"{name}: its schedule is {found['ScheduleExpression']} and {found['State']}, not {expression}"
    targets = [target["Arn"] for target in events.list_targets_by_rule(Rule=rule)["Targets"]]
    if targets != [stage.arn("lambda", f"function:{name}")]:
        yield f"{name}: its schedule calls {', '.join(targets) or 'nothing'}"
    if not may_be_called_by(aws, name, "events", found["Arn"]):
        yield f"{name}: its schedule {rule} may not call it"


def schedule_rule(stage: Stage, short_name: str) -> str:
    """The name that Chalice gives the rule of a scheduled function."""
    return f"{stage.prefix}-{short_name}-event"


def _files_in(zipped: bytes) -> dict[str, int]:
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        return {
            info.filename: info.CRC
            for info in archive.infolist()
            if not info.filename.endswith((".pyc", "/")) and not _differs_by_itself(info.filename)
        }


def _differs_by_itself(path: str) -> bool:
    """What each installation writes differently: which installer it was, and sums of the rest."""
    return ".dist-info/" in path and path.endswith(("/RECORD", "/WHEEL", "/direct_url.json"))


def _fetch(url: str) -> bytes:
    answer = httpx.get(url, timeout=FETCH_SECONDS)
    answer.raise_for_status()
    return answer.content
