"""``ops status`` for 1,000 machines with two jobs each and a million volumes: what the function takes, and the command.

The function reads rows that are generated behind boto3's own client. Its answer is then given by a server on loopback
to the command itself, in a process of its own, which counts what it is called for.

    python -m bench.fleet.status 1000 1000000        one size: what the function takes, as JSON
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench.budgets import Budgets
from bench.growth import most_memory_mb
from bench.processes import Cost, run

MACHINES = 1000
JOBS_A_MACHINE = ("system", "home")
VOLUMES = 1_000_000
MOST_CPU_SECONDS = 2
MOST_CALLS = 3
TRIES = 3
"""What else the machine does only adds to what one takes."""
MOST_ANSWER_MB = 6
"""Lambda's own limit."""


@dataclasses.dataclass(frozen=True)
class FunctionCost:
    """``requests`` to DynamoDB, which answered with ``read_mb``; ``answer`` is what the function answers."""

    cpu_seconds: float
    memory_mb: float
    requests: int
    read_mb: float
    answer: dict[str, Any]


def measure(say: Callable[[str], None]) -> list[str]:
    """Answers with the budgets that were missed."""
    budgets = Budgets(say)
    few, many = (_in_a_process(MACHINES, volumes) for volumes in (VOLUMES // 10, VOLUMES))
    body = json.dumps(many.answer).encode()
    say(f"status of {MACHINES:,} machines, {VOLUMES:,} volumes: the function")
    say(f"  {many.cpu_seconds:.2f} s of CPU, {many.memory_mb:.0f} MB, {many.requests} requests to the table")
    budgets.check(
        "what it reads, of what it reads at a tenth of the volumes", many.read_mb / few.read_mb, 1.01
    )
    budgets.check("requests, of those at a tenth of the volumes", many.requests / few.requests, 1)
    budgets.check("the function's answer", len(body) / 2**20, MOST_ANSWER_MB, " MB")
    with answering(body) as service:
        for words in ([], ["--json"], ["--prometheus"]):
            service.calls = 0
            costs = [type_status(service, *words).cpu_seconds for _ in range(TRIES)]
            name = " ".join(["ops status", *words])
            budgets.check(f"{name}: the command's CPU", min(costs), MOST_CPU_SECONDS, " s")
            budgets.check(f"{name}: its calls", service.calls / TRIES, MOST_CALLS)
    return budgets.missed


def _in_a_process(machines: int, volumes: int) -> FunctionCost:
    command = [sys.executable, "-m", "bench.fleet.status", str(machines), str(volumes)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return FunctionCost(**json.loads(answer))


def ask_function(machines: int, volumes: int) -> FunctionCost:
    from bench.generated.reports import GeneratedReports
    from bench.report import INCREMENTS, NOW, report_context
    from chalicelib.journeys.admin.administer import READS, administer

    generated = GeneratedReports(machines, JOBS_A_MACHINE, volumes, INCREMENTS, NOW)
    report = report_context(generated.client())
    context: Any = types.SimpleNamespace(**vars(report), report=report)
    generated.generating_seconds = 0.0
    began = time.process_time()
    answer = administer(context, {"command": "status"}, READS)
    spent = time.process_time() - began - generated.generating_seconds
    read_mb = generated.answered_bytes / 2**20
    return FunctionCost(spent, most_memory_mb(), generated.requests, read_mb, answer)


# ---------------------------------------------------------------- the command


class AnsweringService(ThreadingHTTPServer):
    """In the place of Lambda: gives the same answer to every call, and counts them."""

    def __init__(self, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _GivesTheAnswer)
        self.body = body
        self.calls = 0

    def environment(self) -> dict[str, str]:
        """Of a command that is to call it, with keys that are no secret."""
        keys = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }
        return {**os.environ, **keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_port}"}


class _GivesTheAnswer(BaseHTTPRequestHandler):
    server: AnsweringService

    def do_POST(self) -> None:
        self.server.calls += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Nothing is said of each call."""


@contextmanager
def answering(body: bytes) -> Iterator[AnsweringService]:
    with AnsweringService(body) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()


def type_status(service: AnsweringService, *words: str) -> Cost:
    """``python -m ops status`` against it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ops", "status", "--stage", "home", "--state", folder, *words]
        return run(["sh", "-c", '"$@" || test $? -le 2', "sh", *command], service.environment())


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(ask_function(int(sys.argv[1]), int(sys.argv[2])))))
