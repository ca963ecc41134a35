"""The functions' policies and the code ask for the same rights.

Every AWS operation in the adapters has its right in some policy, and no policy has a right that no adapter uses. Each
function has rights on exactly the AWS services whose clients ``chalicelib/wiring.py`` gives it. What a function really
may do is tried on the local stack, where IAM is enforced (``tests/hostile/test_roles.py`` and the commands' tests).
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import boto3
import pytest

from app import app
from ops.functions.package import PROJECT
from ops.functions.policies import policy_document
from ops.stages import LAMBDA_FUNCTIONS, LOCAL, Stage
from tests.ops.iam_actions import action_of

ADAPTERS = PROJECT / "chalicelib" / "adapters"
SERVICE_OF_MODULE = {
    "client_folder": "s3",
    "table": "dynamodb",
    "s3_archive": "s3",
    "s3_buckets": "s3",
    "s3_versions": "s3",
    "bucket_settings": "s3",
    "ses_mailer": "sesv2",
    "alerts_topic": "sns",
    "discard_function": "lambda",
    "thaw_function": "lambda",
    "let_go_function": "lambda",
    "dead_letters": "sqs",
}
"""The service whose client each adapter holds as ``self._client``."""

BY_TEXT = {"get_paginator", "generate_presigned_url"}
IN_ARGUMENTS = {
    ("table", "Put"): "dynamodb:PutItem",
    ("table", "Update"): "dynamodb:UpdateItem",
    ("table", "Delete"): "dynamodb:DeleteItem",
    ("table", "ConditionCheck"): "dynamodb:ConditionCheckItem",
    ("s3_buckets", "Tagging"): "s3:PutObjectTagging",
    ("ses_mailer", "Raw"): "ses:SendRawEmail",
}
"""Keys of arguments that need a right besides the call's own: the parts of a transaction, the tags of a PUT."""

OF_VERSIONS = {"s3:GetObjectTagging", "s3:PutObjectTagging"}
"""Operations that s3_versions calls with a version's id, which is another right (``s3:GetObjectVersionTagging``)."""

BY_LAMBDA = {
    *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
    *("sqs:DeleteMessage", "sqs:ReceiveMessage"),
}
"""What Lambda itself does with a function's role: it writes the log, and takes messages from the queue."""


def granted(short_name: str, stage: Stage = LOCAL) -> set[str]:
    return {action for one in policy_document(stage, short_name)["Statement"] for action in one["Action"]}


def operations_in(module: str) -> Iterator[str]:
    """``"s3:PutObject"``, by boto3's own names."""
    service = SERVICE_OF_MODULE[module]
    client = boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")  # type: ignore[call-overload]
    names: dict[str, str] = client.meta.method_to_api_mapping
    for node in ast.walk(ast.parse(next(ADAPTERS.rglob(f"{module}.py")).read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self._client":
            called = [f"{service}:{names[name]}" for name in [node.attr] if name in names]
            by_version = module == "s3_versions"
            yield from (
                call.replace("Object", "ObjectVersion") if by_version and call in OF_VERSIONS else call
                for call in called
            )
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in BY_TEXT:
            yield f"{service}:{names[ast.literal_eval(node.args[0])]}"
        if isinstance(node, ast.Constant) and (module, node.value) in IN_ARGUMENTS:
            yield IN_ARGUMENTS[module, str(node.value)]


def test_every_operation_in_the_adapters_has_its_right_and_no_right_is_unused() -> None:
    calls = {call for module in SERVICE_OF_MODULE for call in operations_in(module)}
    needed = {action for call in calls if (action := action_of(call))}
    # Without the right to list, S3 answers 403 instead of 404.
    needed.add("s3:ListBucket")
    locked = dataclasses.replace(LOCAL, lock_days=30)
    rights = set().union(*(granted(name, locked) for name in LAMBDA_FUNCTIONS)) - BY_LAMBDA
    assert rights == needed


def test_only_adapters_and_the_wiring_hold_clients() -> None:
    modules = [path for path in Path(PROJECT, "chalicelib").rglob("*.py") if "boto3" in path.read_text()]
    assert [path for path in modules if ADAPTERS not in path.parents and path.name != "wiring.py"] == []
    holders = {path.stem for path in ADAPTERS.rglob("*.py") if "self._client" in path.read_text()}
    assert holders == set(SERVICE_OF_MODULE)


# ---------------------------------------------------------------- each function by itself


def mentions(path: Path) -> dict[str, set[str]]:
    """Each function of a module: the names and attributes in it, and the services of ``boto3.client("...")``."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            texts = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
            names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            attributes = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
            found[node.name] = names | attributes | {str(text) for text in texts}
    return found


def reached(start: Iterable[str], functions: dict[str, set[str]]) -> set[str]:
    found, waiting = set[str](), list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += functions.get(name, ())
    return found


def handlers_of(short_name: str) -> set[str]:
    """Names in ``app.py``; behind the REST API there are many."""
    if short_name != "api_handler":
        return {short_name}
    return {view.view_function.__name__ for methods in app.routes.values() for view in methods.values()}


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_each_function_has_rights_on_the_services_that_its_adapters_use(short_name: str) -> None:
    wiring, handlers = mentions(PROJECT / "chalicelib" / "wiring.py"), mentions(PROJECT / "app.py")
    own = {name: handlers[name] for name in handlers if name.startswith("_")}
    in_handlers = reached(
        handlers_of(short_name), {**own, **{name: handlers[name] for name in handlers_of(short_name)}}
    )
    names = reached(in_handlers & set(wiring), wiring)
    services = {"sesv2": "ses"}
    used = {services.get(name, name) for name in names & {*SERVICE_OF_MODULE.values(), "dynamodb"}}
    rights = {action.partition(":")[0] for action in granted(short_name) - BY_LAMBDA}
    if short_name == "admin_read":
        # It is wired as `admin` is, and none of its commands sends or starts anything.
        used -= {"lambda", "ses", "sns"}
    if short_name == "catalogue":
        rights.discard("sqs")  # Lambda reads the length of the queue for the function
    assert rights == used
