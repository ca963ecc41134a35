"""How fast a backup goes up and comes back: the client against duplicity's stock S3 backend, and against restic.

All of them use the same S3 server (SeaweedFS) on this machine, in turns, in one run; only ratios mean anything. The
service runs in MiniStack and signs URLs that point to that server, so its API calls are part of the client's time.
``near``: the server as it is. ``far``: behind a proxy with 30 ms each way and 5 MB/s a connection.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

from bench.processes import Cost, run
from bench.slow_line import slow_line
from ops.demo.laptop import gpg_folder
from ops.environments import LAPTOP, ROOT
from ops.local.stack import local_stack
from ops.local.stack_file import StackDescription
from ops.service.admin_client import local_admin_client
from tests.hostile.s3_servers import seaweedfs

PROGRAMS = Path(ROOT) / LAPTOP / "bin"
MB = 2**20
PASSPHRASE = "a passphrase for measuring"
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

MOST_MEMORY_MB = 150
"""Beyond duplicity's own."""

MOST_COMMAND_SECONDS = 0.5
"""Of CPU, for a command that somebody waits for."""

USUAL_THREADS = 12
"""``upload_threads``, if nobody has set it."""


@dataclass(frozen=True)
class UploadTarget:
    """Where the measured programs write to, and what they share."""

    endpoint: str
    stack: StackDescription
    folder: Path
    gpg: Path

    def environment(self, home: Path) -> dict[str, str]:
        return {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": str(home),
            "GNUPGHOME": str(self.gpg),
            "LANG": "C.UTF-8",
            "PASSPHRASE": PASSPHRASE,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "RESTIC_PASSWORD": PASSPHRASE,
            "PANICROOM_KEYRING": "file",
            "PANICROOM_CONFIG_DIR": str(home / "config"),
            "PANICROOM_STATE_DIR": str(home / "state"),
            "PANICROOM_CACHE_DIR": str(home / "cache"),
        }


def make_source(folder: Path, kind: str, size_mb: int) -> Path:
    """Files of 10 MB: random bytes, or text as gpg compresses well."""
    chance = random.Random(1)
    words = [chance.randbytes(4).hex().encode() for _ in range(2000)]
    source = folder / kind
    source.mkdir()
    for number in range(size_mb // 10):
        content = (
            chance.randbytes(10 * MB)
            if kind == "incompressible"
            else b" ".join(chance.choices(words, k=10 * MB // 9))
        )
        (source / f"file-{number:03}").write_bytes(content)
    return source


class Program:
    """Something that backs a source up and restores it, in a home of its own."""

    def __init__(self, place: UploadTarget, source: Path) -> None:
        self.place, self.source = place, source
        self.home = place.folder / f"{type(self).__name__.lower()}-{time.time_ns()}"
        self.home.mkdir()
        self.set_up()

    def set_up(self) -> None:
        """What is not measured."""

    def back_up(self) -> Cost:
        raise NotImplementedError

    def restore(self) -> Cost:
        raise NotImplementedError

    def run(self, *command: str) -> Cost:
        return run([str(part) for part in command], self.place.environment(self.home))


class Client(Program):
    most_spooled = 0
    """Volumes on the disk at the same time, those being made and sent."""

    @property
    def name(self) -> str:
        return self.home.name

    def set_up(self) -> None:
        code = local_admin_client(self.place.stack).call("machine_add", name=self.name)["code"]
        self.panicroom("enrol", self.place.stack.api_url, code, "--source", str(self.source), "--yes")

    def panicroom(self, *arguments: str) -> Cost:
        return self.run(str(PROGRAMS / "panicroom"), *arguments)

    def back_up(self) -> Cost:
        return run(
            [str(PROGRAMS / "panicroom"), "backup", "full"],
            self.place.environment(self.home),
            watch=self._count_spooled,
        )

    def restore(self) -> Cost:
        return self.panicroom("restore", "--to", str(self.home / "restored"))

    def _count_spooled(self) -> None:
        work = self.home / "cache" / "work" / f"{self.name}.system"
        volumes = set()
        for path in (*work.glob("spool/*"), *work.glob("tmp/*/*")):
            try:
                status = path.stat()
            except OSError:
                continue
            if status.st_size > MB // 4:  # a spare gpg has an empty one
                volumes.add(status.st_ino)
        self.most_spooled = max(self.most_spooled, len(volumes))

    def requests(self) -> tuple[int, int]:
        """Volumes sent, and how many requests for uploads it took; the three files of metadata count."""
        log = (self.home / "state" / "panicroom.log").read_text(errors="replace")
        told = re.findall(r"(\d+) volumes by \d+ threads, (\d+) requests", log)
        return int(told[-1][0]), int(told[-1][1])


class Stock(Program):
    def set_up(self) -> None:
        self.options = [
            "--archive-dir", str(self.home / "cache"),
            "--file-prefix-archive=data_", "--file-prefix-manifest=meta_", "--file-prefix-signature=meta_",
            "--s3-endpoint-url", self.place.endpoint, "--s3-region-name", "us-east-1",
        ]  # fmt: skip
        self.url = f"boto3+s3://measured/{self.home.name}"

    def back_up(self) -> Cost:
        return self.run(
            str(PROGRAMS / "duplicity"), "full", "--volsize", "25", *self.options, str(self.source), self.url
        )

    def restore(self) -> Cost:
        to = str(self.home / "restored")
        return self.run(str(PROGRAMS / "duplicity"), "restore", *self.options, self.url, to)


class Restic(Program):
    def set_up(self) -> None:
        repository = f"s3:{self.place.endpoint}/measured/{self.home.name}"
        self.options = ["-r", repository, "--cache-dir", str(self.home / "cache")]
        self.run("restic", *self.options, "init")

    def back_up(self) -> Cost:
        return self.run("restic", *self.options, "backup", str(self.source))


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
    return bench.missed
