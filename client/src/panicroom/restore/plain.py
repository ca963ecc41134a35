"""``panicroom restore --plain``: by duplicity as it is, volume ranges and all; nothing is planned or proved."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

from panicroom.api import Api, ApiError
from panicroom.duplicity_files.work_folder import work_folder
from panicroom.duplicity_run import process as duplicity_process
from panicroom.duplicity_run.arguments import restore_arguments
from panicroom.duplicity_run.plan import ChildPlan
from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.chain import Chain, chain_at, chains
from panicroom.restore.metadata import MetadataCache, Part, SetMetadata
from panicroom.restore.rounds import place
from panicroom.restore.times import exact_time_text, parse_time
from panicroom.secrets import passphrase_of, token_of
from panicroom.settings import JobSettings, Settings
from panicroom.shown import shown_path
from panicroom.terminal.reporter import Reporter

_MANIFESTS: tuple[Part, ...] = ("manifest",)
_GIVEN_UP = re.compile(r"\bError '.*' processing (.*)$")


def restore_plainly(
    settings: Settings,
    job: JobSettings,
    paths: tuple[str, ...],
    time: str | None,
    to: Path,
    reporter: Reporter,
) -> None:
    """Restores into ``to``, which must be empty or not there; paths keep their place below it.

    A backup may run at the same time. Raises ``Problem``, also if single files could not be restored.
    """
    duplicity_process.require_gpg()
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise Problem(f"{to} is not an empty folder; restore into a new one", ExitCode.TARGET)
    chosen: list[str | None] = [relative_path(path, job.source) for path in paths]
    chain, metadata = _chain_of(settings, job, time)
    failed: list[str] = []
    with work_folder(settings.job_cache(job.job), "restore") as work:
        (work / "tmp").mkdir()
        _place_manifests(metadata, work / "archive" / settings.archive_name(job.job))
        # One path at a time: duplicity then fetches only the volumes that hold it.
        for path in chosen or [None]:
            target = to if path is None else to / path
            shown = shown_path(path) if path else "everything"
            with reporter.task(f"{job.job} restore of {shown}", 0):
                failed += _restore_one(settings, job, work, target, chain.end, path, reporter)
            reporter.line(f"{job.job}: restored {shown} to {shown_path(str(target))}")
    if failed:
        raise Problem(
            f"{len(failed)} files could not be restored, the first is {failed[0]}; "
            f"the reasons are in {settings.places.log_file}",
            ExitCode.RESTORE_INCOMPLETE,
        )


def _restore_one(
    settings: Settings,
    job: JobSettings,
    work: Path,
    target: Path,
    time: datetime,
    path: str | None,
    reporter: Reporter,
) -> list[str]:
    """The files that could not be restored."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(f"{target.parent} cannot be made: {error.strerror}", ExitCode.TARGET) from None
    # duplicity cannot restore into a path that is no text; what it calls the one that it can is renamed.
    given = target if _is_text(target) else target.with_name("being restored")
    if not _is_text(given):
        raise Problem(
            f"{shown_path(str(given.parent))} is no text; restore into another folder", ExitCode.TARGET
        )
    arguments = restore_arguments(
        settings,
        job.job,
        work=work,
        to=given,
        time=exact_time_text(time),
        path=path,
        keep_owners=os.geteuid() == 0,
    )
    ended = duplicity_process.run(
        ChildPlan(url=settings.url, job=job.job),
        arguments,
        token=token_of(settings),
        passphrase=passphrase_of(settings),
        log_file=settings.places.log_file,
        on_event=reporter.event,
    )
    problem = ended.problem(settings.places.log_file)
    if problem is not None:
        raise problem
    if given != target:
        given.rename(target)
    return failed_files(ended.errors)


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def failed_files(errors: tuple[str, ...]) -> list[str]:
    """The files that duplicity gave up on; it says so in a warning, goes on, and ends as if all was well."""
    found = (_GIVEN_UP.search(line) for line in errors)
    return [match.group(1) for match in found if match]


def _chain_of(
    settings: Settings, job: JobSettings, time: str | None
) -> tuple[Chain, Mapping[str, SetMetadata]]:
    """The chain up to ``time``, else the newest, and its manifests."""
    moment = None if time is None else parse_time(time, datetime.now(timezone.utc))
    api = Api(settings.url, token_of(settings))
    try:
        chain = chain_at(chains(api.files(job.job)), moment)
        return chain, MetadataCache(settings, job.job, api).at_hand(chain.sets, _MANIFESTS)
    except ApiError as failure:
        raise failure.as_problem() from None
    finally:
        api.close()


def _place_manifests(metadata: Mapping[str, SetMetadata], archive: Path) -> None:
    """Gives duplicity the manifests that could be opened; it fetches any other itself."""
    archive.mkdir(mode=0o700, parents=True)
    for item in metadata.values():
        for copy in item.copies.values():
            place(item.folder / copy.local_name, archive / copy.local_name)


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
