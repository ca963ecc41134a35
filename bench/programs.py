"""The programs that are measured, where they write to, and what they back up."""

from __future__ import annotations

import os
import random
import re
import time
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Cost, run
from chalicelib.owner_wire import MachineAdded
from ops.environments import LAPTOP, ROOT
from ops.local.stack_file import StackDescription
from ops.service.admin_client import local_admin_client

PROGRAMS = Path(ROOT) / LAPTOP / "bin"
MB = 2**20
SMALL_FILES_A_MB = 333
PASSPHRASE = "a passphrase for measuring"


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
    """Files of 10 MB, random bytes or text as gpg compresses well; or small files of 400 bytes to 4 KB of such text."""
    chance = random.Random(1)
    words = [chance.randbytes(4).hex().encode() for _ in range(2000)]
    source = folder / kind.replace(" ", "-")
    source.mkdir()
    if kind == "small files":
        for number in range(size_mb * SMALL_FILES_A_MB):
            path = source / f"{number // 5000:03}" / f"{number // 100:05}" / f"file-{number % 100:02}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b" ".join(chance.choices(words, k=chance.randrange(44, 455))))
        return source
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
        self.more: dict[str, str] = {}
        """Beside the environment of the place."""
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
        return run([str(part) for part in command], {**self.place.environment(self.home), **self.more})


class Client(Program):
    kind = "full"
    most_spooled = 0
    """Volumes on the disk at the same time, those being made and sent."""

    @property
    def name(self) -> str:
        return self.home.name

    def set_up(self) -> None:
        code = local_admin_client(self.place.stack).ask(MachineAdded, "machine_add", name=self.name).code
        self.panicroom("enrol", self.place.stack.api_url, code, "--source", str(self.source), "--yes")

    def panicroom(self, *arguments: str) -> Cost:
        return self.run(str(PROGRAMS / "panicroom"), *arguments)

    def back_up(self) -> Cost:
        return run(
            [str(PROGRAMS / "panicroom"), "backup", self.kind],
            {**self.place.environment(self.home), **self.more},
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
