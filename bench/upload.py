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

from bench import speed_ups
from bench.processes import Cost
from bench.programs import MB, Client, Program, Restic, Stock, UploadTarget, make_source
from bench.slow_line import slow_line
from ops.demo.laptop import gpg_folder
from ops.local.stack import local_stack
from tests.hostile.s3_servers import seaweedfs

SIGNER = "000000000000"
"""The access key that MiniStack gives its Lambda functions."""

DELAY_SECONDS = 0.030
BYTES_A_SECOND = 5 * MB


@dataclass(frozen=True)
class Case:
    """A line and a source; ``budget`` is the client's time as a part of the stock backend's."""

    line: str
    kind: str
    budget: float
    rounds: int
    """The shortest time of so many counts: what else runs on the machine only ever makes one longer."""


CASES = (
    Case("near", "incompressible", 0.55, 3),
    Case("near", "text", 1.0, 3),
    Case("far", "incompressible", 0.25, 1),
)
SLOWER_THAN_RESTIC = 1.0
"""On the far line the client must not take longer than restic."""

SMALL_FILES_FULL, SMALL_FILES_UNCHANGED = 2.0, 0.7
"""The client's time as a part of restic's, near."""

NOTHING_TO_DO_SECONDS = 2.0

MOST_MEMORY_MB = 150
"""Beyond duplicity's own."""

MOST_COMMAND_SECONDS = 0.5
"""Of CPU, for a command that somebody waits for."""

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


class Bench:
    """Measures, says what it finds, and remembers whether every budget was kept."""

    def __init__(self, size_mb: int, say: Callable[[str], None]) -> None:
        self._size_mb, self._say = size_mb, say
        self.missed: list[str] = []

    def budget(self, what: str, value: float, most: float, unit: str = "") -> None:
        kept = value <= most
        if not kept:
            self.missed.append(what)
        self._say(f"  {what}: {value:.2f}{unit} (at most {most:g}{unit}) {'ok' if kept else 'MISSED'}")

    def case(self, case: Case, place: UploadTarget, source: Path) -> None:
        self._say(f"{case.line}, {self._size_mb} MB of {case.kind}:")
        programs: list[type[Program]] = [Stock, Client]
        if case.kind == "incompressible" and shutil.which("restic"):
            programs.append(Restic)
        costs: dict[type[Program], list[Cost]] = {program: [] for program in programs}
        for last in [False] * (case.rounds - 1) + [True]:
            made = {program: program(place, source) for program in programs}
            for program, one in made.items():
                costs[program].append(one.back_up())
            client = made[Client]
            assert isinstance(client, Client)
            if last:
                self._client_alone(client, costs)
                if case.kind == "incompressible":
                    self._restore(case, made[Stock], client)
            for one in made.values():
                shutil.rmtree(one.home)
        for program, found in costs.items():
            times = ", ".join(str(cost) for cost in found)
            self._say(f"  {program.__name__.lower()}: {times}")
        best = {program: min(cost.seconds for cost in found) for program, found in costs.items()}
        self.budget(
            f"{case.line} {case.kind}: client to stock backend", best[Client] / best[Stock], case.budget
        )
        if Restic in best and case.line == "far":
            self.budget("far: client to restic", best[Client] / best[Restic], SLOWER_THAN_RESTIC)

    def _client_alone(self, client: Client, costs: dict[type[Program], list[Cost]]) -> None:
        more = max(cost.peak_mb for cost in costs[Client]) - max(cost.peak_mb for cost in costs[Stock])
        self.budget("memory beyond duplicity's own", more, MOST_MEMORY_MB, " MB")
        self.budget("volumes on the disk at once", client.most_spooled, USUAL_THREADS + 2)
        volumes, requests = client.requests()
        # The signatures, the manifest and the jsonstat ask for themselves.
        self.budget(f"requests for uploads, of {volumes} volumes", (requests - 3) / volumes, 1.0, " a volume")

    def _restore(self, case: Case, stock: Program, client: Program) -> None:
        theirs, ours = stock.restore(), client.restore()
        self._say(
            f"  restore: stock {theirs}, client {ours}: {ours.seconds / theirs.seconds:.2f} of its time"
        )

    def small_files(self, place: UploadTarget, source: Path) -> None:
        """A full backup, and one where nothing has changed: where restic is at its best."""
        self._say(f"near, {sum(1 for _ in source.rglob('file-*'))} small files:")
        if not shutil.which("restic"):
            self._say("  not measured, as restic is not installed: apt install restic")
            return
        client, restic = Client(place, source), Restic(place, source)
        for what, most in (("full", SMALL_FILES_FULL), ("nothing changed", SMALL_FILES_UNCHANGED)):
            ours, theirs = client.back_up(), restic.back_up()
            self._say(f"  {what}: client {ours}, restic {theirs}")
            self.budget(f"small files, {what}: client to restic", ours.seconds / theirs.seconds, most)
            client.kind = "incremental"

    def nothing_to_do(self, place: UploadTarget, source: Path) -> None:
        client = Client(place, source)
        client.back_up()
        client.kind = "incremental"
        seconds = min(client.back_up().seconds for _ in range(3))
        self.budget("backup of 10,000 files with nothing to do", seconds, NOTHING_TO_DO_SECONDS, " s")

    def speed_up(self, speed_up: speed_ups.SpeedUp, place: UploadTarget, source: Path) -> None:
        """With and without it, in turns."""
        ratio = speed_up.measure(place, source)
        self.budget(f"{speed_up.name}: {speed_up.unit} with it to those without", ratio, speed_up.budget)

    def commands(self, place: UploadTarget, source: Path) -> None:
        client = Client(place, source)
        for arguments in (["--help"], ["status"]):
            cost = min((client.panicroom(*arguments) for _ in range(3)), key=lambda cost: cost.cpu_seconds)
            self.budget(f"panicroom {arguments[0]}", cost.cpu_seconds, MOST_COMMAND_SECONDS, " s of CPU")


def main(size_mb: int = 300, say: Callable[[str], None] = print) -> list[str]:
    """Says seconds and ratios; the budgets that were missed."""
    bench = Bench(size_mb, say)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        sources = {kind: make_source(folder, kind, size_mb) for kind in ("incompressible", "text")}
        with places(folder) as found:
            bench.commands(found["near"], sources["text"])
            for case in CASES:
                bench.case(case, found[case.line], sources[case.kind])
            sources["small files"] = make_source(folder, "small files", size_mb // 10)
            bench.nothing_to_do(found["near"], sources["small files"])
            (folder / "many").mkdir()
            bench.small_files(found["near"], make_source(folder / "many", "small files", size_mb))
            for speed_up in speed_ups.SPEED_UPS:
                bench.speed_up(speed_up, found[speed_up.line], sources[speed_up.kind])
    return bench.missed
