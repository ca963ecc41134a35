"""``panicroom restore --plain``: by duplicity as it is, volume ranges and all; nothing is planned or proved."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

from panicroom.api import Api
from panicroom.duplicity_files.contents import path_of
from panicroom.duplicity_files.stored_sets import all_sets, chains
from panicroom.duplicity_files.work_folder import work_folder
from panicroom.duplicity_run import process as duplicity_process
from panicroom.duplicity_run.arguments import restore_arguments
from panicroom.duplicity_run.plan import ChildPlan
from panicroom.duplicity_run.process import Event
from panicroom.duplicity_run.restore_plan import from_hex
from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.paths import known_source
from panicroom.restore.run import RestoreRequest
from panicroom.secrets import token_of
from panicroom.settings import JobSettings, Settings
from panicroom.shown import short_path, shown_path
from panicroom.stored.chain import chain_at
from panicroom.stored.metadata import MANIFESTS, MetadataCache, SetMetadata
from panicroom.stored.origins import OriginReader
from panicroom.stored.ranges import volumes_in_range
from panicroom.stored.times import exact_time_text, parse_time, time_text
from panicroom.terminal.fetching import shown_fetch
from panicroom.terminal.reporter import Reporter
from panicroom.thaw.consent import ThawOptions
from panicroom.thaw.thawer import Thawer


def restore_plainly(
    settings: Settings, job: JobSettings, request: RestoreRequest, options: ThawOptions, reporter: Reporter
) -> None:
    """Restores into ``request.to``, which must be empty or not there; paths keep their place below it.

    A backup may run at the same time. Raises ``Problem``, also if single files could not be restored.
    """
    duplicity_process.require_gpg()
    to = request.to
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise Problem(f"{to} is not an empty folder; restore into a new one", ExitCode.TARGET)
    chosen: list[str | None] = [relative_path(path, job.folder) for path in request.paths]
    chain = _readable_chain(settings, job, request, options, reporter)
    failed: list[str] = []
    with work_folder(settings.job_cache(job.job), "restore") as work:
        (work / "tmp").mkdir()
        _place_manifests(chain.metadata, work / "archive" / settings.archive_name(job.job))
        # One path at a time: duplicity then fetches only the volumes that hold it.
        for path in chosen or [None]:
            target = to if path is None else to / path
            shown = shown_path(path) if path else "everything"
            with reporter.task(f"{job.job} restore of {shown}", 0):
                failed += _restore_one(settings, job, work, target, chain, path, reporter)
            reporter.line(
                f"{job.job}: restored {shown} to {shown_path(str(target))} as of {time_text(chain.end)}, by duplicity "
                "alone: nothing is proved"
            )
    if failed:
        raise Problem(
            f"{len(failed)} file{'s' if len(failed) != 1 else ''} could not be restored, the first is {failed[0]}; "
            f"the reasons are in {settings.places.log_file}",
            ExitCode.RESTORE_INCOMPLETE,
        )


@dataclass(frozen=True)
class _PlainChain:
    """What duplicity is given of the chain up to ``end``: the manifests here, and the sets that it must not see."""

    end: datetime
    metadata: Mapping[str, SetMetadata]
    hidden: frozenset[str]
    passphrase: str | None


class _LeftOut:
    """What duplicity says that it could not restore: files, and volumes that are archived. The rest is reported."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.failed: list[str] = []
        self.archived: list[str] = []

    def take(self, event: Event) -> None:
        if event["event"] == "unwritten":
            self.failed.append(f"{short_path(path_of(from_hex(event['path'])))} ({event['reason']})")
        elif event["event"] == "archived":
            self.archived.append(event["name"])
        else:
            self._reporter.event(event)


