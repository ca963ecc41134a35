"""The lease of a run: taken, kept alive, given back. A lost one ends the run."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from panicroom.api import Api, ApiError
from panicroom.backup.preconditions.clock import check_clock
from panicroom.exit_codes import ExitCode, Problem
from panicroom.private_files import write_private
from panicroom.wire import ErrorCode, RunStart, RunStarted, RunUpdate, new_run_id

_HEARTBEAT_SECONDS = 300.0
_SHORTEST_HEARTBEAT_SECONDS = 15.0


@contextlib.contextmanager
def job_lock(folder: Path) -> Iterator[int]:
    """Holds the job on this machine; yields the descriptor, which duplicity's process inherits, so that a
    client that died does not free the job while its duplicity still lives."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(
                "a backup of this job is running on this machine already", ExitCode.TRY_LATER
            ) from None
        yield descriptor
    finally:
        os.close(descriptor)


class HeldLease:
    """A run that has begun. ``lost`` tells the Problem that must end it, once there is one."""

    def __init__(self, api: Api, job: str, run: str, remembered: Path, heartbeat_seconds: float) -> None:
        self.run = run
        self._api, self._job = api, job
        self._remembered = remembered
        self._lost: Problem | None = None
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, args=(heartbeat_seconds,), daemon=True)
        self._heart.start()

    @staticmethod
    def start(api: Api, job: str, folder: Path, request: RunStart) -> HeldLease:
        """Takes the lease, at once where the run before was ours and ended without saying so.

        The id of the run is on disk before it is asked for: if the answer is lost, however this process ends,
        the next one asks for the very same run and so gets what was given already.
        """
        path = folder / "run.json"
        run = _asked_before(path) or _new_run(_begun_run(path))
        try:
            started = _ask(api, job, path, request, run)
        except ApiError as failure:
            if failure.code != ErrorCode.UNKNOWN_RUN:
                raise
            # It is over already, which only a copy of this folder on another disk can have caused.
            started = _ask(api, job, path, request, _new_run(run.resumes))
        check_clock(started.server_time)
        _remember(path, RememberedRun(started.run))
        return HeldLease(api, job, started.run, path, heartbeat_seconds(started.lease_seconds))

    def lost(self) -> Problem | None:
        return self._lost

    def finish(self, update: RunUpdate) -> None:
        """Tells how it ended and gives the lease back. Best effort: the next run takes over by its id."""
        self._over.set()
        try:
            self._api.update_run(self._job, self.run, update)
        except ApiError:
            return
        self._remembered.unlink(missing_ok=True)

    def _beat(self, seconds: float) -> None:
        while not self._over.wait(seconds):
            try:
                self._api.update_run(self._job, self.run, RunUpdate())
            except ApiError as failure:
                if failure.code in (ErrorCode.LEASE_LOST, ErrorCode.UNKNOWN_RUN):
                    self._lost = failure.as_problem()
                    return


def heartbeat_seconds(lease_seconds: int) -> float:
    """How often a lease is renewed: four times, and neither all the time nor too seldom for one that is shortened."""
    return max(_SHORTEST_HEARTBEAT_SECONDS, min(_HEARTBEAT_SECONDS, lease_seconds / 4))


@dataclasses.dataclass(frozen=True)
class RememberedRun:
    """``run.json``: a run that has begun, or (``asked``) one whose lease may or may not have been given.

    ``resumes`` is the run before, which that one would take over from.
    """

    run: str
    asked: bool = False
    resumes: str | None = None


def _new_run(resumes: str | None) -> RememberedRun:
    return RememberedRun(new_run_id(datetime.now(timezone.utc), secrets.token_bytes(8)), True, resumes)


def _ask(api: Api, job: str, path: Path, request: RunStart, run: RememberedRun) -> RunStarted:
    _remember(path, run)
    return api.start_run(job, dataclasses.replace(request, run=run.run, resumes=run.resumes))


def _remember(path: Path, run: RememberedRun) -> None:
    write_private(path, json.dumps(dataclasses.asdict(run)) + "\n")


def _recall(path: Path) -> RememberedRun | None:
    try:
        return RememberedRun(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _asked_before(path: Path) -> RememberedRun | None:
    run = _recall(path)
    return run if run and run.asked else None


def _begun_run(path: Path) -> str | None:
    """The run of this client that has not ended properly, if there is one."""
    run = _recall(path)
    return run.run if run else None
