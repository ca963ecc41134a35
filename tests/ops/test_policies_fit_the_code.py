"""Each function's policy names exactly the rights that its code can use: none is missing, and none is unused."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import chalicelib.adapters
from app import app
from ops.functions.package import PROJECT
from ops.functions.policies import policy_document
from ops.stages import LAMBDA_FUNCTIONS, LOCAL
from tests.ops.call_graph import CLIENTS, reachable_calls
from tests.ops.iam_actions import action_of

LOGS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
QUEUE = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
"""What Lambda itself does in a function's name: writes its log, and takes messages for it."""


@pytest.fixture(scope="module")
def calls() -> dict[str, set[str]]:
    return reachable_calls(PROJECT)


def handlers_of(short_name: str) -> set[str]:
    """Names in ``app.py``; behind the REST API there are many."""
    if short_name != "api_handler":
        return {short_name}
    return {view.view_function.__name__ for methods in app.routes.values() for view in methods.values()}


def needed(calls: dict[str, set[str]], short_name: str) -> set[str]:
    # Everything goes through the middleware.
    reached = set[str]().union(*(calls[name] for name in {*handlers_of(short_name), "observing"}))
    actions = {action for call in reached if (action := action_of(call))} | LOGS
    if "s3:HeadObject" in reached:
        actions.add("s3:ListBucket")  # else a key that is not there is a 403
    takes_messages = any(
        source.name == short_name and hasattr(source, "queue") for source in app.event_sources
    )
    return actions | (QUEUE if takes_messages else set())


def granted(short_name: str) -> set[str]:
    return {action for one in policy_document(LOCAL, short_name)["Statement"] for action in one["Action"]}


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_no_right_is_missing(calls: dict[str, set[str]], short_name: str) -> None:
    assert needed(calls, short_name) - granted(short_name) == set()


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_no_right_is_unused(calls: dict[str, set[str]], short_name: str) -> None:
    assert granted(short_name) - needed(calls, short_name) == set()


def test_every_adapter_that_holds_a_client_is_looked_at() -> None:
    assert set(classes_with_a_client()) == set(CLIENTS)


def classes_with_a_client() -> Iterator[str]:
    import importlib
    import pkgutil

    for module in pkgutil.iter_modules(chalicelib.adapters.__path__):
        loaded = importlib.import_module(f"chalicelib.adapters.{module.name}")
        for name, kind in vars(loaded).items():
            if inspect.isclass(kind) and kind.__module__ == loaded.__name__:
                text = inspect.getsource(kind)
                if "self._client" in text:
                    yield name


def test_aws_is_called_in_adapters_alone() -> None:
    """Else the calls would not be found."""
    others = [
        path
        for path in Path(PROJECT, "chalicelib").rglob("*.py")
        if "adapters" not in path.parts and path.name != "wiring.py" and "boto3" in path.read_text()
    ]
    assert others == []
