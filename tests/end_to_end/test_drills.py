"""Drills by the real client against the real service, over Deep Archive, on the local stack."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ops.local.thaw_hook import ThawHook
from tests.end_to_end.api_thaws import hooked
from tests.end_to_end.conftest import Ended, Machine, Service

TRY_LATER, INCOMPLETE = 75, 27
LONG_SECONDS = 600


@pytest.fixture
def hook(service: Service) -> Iterator[ThawHook]:
    with hooked(service.stack.endpoint, LONG_SECONDS) as hook:
        yield hook


@pytest.fixture
def machine(service: Service) -> Machine:
    machine = service.machine("drill-laptop")
    chance = random.Random(7)
    for number in range(4):
        (machine.source / f"file-{number}").write_bytes(chance.randbytes(400_000))
    machine.do("backup")
    time.sleep(1.1)
    (machine.source / "new").write_bytes(chance.randbytes(200_000))
    machine.do("backup")
    service.wait_for_sets(machine.name, 2)
    return machine


def last_line(ended: Ended) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.output.splitlines()[-1])
    return found


def drill_status(machine: Machine) -> dict[str, Any]:
    (job,) = json.loads(machine.run("status", "--json").output)["jobs"]
    found: dict[str, Any] = job["drill"]
    return found


def test_a_drill_asks_waits_passes_and_finds_what_is_lost(
    service: Service, machine: Machine, hook: ThawHook
) -> None:
    assert drill_status(machine)["outcome"] is None
    assert drill_status(machine)["due"] is False  # the first backup is of today
    hook.freeze(machine.name)
    asked = machine.run("drill", "--json")
    assert asked.code == TRY_LATER, asked.said
    assert last_line(asked)["outcome"] == "asked"
    assert drill_status(machine)["outcome"] == "asked"
    service.wait(lambda: len(hook.calls().by_key), lambda count: count > 0)
    assert {request["tier"] for request in hook.calls().requests} == {"Bulk"}
    hook.finish(machine.name)
    service.wait(lambda: machine.run("drill").code, lambda code: code == 0)
    status = drill_status(machine)
    assert status["outcome"] == "passed"
    assert status["passed_at"] is not None
    assert status["every_seconds"] == 30 * 86400
    assert set(hook.calls().by_key.values()) == {1}

    (volume, *_others) = [
        key for key in service.keys(f"{machine.name}/") if re.search(r"full.*\.vol1\.", key)
    ]
    service.s3.delete_object(Bucket=service.stack.bucket, Key=volume)
    failed = machine.run("drill", "--json")
    assert failed.code == INCOMPLETE, failed.said
    assert "volume 1 of the set full." in drill_status(machine)["message"]
