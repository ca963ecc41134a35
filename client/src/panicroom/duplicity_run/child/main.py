"""Starts duplicity in this process, with our backend and patches put in.

The client starts its own executable with ``PANICROOM_CHILD`` naming a plan (``ChildPlan``) and with
duplicity's arguments; so ``sys.argv`` is what duplicity expects, a restart of itself by ``execve`` included.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import functools
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from panicroom.duplicity_run.child import (
    broken_off,
    differences,
    every_change,
    given_up,
    journalled,
    long_chain,
    progress,
    restoring,
    resumed,
    skipped,
    source_check,
)
from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.plan import (
    PLAN_VARIABLE,
    PROOF_VARIABLE,
    TOKEN_VARIABLE,
    ChildPlan,
    left_out_patches,
)
from panicroom.duplicity_run.speed import patches as speed_patches
from panicroom.exit_codes import ExitCode
from panicroom.transfer.journal import Journal


def main() -> NoReturn:
    """Runs duplicity on ``sys.argv``; never returns."""
    began_at = time.time()  # before duplicity reads anything
    plan = ChildPlan.from_text(os.environ[PLAN_VARIABLE])
    # gpg has no use for these.
    token, proof_key = os.environ.pop(TOKEN_VARIABLE), os.environ.pop(PROOF_VARIABLE, None)
    for descriptor in (plan.events_descriptor, plan.lock_descriptor):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # gpg, and the agent it leaves behind, must not hold them
    events = Events(plan.events_descriptor)
    _end_with_the_client()
    if plan.run is not None:
        _lower_priority()

    from duplicity import __main__ as duplicity_main
    from duplicity import backend, log

    # Fifty unused backends take longer to import than a small increment to make.
    backend.import_backends = lambda: None
    backend.uses_netloc.append("panicroom")
    backend.register_backend("panicroom", _patched_for(plan, token, proof_key, events, began_at))
    resumed.end_instead_of_starting_again(events)
    # Without it a line with a name that is no text is lost from a listing.
    logging.FileHandler = functools.partial(logging.FileHandler, errors="surrogateescape")  # type: ignore[misc,assignment]
    log.setup()
    _exit(duplicity_main.dup_run)


def _patched_for(
    plan: ChildPlan, token: str, proof_key: str | None, events: Events, began_at: float
) -> Callable[[Any], Any]:
    """Puts in the patches that the plan needs; what makes the backend."""
    from panicroom.duplicity_run.child.backend import make_backend

    if plan.restore is not None:
        return restoring.install(plan, token, events)
    make = functools.partial(make_backend, plan=plan, token=token, events=events)
    if plan.run is None:
        differences.install(events)
        given_up.install(events)
        return functools.partial(make, at_end=_rehearsed(plan, events))
    return functools.partial(make, proof_key=proof_key, **_patched_for_backup(plan, events, began_at))


def _patched_for_backup(plan: ChildPlan, events: Events, began_at: float) -> dict[str, Any]:
    """Puts in the patches of a backup, each around those before; what the backend calls."""
    assert plan.source is not None
    assert plan.journal is not None
    assert plan.search is not None
    journal = Journal(Path(plan.journal))
    began_at = plan.resume.began_at if plan.resume else began_at
    watch = journalled.JournalWatch(plan.source, journal, events, began_at, plan.search.change_time)
    left_out = skipped.Skipped(plan.source, events, watch.skipped)
    change = every_change.EveryChange.of(plan.search, left_out.report_error)
    long_chain.install()
    resumed.install(plan.source, plan.resume, events)
    left_out.install()
    before_manifest = source_check.install(plan.mark, events) if plan.mark else lambda: None
    change.install()
    watch.install()
    broken_off.install(events, left_out.report_error)
    progress.start(events, change.counts)
    end_speed_patches = speed_patches.install(left_out_patches()) if plan.speed_up else lambda: None

    def at_end() -> None:
        end_speed_patches()
        change.store_known_files()
        _send_statistics(events, change.statistics())

    return {
        "journal": journal,
        "before_volume": watch.made,
        "before_manifest": before_manifest,
        "at_end": at_end,
    }


def _rehearsed(plan: ChildPlan, events: Events) -> Callable[[], None]:
    """What a command that stores nothing does at its end. A dry run of a backup has a search."""
    if plan.search is None:
        return lambda: None
    change = every_change.EveryChange.of(plan.search, lambda _path, _error: None)
    change.install()
    return lambda: _send_statistics(events, change.statistics())


def _send_statistics(events: Events, more: dict[str, int]) -> None:
    from duplicity import diffdir

    if diffdir.stats is not None:
        numbers = {
            name: value
            for name in diffdir.stats.stat_attrs
            if isinstance(value := diffdir.stats.get_stat(name), (int, float))
        }
        events.send("statistics", numbers={**numbers, **more})


def _exit(run: Callable[[], None]) -> NoReturn:
    """Runs duplicity and ends the process with its code, at once: after an error duplicity leaves a thread
    waiting for a gpg that waits for input, and an orderly end would wait for that thread for ever."""
    code: object = ExitCode.INTERNAL
    try:
        run()
        code = ExitCode.DONE
    except SystemExit as end:
        code = end.code or ExitCode.DONE
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else ExitCode.INTERNAL)


def _lower_priority() -> None:
    """A backup by hand is in nobody's way either; a timer's has the lowest priority of all already. gpg has ours."""
    with contextlib.suppress(OSError):
        os.nice(5)
    if shutil.which("ionice"):
        subprocess.run(
            ["ionice", "-c", "best-effort", "-n", "7", "-p", str(os.getpid())],
            capture_output=True,
            check=False,
        )


def _end_with_the_client() -> None:
    """The client holds the other end of our standard input: when that closes, it is gone, however it died.

    A backup that goes on without its client would upload while the next run resumes the same set.
    """

    def watch() -> None:
        while os.read(0, 1):
            pass
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(ExitCode.INTERRUPTED)

    threading.Thread(target=watch, name="client-watch", daemon=True).start()
