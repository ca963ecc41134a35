"""Bringing 8,000 volumes back: planned, asked for, and one file of them planned, on the local stack's S3 and table.

The service's own code runs in a process of its own for each part, against MiniStack. The volumes are objects of one
byte: only their number matters. What MiniStack takes for a request is in the times, as on AWS the network would be.

    python -m bench.thaws STATE_FOLDER plan|one-file|ask        one part, as JSON
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bench.budgets import Budgets
from bench.growth import most_memory_mb
from chalicelib import wire
from ops.aws import Aws, environment_for_local_stack
from ops.functions.chalice_config import function_environment
from ops.local.stack import local_stack
from ops.local.stack_file import StackDescription, read_stack
from ops.local.thaw_hook import ThawHook
from ops.service.admin_client import local_admin_client
from ops.stages import LOCAL

if TYPE_CHECKING:
    from chalicelib.journeys.thaws.thaw_context import ThawContext

MACHINE, JOB = "anna-laptop", "system"
VOLUMES = 8_000
SETS = 8
"""A full backup of 4,000 volumes, and increments that share the rest."""

MOST_PLAN_SECONDS = 5
MOST_ONE_FILE_SECONDS = 1
MOST_ASK_SECONDS = 60
MOST_MEMORY_MB = 256
"""What the functions have."""


@dataclasses.dataclass(frozen=True)
class ThawPart:
    """``seconds`` on the clock; ``memory_mb`` is the most that the process ever had."""

    seconds: float
    memory_mb: float
    volumes: int


def main(say: Callable[[str], None]) -> list[str]:
    budgets = Budgets(say)
    with tempfile.TemporaryDirectory() as folder_name:
        state_folder = Path(folder_name)
        with local_stack(state_folder) as stack:
            _enrol(stack)
            _store(stack)
            hook = ThawHook(stack.endpoint)
            hook.delay(3600)
            say(f"{VOLUMES:,} volumes in Deep Archive:")
            one_file = _in_a_process(state_folder, "one-file")
            plan = _in_a_process(state_folder, "plan")
            asked = _in_a_process(state_folder, "ask")
            calls = hook.calls()
    budgets.check("a plan for a file in one volume", one_file.seconds, MOST_ONE_FILE_SECONDS, " s")
    budgets.check("a plan for all", plan.seconds, MOST_PLAN_SECONDS, " s")
    budgets.check("its memory", plan.memory_mb, MOST_MEMORY_MB, " MB")
    budgets.check("asking for all", asked.seconds, MOST_ASK_SECONDS, " s")
    budgets.check("its memory", asked.memory_mb, MOST_MEMORY_MB, " MB")
    budgets.check("requests a volume", calls.calls / VOLUMES, 1)
    assert (one_file.volumes, plan.volumes, asked.volumes) == (1, VOLUMES, VOLUMES)
    assert len(calls.by_key) == VOLUMES
    return budgets.missed


def _enrol(stack: StackDescription) -> None:
    """A thaw of a machine without a token ends."""
    code = local_admin_client(stack).call("machine_add", name=MACHINE)["code"]
    body = {"code": code, "secret_sha256": hashlib.sha256(b"a secret").hexdigest()}
    httpx.post(f"{stack.api_url}/enrolments", json=body, timeout=30).raise_for_status()


def _store(stack: StackDescription) -> None:
    """The volumes, without the events that would keep the catalogue busy meanwhile."""
    s3 = Aws(stack.region, stack.endpoint).client("s3", max_pool_connections=16)
    s3.put_bucket_notification_configuration(Bucket=stack.bucket, NotificationConfiguration={})

    def put(key: str) -> None:
        s3.put_object(Bucket=stack.bucket, Key=key, Body=b"x", StorageClass="DEEP_ARCHIVE")

    keys = [
        f"{MACHINE}/{JOB}/data_duplicity-{name}.vol{number}.difftar.gpg"
        for name, count in _sets()
        for number in range(1, count + 1)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, keys))


def _sets() -> list[tuple[str, int]]:
    """Names of the sets as in the contract, with their numbers of volumes."""
    times = [f"202611{day:02}T000000Z" for day in range(1, SETS + 1)]
    full = VOLUMES // 2
    each, rest = divmod(VOLUMES - full, SETS - 1)
    increments = [f"inc.{before}.to.{after}" for before, after in itertools.pairwise(times)]
    counts = [each + 1] * rest + [each] * (SETS - 1 - rest)
    return [(f"full.{times[0]}", full), *zip(increments, counts, strict=True)]


def _in_a_process(state_folder: Path, part: str) -> ThawPart:
    command = [sys.executable, "-m", "bench.thaws", str(state_folder), part]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return ThawPart(**json.loads(answer))


# ---------------------------------------------------------------- in the process that is measured


def measure(state_folder: Path, part: str) -> ThawPart:
    stack = read_stack(state_folder)
    assert stack is not None
    as_deployed = {**environment_for_local_stack(stack.region, stack.endpoint), **function_environment(LOCAL)}
    os.environ |= {**as_deployed, "AWS_REGION": stack.region, "POWERTOOLS_LOG_LEVEL": "CRITICAL"}
    import app  # noqa: F401  what a worker has loaded counts towards its memory

    measured = {"plan": plan_all, "one-file": plan_one_file, "ask": ask_for_all}[part]
    seconds, volumes = measured()
    return ThawPart(seconds, most_memory_mb(), volumes)


def plan_all() -> tuple[float, int]:
    return _plan(_request())


def plan_one_file() -> tuple[float, int]:
    first, _ = _sets()[0]
    return _plan(wire.ThawRequest((wire.ThawVolumes(first, "1234"),)))


def ask_for_all() -> tuple[float, int]:
    """What the function takes: it alone asks, and nothing of the API's part is in it."""
    from chalicelib import web, wiring
    from chalicelib.journeys.thaws.continue_thaw import continue_thaw
    from chalicelib.journeys.thaws.plan_thaw import plan_thaw
    from chalicelib.journeys.thaws.start_thaw import start_thaw

    context = _context()
    plan = plan_thaw(context, _request())
    [bulk] = [offer for offer in plan.tiers if offer.tier is wire.ThawTier.BULK]
    assert bulk.usd is not None
    start_thaw(context, plan.thaw, wire.ThawStart(wire.ThawTier.BULK, bulk.usd))
    worker = wiring.thaw_worker(web.now, lambda: True)
    began = time.perf_counter()
    after = continue_thaw(worker, MACHINE, JOB, plan.thaw)
    spent = time.perf_counter() - began
    assert after is not None
    assert after.state is wire.ThawState.THAWING, after
    return spent, after.volumes


def _request() -> wire.ThawRequest:
    return wire.ThawRequest(tuple(wire.ThawVolumes(name, f"1-{count}") for name, count in _sets()))


def _plan(request: wire.ThawRequest) -> tuple[float, int]:
    from chalicelib.journeys.thaws.plan_thaw import plan_thaw

    context = _context()
    began = time.perf_counter()
    plan = plan_thaw(context, request)
    return time.perf_counter() - began, plan.archived


def _context() -> ThawContext:
    """Of the machine's own request; the function is called here and not there."""
    from chalicelib import web, wiring
    from chalicelib.journeys.authenticate import Caller

    machine, job = (
        wiring.machine_store().machine(MACHINE),
        wiring.machine_store().jobs_named([(MACHINE, JOB)]),
    )
    assert machine is not None
    caller = Caller(machine, job[MACHINE, JOB], None)
    context = wiring.thaw_context(caller, web.now())
    return dataclasses.replace(context, ask=lambda *_: None)


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(measure(Path(sys.argv[1]), sys.argv[2]))))
