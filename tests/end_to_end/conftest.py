"""Real parts from end to end: the packaged service in MiniStack, the installed client, real duplicity and gpg."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ops.aws import Aws
from ops.demo.compare_trees import Tree, record_tree
from ops.demo.laptop import gpg_folder, laptop_environment
from ops.environments import LAPTOP, ROOT
from ops.local.stack import LocalStack
from ops.local.stack_file import StackDescription
from ops.service.admin_client import AdminClient, local_admin_client

PROGRAMS = Path(ROOT) / LAPTOP / "bin"
PASSPHRASE = "correct horse battery staple"
KILL_SECONDS = 60


@dataclass
class Ended:
    """How a command ended: ``said`` is standard error and output together."""

    code: int
    output: str
    error: str

    @property
    def said(self) -> str:
        return self.error + self.output


@dataclass
class Machine:
    """A laptop with the installed client, folders of its own, and nothing of this process's environment."""

    name: str
    folder: Path
    gpg: Path
    passphrase: str = PASSPHRASE
    programs: Path = PROGRAMS
    """Where the client is installed."""
    longest_seconds: int = 180
    """Of a command; then it hangs."""
    snapshots: dict[str, Tree] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def settings(self) -> Path:
        return self.folder / "config" / "panicroom.toml"

    def environment(self) -> dict[str, str]:
        return {
            **laptop_environment(self.folder, self.gpg),
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "PASSPHRASE": self.passphrase,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.programs / "panicroom"), *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def run(self, *arguments: str) -> Ended:
        process = self.start(*arguments)
        output, error = process.communicate(timeout=self.longest_seconds)
        return Ended(process.returncode, output, error)

    def do(self, *arguments: str) -> Ended:
        ended = self.run(*arguments)
        assert ended.code == 0, ended.said
        return ended

    def run_and_kill(self, when: Callable[[], bool], *arguments: str) -> None:
        """SIGKILL to the whole group as soon as ``when`` holds."""
        process = self.start(*arguments)
        give_up_at = time.monotonic() + KILL_SECONDS
        while not when():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < give_up_at
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def set(self, name: str, value: int) -> None:
        """Changes a number in the settings file, as a person would."""
        text, changed = re.subn(rf"(?m)^{name} = \d+$", f"{name} = {value}", self.settings.read_text())
        assert changed == 1
        self.settings.write_text(text)

    def remember(self, moment: str) -> None:
        self.snapshots[moment] = record_tree(self.source)


@dataclass
class Service:
    """The running service, and a look behind it with the owner's rights."""

    stack: StackDescription
    admin: AdminClient
    s3: Any
    laptops: Path
    gpg: Path
    state_folder: Path | None = None
    """The local stack's, for the owner's commands."""

    def machine(
        self, name: str, *, programs: Path = PROGRAMS, passphrase: str = PASSPHRASE, **arguments: object
    ) -> Machine:
        """A machine that is enrolled, with small volumes; its source is an empty folder."""
        machine = Machine(name, self.laptops / name, self.gpg, passphrase, programs)
        machine.source.mkdir(parents=True)
        code = self.admin.call("machine_add", name=name, **arguments)["code"]
        machine.do("enrol", self.stack.api_url, code, "--source", str(machine.source), "--yes")
        machine.set("volume_mb", 1)
        return machine

    def keys(self, prefix: str) -> dict[str, int]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.stack.bucket, Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def sets(self, machine: str) -> list[dict[str, Any]]:
        (job,) = self.admin.call("machine_show", name=machine)["jobs"]
        sets: list[dict[str, Any]] = job["sets"]
        return sets

    def plain_duplicity(self, folder: Path, *words: str) -> None:
        """duplicity's own S3 backend with AWS keys, as somebody runs it who does not have this service."""
        ended = subprocess.run(
            [
                str(PROGRAMS / "duplicity"),
                *words[:1],
                *("--archive-dir", str(folder / "duplicity-cache")),
                *("--s3-endpoint-url", self.stack.endpoint, "--s3-region-name", self.stack.region),
                *("--file-prefix-archive=data_", "--file-prefix-manifest=meta_"),
                "--file-prefix-signature=meta_",
                *words[1:],
            ],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "GNUPGHOME": str(self.gpg),
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "PASSPHRASE": PASSPHRASE,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def wait_for_sets(self, machine: str, count: int) -> list[dict[str, Any]]:
        """Waits until the catalogue says that so many sets are complete."""
        found: list[dict[str, Any]] = self.wait(
            lambda: [one for one in self.sets(machine) if one["complete"]],
            lambda complete: len(complete) >= count,
        )
        return found

    def wait(self, look: Callable[[], Any], enough: Callable[[Any], bool], seconds: float = 60) -> Any:
        give_up_at = time.monotonic() + seconds
        while not enough(seen := look()):
            assert time.monotonic() < give_up_at, seen
            time.sleep(0.2)
        return seen


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory) as service:
        yield service


@contextmanager
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of one's own."""
    stack = LocalStack(tmp_path_factory.mktemp("stack"))
    try:
        description = stack.up()
        s3 = Aws(description.region, description.endpoint).client("s3")
        admin = local_admin_client(description)
        with gpg_folder(is_quick=True) as gpg:
            yield Service(description, admin, s3, tmp_path_factory.mktemp("laptops"), gpg, stack.state_folder)
    finally:
        stack.down()
