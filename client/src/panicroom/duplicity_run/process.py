"""Runs duplicity as a process of its own, relays what it reports, and says in one line how it failed."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from panicroom.duplicity_run.failures import explain
from panicroom.duplicity_run.known_files import HASH_SEED
from panicroom.duplicity_run.plan import PLAN_VARIABLE, PROOF_VARIABLE, TOKEN_VARIABLE, ChildPlan
from panicroom.exit_codes import ExitCode, Problem
from panicroom.private_files import private_folder
from panicroom.shown import shown

_LOG_BYTES = 5 * 2**20
_SECONDS_TO_END = 10.0
_SECONDS_TO_READ = 5.0

Event = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """How a duplicity process ended. ``stopped`` is set where our own code ended it on purpose."""

    exit_code: int
    stopped: Problem | None
    errors: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def starts_again(self) -> bool:
        return self.stopped is not None and self.stopped.exit_code == ExitCode.START_AGAIN

    def problem(self, log_file: Path) -> Problem | None:
        """None if all went well; else one line for a person."""
        if self.stopped is not None:
            return self.stopped
        return (
            None if self.exit_code == 0 else explain(self.exit_code, self.errors, log_file, self.environment)
        )


def run(
    plan: ChildPlan,
    arguments: list[str],
    *,
    token: str,
    passphrase: str | None,
    log_file: Path,
    on_event: Callable[[Event], None],
    lock_descriptor: int | None = None,
    lost: Callable[[], Problem | None] = lambda: None,
    on_line: Callable[[str], None] | None = None,
    note: str = "",
    proof_key: bytes | None = None,
) -> Ended:
    """Starts duplicity and waits for it. ``lost`` is asked twice a second whether it must end; ``note`` goes into
    the log; ``proof_key`` signs the set that a backup makes."""
    reading, writing = os.pipe()
    plan = replace(plan, events_descriptor=writing, lock_descriptor=lock_descriptor)
    environment = child_environment(os.environ, plan, token, passphrase, proof_key)
    if passphrase is None:  # a GnuPG key, of which gpg's agent knows all that is needed
        arguments = [arguments[0], "--use-agent", *arguments[1:]]
    with _open_log(log_file, arguments, note) as log, tempfile.TemporaryFile() as errors:
        output = subprocess.PIPE if on_line else log
        process = _start(arguments, environment, output, errors, (writing, lock_descriptor))
        os.close(writing)
        pump = _Pump(process, log, on_line) if on_line else None
        try:
            stopped = _relay(process, _events(process, reading), on_event, lost)
        finally:
            os.close(reading)
            end_group(process)
            if pump is not None:
                pump.finish()
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
            errors.seek(0)
            text = errors.read().decode(errors="replace")
            log.write(text.encode())
    lines = tuple(line for line in text.splitlines() if line.strip())
    return Ended(process.returncode, stopped, lines, environment)


def _start(
    arguments: list[str], environment: dict[str, str], output: Any, errors: Any, handed: Iterable[int | None]
) -> subprocess.Popen[bytes]:
    """``handed``: the descriptors that duplicity's process inherits."""
    return subprocess.Popen(
        [str(executable()), *arguments],
        stdin=subprocess.PIPE,  # held open: it closes when we are gone, and duplicity ends with it
        stdout=output,
        stderr=errors,
        env=environment,
        pass_fds=[descriptor for descriptor in handed if descriptor is not None],
        start_new_session=True,  # Ctrl-C comes to us alone, and the whole group can be ended
    )


def _relay(
    process: subprocess.Popen[bytes],
    events: Iterable[Event | None],
    on_event: Callable[[Event], None],
    lost: Callable[[], Problem | None],
) -> Problem | None:
    """Passes events on until there are no more; why our own code ended the process, if it did."""
    stopped: Problem | None = None
    for event in events:
        if event is None:
            if stopped is None and (stopped := lost()) is not None:
                end_group(process)
        elif event.get("event") == "stop":
            stopped = Problem(shown(str(event["message"]), 1000), ExitCode(event["exit_code"]))
        else:
            on_event(event)
    return stopped


def child_environment(
    ours: Mapping[str, str],
    plan: ChildPlan,
    token: str,
    passphrase: str | None,
    proof_key: bytes | None = None,
) -> dict[str, str]:
    """The environment of duplicity's process: the same text and bytes whatever the locale, and English messages,
    since their wording is read (failures.py)."""
    environment = {
        **ours,
        **HASH_SEED,
        PLAN_VARIABLE: plan.to_text(),
        TOKEN_VARIABLE: token,
        # gpg gets the passphrase, and the backup the names of files, in UTF-8.
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "utf-8:surrogateescape",  # names that are no text are names
        "LANGUAGE": "C",
    }
    if passphrase is not None:
        environment["PASSPHRASE"] = environment["SIGN_PASSPHRASE"] = passphrase
    if proof_key is not None:
        environment[PROOF_VARIABLE] = proof_key.hex()
    # Python's own variables could make duplicity refuse to start, or find other code than ours.
    for variable in ("PYTHONOPTIMIZE", "PYTHONPATH", "PYTHONHOME"):
        environment.pop(variable, None)
    return environment


class _Pump:
    """Passes on what duplicity prints, line by line as it comes, and writes it to the log as well."""

    def __init__(self, process: subprocess.Popen[bytes], log: Any, on_line: Callable[[str], None]) -> None:
        assert process.stdout is not None
        self._stream, self._log, self._on_line = process.stdout, log, on_line
        self._thread = threading.Thread(target=self._work, name="output", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Waits for the last lines; not for ever, as gpg's agent may hold the pipe."""
        self._thread.join(_SECONDS_TO_READ)

    def _work(self) -> None:
        for line in self._stream:
            self._log.write(line)
            self._on_line(line.decode(errors="replace").rstrip("\n"))


def executable() -> Path:
    """Our own command as a file that can be executed: duplicity may start ``sys.argv[0]`` again."""
    candidates = [Path(sys.argv[0]), Path(sys.executable).with_name("panicroom")]
    found = shutil.which("panicroom")
    if found:
        candidates.append(Path(found))
    for candidate in candidates:
        if candidate.name == "panicroom" and os.access(candidate, os.X_OK) and candidate.is_file():
            return candidate.absolute()
    raise Problem(
        "the command panicroom is not installed as a script; install it with pipx or pip", ExitCode.INTERNAL
    )


def require_gpg() -> None:
    if shutil.which("gpg") is None:
        raise Problem("gpg is missing; install it: apt install gnupg, or brew install gnupg", ExitCode.GPG)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and what it started, politely first."""
    for wave in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, wave)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_END)


def _events(process: subprocess.Popen[bytes], reading: int) -> Any:
    """Yields events as they come, and None twice a second; ends with the process.

    Not with the pipe: gpg's agent may outlive duplicity and hold it.
    """
    os.set_blocking(reading, False)
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while True:
            over = process.poll() is not None
            if selector.select(timeout=0 if over else 0.5):
                try:
                    data = os.read(reading, 65536)
                except BlockingIOError:
                    data = b""
                if not data:
                    process.wait()
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    yield json.loads(line)
            elif over:
                return
            yield None


def _open_log(path: Path, arguments: list[str], note: str) -> Any:
    private_folder(path.parent)
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    log = os.fdopen(descriptor, "ab", buffering=0)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    log.write(f"--- {now} duplicity {shlex.join(arguments)}\n".encode(errors="surrogateescape"))
    if note:
        log.write(f"--- {note}\n".encode())
    return log
