"""Chalice's record of what it deployed, rebuilt from AWS.

Chalice writes ``.chalice/deployed/<stage>.json`` at the end of a deploy that succeeded, and believes it from
then on. A first deploy that was broken off leaves none, a new clone has none, and either way the next one would
make a second API at another address, and a second queue mapping beside the first one, which AWS refuses. So
before each deploy the record is made from what is found, by names and by whom an API calls, also where nothing
else is to be done: the next command may be a plain ``chalice deploy``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ops.aws import Aws
from ops.functions.queue_mappings import event_source_mappings
from ops.functions.roles import described_role, role_name
from ops.stages import API_STAGE, Stage

Entry = dict[str, str]

RECORD_FILE = "deployed/{stage}.json"
"""Below ``.chalice``."""


def found_record(aws: Aws, stage: Stage) -> dict[str, Any]:
    """The record in Chalice's own form, with everything that a deploy of this stage made, whole or in part.

    Functions that the repository no longer has are in it too: Chalice then removes them.
    """
    functions = _functions(aws, stage)
    entries: list[Entry] = []
    for short_name, arn in functions.items():
        entries.append({"name": short_name, "resource_type": "lambda_function", "lambda_arn": arn})
    for short_name in dict.fromkeys([*stage.functions, *functions]):
        entries += _role(aws, stage, short_name)
        entries += _schedule(aws, stage, short_name)
        entries += _queue_mapping(aws, stage, short_name)
    api = find_rest_api(aws, stage)
    if api is not None:
        entries.append(
            {
                "name": "rest_api",
                "resource_type": "rest_api",
                "rest_api_id": api,
                # As Chalice writes it, which knows no local stack.
                "rest_api_url": f"{_address(stage, api)}/",
            }
        )
    return {"resources": entries, "schema_version": "2.0", "backend": "api"}


def record_differs(record: dict[str, Any], stage: Stage, project: Path) -> bool:
    """Whether Chalice has another one, or none where there is something to record."""
    try:
        present = json.loads(_record_path(stage, project).read_text())
    except (FileNotFoundError, ValueError):
        return bool(record["resources"])
    return _in_order(present) != _in_order(record)


def write_record(record: dict[str, Any], stage: Stage, project: Path) -> None:
    """Writes it where Chalice reads it."""
    path = _record_path(stage, project)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")


def find_rest_api(aws: Aws, stage: Stage) -> str | None:
    """The identifier of the API that calls this stage's handler; the oldest if there are several.

    Its name does not identify it: Chalice gives the APIs of all stages the same one.
    """
    gateway = aws.client("apigateway")
    pages = gateway.get_paginator("get_rest_apis").paginate()
    apis = sorted((api for page in pages for api in page["items"]), key=lambda api: str(api["createdDate"]))
    handler = stage.arn("lambda", f"function:{stage.function('api_handler')}")
    for api in apis:
        if _calls(gateway, api["id"], handler):
            return str(api["id"])
    return None


def api_url(aws: Aws, stage: Stage, api: str) -> str:
    """What a machine enrols at; without a slash at its end."""
    if stage.on_local_stack:
        return f"{aws.endpoint}/restapis/{api}/{API_STAGE}/_user_request_"
    return _address(stage, api)


def _address(stage: Stage, api: str) -> str:
    return f"https://{api}.execute-api.{stage.region}.amazonaws.com/{API_STAGE}"


def _record_path(stage: Stage, project: Path) -> Path:
    return project / ".chalice" / RECORD_FILE.format(stage=stage.name)


def _in_order(record: dict[str, Any]) -> dict[str, Any]:
    """Chalice lists what it deployed in the order in which it did."""
    return {**record, "resources": sorted(record["resources"], key=lambda entry: str(entry["name"]))}


def _calls(gateway: Any, api: str, function_arn: str) -> bool:
    pages = gateway.get_paginator("get_resources").paginate(restApiId=api, embed=["methods"])
    return any(
        f"{function_arn}/invocations" in call.get("methodIntegration", {}).get("uri", "")
        for page in pages
        for item in page["items"]
        for call in item.get("resourceMethods", {}).values()
    )


def _functions(aws: Aws, stage: Stage) -> dict[str, str]:
    """ARN by short name, of every function that carries the stage's prefix and Chalice's tag."""
    functions = aws.client("lambda")
    pages = functions.get_paginator("list_functions").paginate()
    found = {}
    for page in pages:
        for function in page["Functions"]:
            name = function["FunctionName"]
            if name == stage.prefix or name.startswith(f"{stage.prefix}-"):
                tags = functions.list_tags(Resource=function["FunctionArn"])["Tags"]
                if f":stage={stage.name}:" in tags.get("aws-chalice", ""):
                    short_name = (
                        "api_handler" if name == stage.prefix else name.removeprefix(f"{stage.prefix}-")
                    )
                    found[short_name] = function["FunctionArn"]
    return found


def _role(aws: Aws, stage: Stage, short_name: str) -> list[Entry]:
    name = role_name(stage, short_name)
    role = described_role(aws.client("iam"), name)
    if role is None:
        return []
    entry = {"name": f"{short_name}_role", "resource_type": "iam_role"}
    return [{**entry, "role_arn": role["Arn"], "role_name": name}]


def _schedule(aws: Aws, stage: Stage, short_name: str) -> list[Entry]:
    events = aws.client("events")
    rule = f"{stage.prefix}-{short_name}-event"
    try:
        events.describe_rule(Name=rule)
    except events.exceptions.ResourceNotFoundException:
        return []
    return [{"name": f"{short_name}-event", "resource_type": "cloudwatch_event", "rule_name": rule}]


def _queue_mapping(aws: Aws, stage: Stage, short_name: str) -> list[Entry]:
    queue = stage.arn("sqs", stage.queue)
    return [
        {
            "name": f"{short_name}-sqs-event-source",
            "resource_type": "sqs_event",
            "queue_arn": queue,
            "event_uuid": mapping["UUID"],
            "queue": stage.queue,
            "lambda_arn": stage.arn("lambda", f"function:{stage.function(short_name)}"),
        }
        for mapping in event_source_mappings(aws, stage, short_name)[:1]
        if mapping["EventSourceArn"] == queue
    ]
