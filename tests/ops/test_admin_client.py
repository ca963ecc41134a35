"""Which of the two functions an owner's command is sent to."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from chalicelib.adapters.caller_identity import checked_query
from ops.aws import Aws
from ops.errors import OpsError
from ops.service.admin_client import AdminClient
from ops.service.lambda_function import LambdaFunction, NoSuchFunction

ADMIN, READING = "panicroom-home-admin", "panicroom-home-admin_read"


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions that were called, in a stage that has both."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    names: list[str] = []

    def call(self: LambdaFunction, _: object) -> object:
        names.append(self.name)
        return {"result": {}}

    monkeypatch.setattr(LambdaFunction, "call", call)
    return names


def client() -> AdminClient:
    return AdminClient(Aws("eu-central-1"), ADMIN)


def test_a_look_goes_to_the_function_that_only_reads_and_a_change_to_the_other(called: list[str]) -> None:
    client().call("machine_list")
    client().call("machine_pause", name="anna-laptop")
    assert called == [READING, ADMIN]


def test_a_stage_without_that_function_is_asked_once_and_looked_at_by_the_other(
    called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = LambdaFunction.call

    def call(self: LambdaFunction, payload: dict[str, object]) -> object:
        answer = there(self, payload)
        if self.name == READING:
            raise NoSuchFunction("there is none")
        return answer

    monkeypatch.setattr(LambdaFunction, "call", call)
    older = client()
    older.call("machine_list")
    older.call("machine_list")
    assert called == [READING, ADMIN, ADMIN]


def test_a_look_that_is_refused_is_not_tried_with_more_rights(
    called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: LambdaFunction, _: object) -> object:
        called.append(self.name)
        raise OpsError("not allowed")

    monkeypatch.setattr(LambdaFunction, "call", refuse)
    with pytest.raises(OpsError, match="not allowed"):
        client().call("machine_list")
    assert called == [READING]


def test_a_change_says_who_makes_it_by_a_signature_for_that_function_and_a_look_does_not(
    called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, object]] = []

    def call(_: LambdaFunction, payload: dict[str, object]) -> object:
        sent.append(payload)
        return {"result": {}}

    monkeypatch.setattr(LambdaFunction, "call", call)
    client().call("machine_pause", name="anna-laptop")
    client().call("machine_list")
    pause, listing = sent
    assert checked_query(pause["caller"], datetime.now(timezone.utc)) is not None
    assert "caller" not in listing
