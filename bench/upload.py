"""How fast a backup goes up and comes back: the client against duplicity's stock S3 backend, and against restic.

All of them use the same S3 server (SeaweedFS) on this machine, in turns, in one run; only ratios mean anything. The
service runs in MiniStack and signs URLs that point to that server, so its API calls are part of the client's time.
``near``: the server as it is. ``far``: behind a proxy with 30 ms each way and 5 MB/s a connection.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

from bench.budgets import Budgets
from bench.network.slow_line import slow_line
from bench.processes import Cost
from bench.programs import MB, Client, Program, Restic, Stock, UploadTarget, make_source
from ops.demo.laptop import gpg_folder
from ops.local.stack import local_stack
from tests.hostile.s3_servers import seaweedfs

SIGNER = "000000000000"
"""The access key that MiniStack gives its Lambda functions."""

SOURCE_MB = 300
DELAY_SECONDS = 0.030
BYTES_A_SECOND = 5 * MB


@dataclass(frozen=True)
class Case:
    """A line and a source; the client's time as a part of the stock backend's and of restic's, at most."""

    line: str
    kind: str
    to_stock: float
    to_restic: float | None
    rounds: int


CASES = (
    Case("near", "incompressible", 0.55, 1.0, 5),
    Case("near", "text", 0.6, None, 5),
    Case("far", "incompressible", 0.25, 0.6, 1),
)

MOST_MEMORY_MB = 150
"""Beyond duplicity's own."""

MOST_COMMAND_SECONDS = 0.5
"""Of CPU."""

USUAL_THREADS = 12
"""``upload_threads``, if nobody has set it."""


@contextmanager
def places(folder: Path) -> Iterator[dict[str, UploadTarget]]:
    """The two lines to one server, each with a service whose URLs go through it."""
    with ExitStack() as stack:
        gpg = stack.enter_context(gpg_folder())
        server = stack.enter_context(seaweedfs(folder, SIGNER, room_gb=20))
        far = stack.enter_context(slow_line(server, DELAY_SECONDS, BYTES_A_SECOND))
        s3 = boto3.client(
            "s3",
            endpoint_url=server,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        s3.create_bucket(Bucket="measured")
        found: dict[str, UploadTarget] = {}
        for name, endpoint in (("near", server), ("far", far)):
            description = stack.enter_context(
                local_stack(folder / name, environment={"AWS_ENDPOINT_URL_S3": endpoint})
            )
            if not found:
                s3.create_bucket(Bucket=description.bucket)
                s3.put_bucket_versioning(
                    Bucket=description.bucket, VersioningConfiguration={"Status": "Enabled"}
                )
            found[name] = UploadTarget(endpoint, description, folder, gpg)
        yield found


def measure_case(case: Case, place: UploadTarget, source: Path, budgets: Budgets) -> None:
    budgets.say(f"{case.line}, {SOURCE_MB} MB of {case.kind}:")
    programs: list[type[Program]] = [Stock, Client]
    if case.to_restic is not None and restic_is_here(budgets):
        programs.append(Restic)
    costs: dict[type[Program], list[Cost]] = {program: [] for program in programs}
    for last in [False] * (case.rounds - 1) + [True]:
        made = {program: program(place, source) for program in programs}
        for program, one in made.items():
            costs[program].append(one.back_up())
        client = made[Client]
        assert isinstance(client, Client)
        if last:
            _client_alone(client, costs, budgets)
            if case.kind == "incompressible":
                _restore(made[Stock], client, budgets)
        for one in made.values():
            shutil.rmtree(one.home)

    def pairs(other: type[Program]) -> list[tuple[Cost, Cost]]:
        return list(zip(costs[Client], costs[other], strict=True))

    what = f"{case.line} {case.kind}: client to"
    budgets.compare(f"{what} stock backend", pairs(Stock), case.to_stock)
    if Restic in costs and case.to_restic is not None:
        budgets.compare(f"{what} restic", pairs(Restic), case.to_restic)


def restic_is_here(budgets: Budgets) -> bool:
    if shutil.which("restic"):
        return True
    budgets.say("  not compared with restic, as it is not installed: apt install restic")
    return False


def _client_alone(client: Client, costs: dict[type[Program], list[Cost]], budgets: Budgets) -> None:
    more = max(cost.peak_mb for cost in costs[Client]) - max(cost.peak_mb for cost in costs[Stock])
    budgets.check("memory beyond duplicity's own", more, MOST_MEMORY_MB, " MB")
    budgets.check("volumes on the disk at once", client.most_spooled, USUAL_THREADS + 2)
    volumes, requests = client.requests()
    # The signatures, the manifest and the jsonstat ask for themselves.
    budgets.check(f"requests for uploads, of {volumes} volumes", (requests - 3) / volumes, 1.0, " a volume")


def _restore(stock: Program, client: Program, budgets: Budgets) -> None:
    theirs, ours = stock.restore(), client.restore()
    budgets.say(f"  restore: stock {theirs}, client {ours}: {ours.seconds / theirs.seconds:.2f} of its time")


def main(say: Callable[[str], None]) -> list[str]:
    """Says seconds and ratios; the budgets that were missed."""
    budgets = Budgets(say)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        sources = {kind: make_source(folder, kind, SOURCE_MB) for kind in ("incompressible", "text")}
        with places(folder) as found:
            for case in CASES:
                measure_case(case, found[case.line], sources[case.kind], budgets)
    return budgets.missed


def commands(say: Callable[[str], None]) -> list[str]:
    """Commands that somebody waits for."""
    budgets = Budgets(say)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        source = make_source(folder, "text", 10)
        with places(folder) as found:
            client = Client(found["near"], source)
            for command in ("--help", "status"):
                seconds = min(client.panicroom(command).cpu_seconds for _ in range(5))
                budgets.check(f"panicroom {command}", seconds, MOST_COMMAND_SECONDS, " s of CPU")
    return budgets.missed
