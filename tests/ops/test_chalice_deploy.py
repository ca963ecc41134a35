"""Plain ``chalice deploy``, by hand, makes the whole service on top of the resources.

The stand-in imports no REST body, so the routes are compared with those that Chalice generates instead.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import app
from ops.app_package import copy_project, package_app, run_chalice
from ops.aws import Aws, environment_for_stand_in
from ops.chalice_config import TIMEOUT_SECONDS
from ops.policies import policy_document
from ops.resources import deploy_resources
from ops.stages import LAMBDA_FUNCTIONS, LOCAL
from ops.stand_in import HOST, StandIn, free_port


@dataclasses.dataclass(frozen=True)
class Deployment:
    aws: Aws
    said: str


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("by-hand")
    stand_in = StandIn(folder)
    port = free_port()
    stand_in.start(port)
    try:
        aws = Aws(LOCAL.region, f"http://{HOST}:{port}")
        deploy_resources(aws, LOCAL, poll_seconds=0.1)
        copy_project(folder / "project", LOCAL)
        environment = environment_for_stand_in(LOCAL.region, aws.endpoint)
        said = run_chalice(["deploy", "--stage", LOCAL.name], folder / "project", environment)
        yield Deployment(aws, said)
    finally:
        stand_in.stop()


def test_every_function_is_made_under_its_name_with_its_limits(deployment: Deployment) -> None:
    made = {f["FunctionName"]: f for f in deployment.aws.client("lambda").list_functions()["Functions"]}
    assert set(made) == set(LOCAL.functions.values())
    for short_name, deployed_name in LOCAL.functions.items():
        assert made[deployed_name]["Timeout"] == TIMEOUT_SECONDS[short_name]
        assert made[deployed_name]["Environment"]["Variables"]["PANICROOM_TABLE"] == LOCAL.table


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_every_function_has_a_role_of_its_own_with_its_own_policy(
    deployment: Deployment, short_name: str
) -> None:
    iam = deployment.aws.client("iam")
    # The bucket's policy names the signing role so.
    role = f"{LOCAL.prefix}-{short_name}"
    [policy_name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy_name)["PolicyDocument"]
    assert document == policy_document(LOCAL, short_name)


def test_the_catalogue_is_fed_by_the_queue(deployment: Deployment) -> None:
    [mapping] = deployment.aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert mapping["EventSourceArn"].endswith(f":{LOCAL.queue}")
    assert mapping["FunctionArn"].endswith(f":{LOCAL.function('catalogue')}")
    assert mapping["State"] == "Enabled"


def test_the_weekly_mail_is_asked_for_every_hour_and_the_comparison_once_a_week(
    deployment: Deployment,
) -> None:
    events = deployment.aws.client("events")
    targets = {
        target["Arn"].rpartition(":")[2]: rule["ScheduleExpression"]
        for rule in events.list_rules()["Rules"]
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    }
    assert targets == {
        LOCAL.function("weekly_report"): "cron(0 * * * ? *)",
        LOCAL.function("weekly_reconcile"): "cron(30 3 ? * SUN *)",
    }


def test_the_function_that_was_deployed_answers(deployment: Deployment) -> None:
    answer = deployment.aws.client("lambda").invoke(
        FunctionName=LOCAL.function("admin"), Payload=b'{"command": "machine_list"}'
    )
    assert json.loads(answer["Payload"].read()) == {"result": {"machines": []}}


def test_chalice_says_where_the_api_is(deployment: Deployment) -> None:
    assert "Rest API URL: https://" in deployment.said


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
    assert [(path, method) for path, method, names in generated if not names] == [("/enrolments", "POST")]
