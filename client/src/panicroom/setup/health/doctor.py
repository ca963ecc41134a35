"""``panicroom doctor``: checks everything that a backup depends on, and says what to do.

Nothing is changed. Each check is a function that gives results; one that fails in an unforeseen way becomes
a result itself, as the doctor is called when things are broken.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.recovery.reader import TYPE_AGAIN
from panicroom.settings import Settings
from panicroom.setup.health.check_result import FAIL, OK, WARN, CheckResult
from panicroom.setup.health.encryption import gpg, keyring, passphrase
from panicroom.setup.health.machine import (
    aws_credentials,
    disk_space,
    full_disk_access,
    open_files,
    privacy,
    schedule,
    sources,
)
from panicroom.setup.health.service import clock, last_runs, reading, versions, weekly_mail
from panicroom.wire import MachineStatus


def examine(settings: Settings, ask: Callable[[], MachineStatus], home: Path) -> Iterator[CheckResult]:
    """All results, in the order in which a person would check. ``ask`` calls the service."""
    checks: list[Callable[[], Iterable[CheckResult]]] = []
    try:
        answer = ask()
    except Problem as problem:
        ended = settings.reader and problem.exit_code == ExitCode.NOT_AUTHORIZED
        yield CheckResult("service", FAIL, TYPE_AGAIN if ended else str(problem))
    else:
        yield CheckResult("service", OK, f"{settings.url} answers and knows {answer.machine}")
        checks += [
            lambda: [clock(answer)],
            lambda: [versions(answer)],
            lambda: last_runs(settings, answer),
            lambda: reading(settings, answer),
            lambda: [weekly_mail(answer)],
        ]
    checks += [
        lambda: [gpg()],
        lambda: [passphrase(settings)],
        lambda: [keyring(settings)],
        lambda: [privacy(settings.places)],
        lambda: [disk_space(settings)],
        lambda: [open_files()],
        *([] if settings.reader else [lambda: sources(settings), lambda: [schedule(settings.places)]]),
        lambda: aws_credentials(os.environ, home),
    ]
    if sys.platform == "darwin":
        checks.append(lambda: [full_disk_access(home)])
    for check in checks:
        try:
            yield from check()
        except Problem as problem:
            yield CheckResult("doctor", FAIL, str(problem))
        except (OSError, subprocess.SubprocessError) as error:
            yield CheckResult("doctor", WARN, f"a check could not be made: {error}")