def _restore_one(
    settings: Settings,
    job: JobSettings,
    work: Path,
    target: Path,
    chain: _PlainChain,
    path: str | None,
    reporter: Reporter,
) -> list[str]:
    """The files that could not be restored."""
    given, left_out = _given_target(target), _LeftOut(reporter)
    ended = duplicity_process.run(
        ChildPlan(url=settings.url, job=job.job, hidden_sets=tuple(sorted(chain.hidden))),
        restore_arguments(
            settings,
            job.job,
            work=work,
            to=given,
            time=exact_time_text(chain.end),
            path=path,
            keep_owners=os.geteuid() == 0,
        ),
        token=token_of(settings),
        passphrase=chain.passphrase,
        log_file=settings.places.log_file,
        on_event=left_out.take,
    )
    problem = ended.problem(settings.places.log_file)
    if left_out.archived:
        raise Problem(
            f"{problem}; what duplicity has written so far is in {shown_path(str(target))}: run the same command with "
            "another --to DIR, it asks for the thaw",
            ExitCode.TRY_LATER,
        )
    if problem is not None:
        raise problem
    if given != target:
        given.rename(target)
    return left_out.failed


def _given_target(target: Path) -> Path:
    """What duplicity restores into: it cannot into a path that is no text, so that its last name is given later."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(f"{target.parent} cannot be made: {error.strerror}", ExitCode.TARGET) from None
    given = target if _is_text(target) else target.with_name("being restored")
    if not _is_text(given):
        raise Problem(
            f"{shown_path(str(given.parent))} is no text; restore into another folder", ExitCode.TARGET
        )
    return given


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _readable_chain(
    settings: Settings, job: JobSettings, request: RestoreRequest, options: ThawOptions, reporter: Reporter
) -> _PlainChain:
    """The chain up to the time that was asked for, with all that duplicity will ask of it thawed."""
    indexes = [
        tuple(map(os.fsencode, PurePosixPath(relative_path(path, job.folder)).parts))
        for path in request.paths
    ]
    with Api(settings.url, token_of(settings)) as api:
        with shown_fetch(reporter, "the manifests") as on_event:
            cache = MetadataCache(settings, job.job, api, on_event)
            chain = _open_chain(settings, job, request.time, cache, api, reporter)
        sets = [item.set for item in chain.metadata.values()]
        thawer = Thawer(
            settings, job.job, api, options, reporter, lambda: cache.check_opens(sets), line=cache.line
        )
        thawer.make_readable(list(volumes_in_range(chain.metadata.values(), indexes or [()])))
    return chain


def _open_chain(
    settings: Settings,
    job: JobSettings,
    time: str | None,
    cache: MetadataCache,
    api: Api,
    reporter: Reporter,
) -> _PlainChain:
    """The chain up to ``time``, else the newest, without sets that somebody else made."""
    moment = None if time is None else parse_time(time, datetime.now(timezone.utc))
    listing = api.files(job.job)
    trust = OriginReader(settings, job.job, api, listing)
    hidden = trust.leave_out_false(all_sets(chains(listing)))
    chain = chain_at(chains(listing, hidden), moment)
    metadata = cache.at_hand(chain.sets, MANIFESTS)
    cache.check_key(metadata.values())
    passphrase = cache.passphrase_of(chain.sets)
    for line in trust.origins.lines():
        reporter.line(line)
    return _PlainChain(chain.end, metadata, hidden, passphrase)


def _place_manifests(metadata: Mapping[str, SetMetadata], archive: Path) -> None:
    """Gives duplicity the manifests that could be opened; it fetches any other itself."""
    archive.mkdir(mode=0o700, parents=True)
    for item in metadata.values():
        item.place_in(archive)


def relative_path(path: str, source: Path | None) -> str:
    """``path`` as the backup knows it: relative to the source, which it may be given with."""
    pure = PurePosixPath(path)
    if pure.is_absolute():
        source = known_source(path, source)
        for root in (source, source.resolve()):
            if pure.is_relative_to(root):
                pure = pure.relative_to(root)
                break
        else:
            raise Problem(f"{path} is not below the source {source}", ExitCode.USAGE)
    if ".." in pure.parts or not pure.parts:
        raise Problem(f"{path} names no file below the source {source}", ExitCode.USAGE)
    return str(pure)
