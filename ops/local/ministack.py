"""MiniStack, an emulator of AWS on a developer's machine: starting it, finding it again, ending it.

It listens on the loopback address only and stores everything in memory and in a folder of its own that
``stop`` removes. Its Lambda workers are its children and belong to its process group, so that ending the
group leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from ops import environments
from ops.errors import OpsError

HOST = "127.0.0.1"
START_SECONDS = 20.0
STOP_SECONDS = 5.0

PROGRAM = "import sys; sys.path.append(sys.argv.pop()); from ops.local.emulator.program import main; main()"
"""MiniStack with what it lacks. The path is no variable of the environment, which its functions would inherit."""


class MiniStack:
    """One MiniStack with its state in ``state_folder``.

    The running process holds a lock on ``ministack.lock``. Whoever finds the lock held knows that the process
    in ``ministack.json`` is alive and is ours: a recycled process number cannot be taken for it.
    """

    def __init__(self, state_folder: Path) -> None:
        self._lock_path = state_folder / "ministack.lock"
        self._process_path = state_folder / "ministack.json"
        self._scratch_folder = state_folder / "scratch"
        self.log_path = state_folder / "ministack.log"

    def is_running(self) -> bool:
        if not self._lock_path.exists():
            return False
        with self._lock_path.open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    @property
    def port(self) -> int:
        """The port of the running MiniStack."""
        return int(self._process()["port"])

    @property
    def enforces_iam(self) -> bool:
        return bool(self._process()["enforces_iam"])

    def start(
        self, port: int, *, enforce_iam: bool = False, environment: dict[str, str] | None = None
    ) -> None:
        """Starts MiniStack in the background and returns once it answers.

        ``environment`` adds variables, which its Lambda functions inherit. Raises ``OpsError`` where the port
        is taken or it does not come up.
        """
        _check_port_is_free(port)
        environments.make_missing([environments.MINISTACK])
        shutil.rmtree(self._scratch_folder, ignore_errors=True)
        self._scratch_folder.mkdir(parents=True)
        settings = {
            # Nothing of the person's own environment: AWS keys least of all.
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TMPDIR": str(self._scratch_folder.resolve()),
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "AUTH": "true" if enforce_iam else "false",
            **(environment or {}),
        }
        with self._lock_path.open("w") as lock, self.log_path.open("w") as log:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            process = subprocess.Popen(
                [environments.python_of(environments.MINISTACK), "-c", PROGRAM, environments.ROOT],
                env=settings,
                cwd=self._scratch_folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )
        self._process_path.write_text(
            json.dumps({"process": process.pid, "port": port, "enforces_iam": enforce_iam}) + "\n"
        )
        self._wait_until_it_answers(process, port)

    def stop(self) -> bool:
        """Ends MiniStack and its workers; false if it was not running."""
        was_running = self.is_running()
        if was_running:
            group = int(self._process()["process"])
            _signal_group(group, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while self.is_running() and time.monotonic() < deadline:
                _reap(group)
                time.sleep(0.02)
            # Also for a worker that outlived its parent.
            _signal_group(group, signal.SIGKILL)
            _reap(group)
        shutil.rmtree(self._scratch_folder, ignore_errors=True)
        self._process_path.unlink(missing_ok=True)
        return was_running

    def _process(self) -> dict[str, Any]:
        return dict(json.loads(self._process_path.read_text()))

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if answers(port):
                return
            time.sleep(0.05)
        self.stop()
        raise OpsError(
            f"The local stack did not start within {START_SECONDS:.0f} s: {self.log_path} says why."
        )


def answers(port: int) -> bool:
    """Whether something that speaks HTTP and calls itself healthy listens there."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/_ministack/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _check_port_is_free(port: int) -> None:
    with socket.socket() as probe:
        # As the server itself does: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise OpsError(
                f"Port {port} is taken by another program: name a free one, or leave out --port."
            ) from error


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _reap(process: int) -> None:
    """Reaps a child process of ours, which otherwise stays as a zombie."""
    with contextlib.suppress(ChildProcessError):  # then another process started it
        os.waitpid(process, os.WNOHANG)
