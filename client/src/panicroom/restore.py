"""``panicroom restore``: everything, or some paths, as of a time, into a new or empty folder."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
import shutil
from pathlib import Path, PurePosixPath

from panicroom import duplicity_process
from panicroom.duplicity_child import ChildPlan
from panicroom.duplicity_command import restore_arguments
from panicroom.exit_codes import ExitCode, Problem
from panicroom.progress import Reporter
from panicroom.runs import job_lock
from panicroom.secrets import passphrase_of, token_of
from panicroom.settings import JobSettings, Settings

_SET_TIME = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z")


def restore(
    settings: Settings,
    job: JobSettings,
    paths: tuple[str, ...],
    time: str | None,
    to: Path,
    reporter: Reporter,
) -> None:
    """Restores into ``to``, which must be empty or not there; paths keep their place below it."""
    duplicity_process.require_gpg()
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise Problem(f"{to} is not an empty folder; restore into a new one", ExitCode.TARGET)
    chosen: list[str | None] = [relative_path(path, job.source) for path in paths]
    passphrase = passphrase_of(settings)
    with job_lock(settings.job_state(job.job)) as lock:
        work = settings.job_cache(job.job) / "tmp"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700, parents=True)
        # One path at a time: duplicity then fetches only the volumes that hold it.
        for path in chosen or [None]:
            target = to if path is None else to / path
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise Problem(f"{target.parent} cannot be made: {error.strerror}", ExitCode.TARGET) from None
            with reporter.task(f"{job.job} restore {path or ''}".rstrip(), 0):
                ended = duplicity_process.run(
                    ChildPlan(url=settings.url, job=job.job),
                    restore_arguments(settings, job.job, target, time and duplicity_time(time), path),
                    token=token_of(settings),
                    passphrase=passphrase,
                    log_file=settings.places.log_file,
                    on_event=reporter.event,
                    lock_descriptor=lock,
                )
            problem = ended.problem(settings.places.log_file)
            if problem is not None:
                raise problem
            reporter.line(f"{job.job}: restored {path or 'everything'} to {target}")


def relative_path(path: str, source: Path) -> str:
    """``path`` as the backup knows it: relative to the source, which it may be given with."""
    pure = PurePosixPath(path)
    if pure.is_absolute():
        for root in (source, source.resolve()):
            if pure.is_relative_to(root):
                pure = pure.relative_to(root)
                break
        else:
            raise Problem(f"{path} is not below the source {source}", ExitCode.USAGE)
    if ".." in pure.parts or not pure.parts:
        raise Problem(f"{path} names no file below the source {source}", ExitCode.USAGE)
    return str(pure)


def duplicity_time(time: str) -> str:
    """duplicity's own forms of a time pass; ``20261122T205000Z``, as in the names of sets, is rewritten."""
    match = _SET_TIME.fullmatch(time)
    return "{}-{}-{}T{}:{}:{}Z".format(*match.groups()) if match else time
