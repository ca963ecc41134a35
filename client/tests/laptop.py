"""A laptop under test: the real command, real duplicity and gpg, folders of its own, and a fake service."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import loaded_command
from fake_service import CODE, FakeService

from ops.demo.laptop import laptop_environment

PASSPHRASE = "correct horse battery staple"
COMMAND = Path(sys.executable).with_name("panicroom")
_MOST_SECONDS = 120


def next_second() -> None:
    """Waits for it: duplicity's sets are named by whole seconds, and it compares files' times in those."""
    time.sleep(1 - time.time() % 1 + 0.02)  # the kernel's clock for files may be some milliseconds behind


def descendants(pid: int) -> list[int]:
    """The processes that ``pid`` has started, and theirs."""
    found = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


@dataclass
class Laptop:
    """Runs ``panicroom`` as a person would; ``source`` is what it backs up."""

    home: Path
    gnupg: Path
    service: FakeService
    command: Path = COMMAND
    folder: Path | None = None
    """Where its commands are typed."""

    @property
    def source(self) -> Path:
        return self.home / "source"

    @property
    def archive(self) -> Path:
        """duplicity's folder of signatures and manifests."""
        return self.home / "cache" / "archive" / "laptop.system"

    @property
    def secrets(self) -> dict[str, str]:
        """What is in the private file of secrets, by name."""
        found: dict[str, str] = json.loads((self.home / "config" / "secrets.json").read_text())
        return found

    def environment(self, **more: str) -> dict[str, str]:
        usual = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL") if key in os.environ}
        return {
            **usual,
            **laptop_environment(self.home, self.gnupg),
            "TZ": "UTC",
            **more,
        }

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.command), *arguments],
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=self.folder,
            # A shell that runs the tests in the background has them ignore Ctrl-C, and so would the client.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        began_at = time.time()
        ended = self._run(arguments, more)
        self._record(arguments, began_at, ended)
        return ended

    def _run(self, arguments: tuple[str, ...], more: dict[str, str]) -> subprocess.CompletedProcess[str]:
        if self.command == COMMAND and loaded_command.fits(more):
            words = [str(self.command), *arguments]
            return loaded_command.run(words, self.environment(**more), self.folder, _MOST_SECONDS)
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=_MOST_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def _record(
        self, arguments: tuple[str, ...], began_at: float, ended: subprocess.CompletedProcess[str]
    ) -> None:
        """Appends to ``story.log``, for whoever has to explain a failure."""
        took = f"{began_at:.6f} to {time.time():.6f}"
        text = f"--- {took}: panicroom {arguments}: {ended.returncode}\n{ended.stdout}{ended.stderr}\n"
        with (self.home / "story.log").open("a", errors="surrogateescape") as file:
            file.write(text)

    def keep(self, archive: Path) -> None:
        """Packs all that a failed story has left: bucket, cache, source, logs and gpg's keys."""
        bucket = self.home / "bucket"
        for key, stored in self.service.objects.items():
            path = bucket / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stored.data)
        (self.home / "runs.json").write_text(json.dumps(self.service.runs, indent=1))
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(self.home, "laptop")
            packed.add(self.gnupg, "gnupg")

    def succeed(self, *arguments: str, **more: str) -> str:
        ended = self.run(*arguments, **more)
        log = self.home / "state" / "panicroom.log"
        assert ended.returncode == 0, f"{arguments}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}\n" + (
            log.read_text(errors="replace")[-5000:] if log.exists() else ""
        )
        return ended.stdout

    def enrol(self) -> None:
        """Enrolled as by the command, which is typed for the first laptop of a run; later ones get its files."""
        if _enrolled:
            _enrolled[0].write(self)
            return
        self.enrol_by_command()
        _enrolled.append(Enrolled.of(self))

    def enrol_by_command(self) -> None:
        self.succeed(
            "enrol", self.service.url, CODE, "--source", str(self.source), "--yes", PASSPHRASE=PASSPHRASE
        )
        settings = self.home / "config" / "panicroom.toml"
        # The smallest volumes there are, so that small trees have many.
        settings.write_text(settings.read_text().replace("volume_mb = 25", "volume_mb = 1"))

    def take_over(self, other: Laptop) -> None:
        """From now on this new laptop and its service have what ``other`` and its service have.

        The files of the source are copies: each has a change time of now, so the next backup reads it again.
        """
        self.service.take_over(other.service)
        shutil.copytree(other.home, self.home, symlinks=True, dirs_exist_ok=True)
        # The cache has the folder's name too; there the client checks every byte, and the name means nothing.
        for path in [*(self.home / "config").iterdir(), *(self.home / "state").rglob("*.json*")]:
            text = path.read_text().replace(other.service.url, self.service.url)
            path.write_text(text.replace(str(other.home), str(self.home)))

    def restore(self, time: str | None = None) -> Path:
        """Restores into a folder of its own."""
        to = self.home / "restored" / (time or "newest")
        if to.exists():
            shutil.rmtree(to)
        self.succeed("restore", "--to", str(to), *(["--time", time] if time else []))
        return to


@contextmanager
def laptop_in(home: Path, gnupg: Path) -> Iterator[Laptop]:
    """A laptop with an empty source, and a service of its own."""
    (home / "source").mkdir()
    laptop = Laptop(home, gnupg, FakeService())
    try:
        yield laptop
    finally:
        laptop.service.close()


@dataclass(frozen=True)
class Enrolled:
    """What the enrolment of a laptop has left, to give to another one."""

    url: str
    source: Path
    files: dict[str, str]
    secret_sha256: str | None

    @staticmethod
    def of(laptop: Laptop) -> Enrolled:
        folder = laptop.home / "config"
        files = {path.name: path.read_text() for path in folder.iterdir()}
        return Enrolled(laptop.service.url, laptop.source, files, laptop.service.secret_sha256)

    def write(self, laptop: Laptop) -> None:
        folder = laptop.home / "config"
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, text in self.files.items():
            path = folder / name
            path.touch(0o600)
            path.write_text(
                text.replace(self.url, laptop.service.url).replace(str(self.source), str(laptop.source))
            )
        laptop.service.secret_sha256 = self.secret_sha256


def preloaded(folder: Path, code: str) -> dict[str, str]:
    """Variables with which a program calls the functions of ``code``, in C, instead of the system's. Raises
    ``CalledProcessError`` where it cannot be compiled."""
    source, library = folder / "preloaded.c", folder / "preloaded.so"
    source.write_text(code)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, capture_output=True)
    return {"LD_PRELOAD": str(library)}


_enrolled: list[Enrolled] = []
