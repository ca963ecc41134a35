"""Commands of the user's before and after a backup, and the calls of a monitor (``[hooks]`` in the settings)."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import httpx

from panicroom.exit_codes import ExitCode, Problem
from panicroom.network import http_client
from panicroom.settings import Hooks
from panicroom.shown import shown

_HOOK_SECONDS = 4 * 3600.0
"""The longest that a command may take: a dump of a large database does, one that waits for a password does not."""

_PING_SECONDS = 10.0
_OURS = ("PASSPHRASE", "SIGN_PASSPHRASE", "NEW_PASSPHRASE", "PROOF_KEY", "PANICROOM_TOKEN")


@contextlib.contextmanager
def around(hooks: Hooks, job: str, report: Callable[[str], None]) -> Iterator[None]:
    """Runs ``before``, then what is in the ``with``, then ``after`` or ``failed``; pings at each end.

    A ``before`` that fails raises a Problem: no backup is made. A failure of the others, or of a ping, is reported
    and changes nothing.
    """
    _ping(hooks, "/start", report)
    try:
        _before(hooks, job)
        yield
    except BaseException as error:
        code = error.exit_code if isinstance(error, Problem) else ExitCode.INTERRUPTED
        _after(hooks.failed, "failed", job, int(code), report)
        _ping(hooks, f"/{int(code)}", report)
        raise
    _after(hooks.after, "after", job, 0, report)
    _ping(hooks, "", report)


def ping_well(hooks: Hooks, report: Callable[[str], None]) -> None:
    """Tells the monitor of a command that had nothing to back up."""
    _ping(hooks, "", report)


def _before(hooks: Hooks, job: str) -> None:
    if hooks.before is None:
        return
    fault = run_command(hooks.before, {"PANICROOM_JOB": job})
    if fault is not None:
        raise Problem(f"the command before the backup failed: {fault}; nothing was backed up", ExitCode.HOOK)


def _after(command: str | None, name: str, job: str, code: int, report: Callable[[str], None]) -> None:
    if command is None:
        return
    fault = run_command(command, {"PANICROOM_JOB": job, "PANICROOM_EXIT_CODE": str(code)})
    if fault is not None:
        report(f"{job}: the command [hooks] {name} failed: {fault}")


def run_command(command: str, more: dict[str, str], seconds: float = _HOOK_SECONDS) -> str | None:
    """Runs it with /bin/sh; why it failed, or None. It gets no secrets, no terminal, and is ended with its children."""
    environment = {name: value for name, value in os.environ.items() if name not in _OURS} | more
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
        umask=0o022,  # ours is for our own files
    )
    try:
        _output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"it took more than {seconds / 3600:.0f} hours"
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode == 0:
        return None
    last = errors.decode(errors="replace").strip().splitlines()[-1:]
    return f"exit code {process.returncode}" + (f" ({shown(last[0], 200)})" if last else "")


def _ping(hooks: Hooks, ending: str, report: Callable[[str], None]) -> None:
    """One GET, as healthchecks.io and others take it; it must never be what fails a backup."""
    if hooks.ping_url is None:
        return
    try:
        with http_client(httpx.Timeout(_PING_SECONDS)) as client:
            status = client.get(hooks.ping_url + ending).status_code
    except (httpx.HTTPError, httpx.InvalidURL, Problem, OSError) as error:
        report(f"the monitor was not reached: {shown(str(error) or type(error).__name__, 200)}")
        return
    if status >= 400:
        report(f"the monitor answers HTTP {status}")
