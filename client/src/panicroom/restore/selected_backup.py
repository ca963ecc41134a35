"""The backup that is restored: the sets of the time asked for, as far as they can be opened."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from panicroom.api import Api, ApiError
from panicroom.duplicity_files.contents import SetContents, read_contents
from panicroom.duplicity_files.signatures import SignaturesUnreadable
from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.chain import Chain, StoredChains, StoredSet, chain_at, chains
from panicroom.restore.metadata import MetadataCache, SetMetadata
from panicroom.restore.origins import OriginReader, SetOrigins
from panicroom.restore.times import exact_time_text, parse_time, time_text
from panicroom.settings import JobSettings, Settings
from panicroom.wire import ListedFile

_CLOCKS_APART = timedelta(minutes=2)
"""S3's time of a manifest in the listing, and in the event of which the service knows it."""


@dataclass(frozen=True)
class UnusableSet:
    """A set that cannot be opened; the line for the owner hides it from later backups."""

    name: str
    reason: str
    quarantine: str


@dataclass(frozen=True)
class SelectedBackup:
    """``contents`` are a full set and increments on it, as far as they could be opened; the last one is restored.

    ``unusable``: the set after it, which was asked for or which is below the one that was. ``origin`` is who made the
    sets, as far as that can be known.
    """

    contents: tuple[SetContents, ...]
    metadata: Mapping[str, SetMetadata]
    unusable: UnusableSet | None
    is_newest: bool
    origin: SetOrigins

    @property
    def as_of(self) -> datetime:
        return datetime.fromtimestamp(self.contents[-1].time, timezone.utc)


def select_backup(
    settings: Settings,
    job: JobSettings,
    time: str | None,
    *,
    api: Api,
    now: datetime,
    on_received: Callable[[int], None],
) -> SelectedBackup:
    """The backup of ``time`` (as people write it), else the newest.

    Raises ``Problem`` if there is none of that time, or none that can be opened; and without a time if the newest one
    that the service knows is not in the bucket.
    """
    moment = parse_time(time, now) if time is not None else None
    try:
        listing = api.files(job.job)
        newest_known = _newest_known(api, job.job) if moment is None else None
        trust = OriginReader(settings, job.job, api, listing)
    except ApiError as failure:
        raise failure.as_problem() from None
    if moment is None:
        _check_newest(listing, newest_known)
    cache = MetadataCache(settings, job.job, api)
    while True:
        stored = chains(listing, trust.origins.false)
        chain = chain_at(stored, moment)
        metadata = cache.at_hand(chain.sets, on_received=on_received)
        if trust.has_new_false(chain):
            continue
        contents, unusable = _opened(chain, metadata, settings.machine, job.job)
        if unusable is not None and not contents:
            chain = _before(stored, chain, unusable)
            metadata = cache.at_hand(chain.sets, on_received=on_received)
            contents, _next = _opened(chain, metadata, settings.machine, job.job)
        if not contents:
            assert unusable is not None
            raise _nothing_opens(unusable)
        is_newest = chain.end == max(stored.times)
        return SelectedBackup(contents, metadata, unusable, is_newest, trust.origins)


def _opened(
    chain: Chain, metadata: Mapping[str, SetMetadata], machine: str, job: str
) -> tuple[tuple[SetContents, ...], UnusableSet | None]:
    """The sets up to the first that cannot be opened, and that one."""
    contents: list[SetContents] = []
    for item in chain.sets:
        found = metadata[item.name]
        manifest = None if found.unopened else found.manifest()
        reason = found.unopened[0].reason if found.unopened else "it cannot be opened"
        if manifest is not None and found.signatures is not None:
            try:
                contents.append(
                    read_contents(
                        item.name, int(item.end.timestamp()), manifest, item.volumes, found.signatures
                    )
                )
            except SignaturesUnreadable as error:
                reason = f"its signatures are damaged: {error}"
            else:
                continue
        return tuple(contents), _unusable(item, reason, machine, job)
    return tuple(contents), None


def _unusable(item: StoredSet, reason: str, machine: str, job: str) -> UnusableSet:
    line = f"python -m ops set quarantine {machine} {job} {item.name}"
    return UnusableSet(item.name, reason, line)


def _before(stored: StoredChains, chain: Chain, unusable: UnusableSet) -> Chain:
    """The chain before one whose full set cannot be opened."""
    earlier = [time for time in stored.times if time < chain.start]
    if not earlier:
        raise _nothing_opens(unusable)
    return chain_at(stored, max(earlier))


def _nothing_opens(unusable: UnusableSet) -> Problem:
    return Problem(
        f"the backup {unusable.name} cannot be opened ({unusable.reason}), and neither can one before it; "
        f"the owner of the service can hide it: {unusable.quarantine}",
        ExitCode.RESTORE_INCOMPLETE,
    )


def _newest_known(api: Api, job: str) -> datetime | None:
    """When the newest complete set was stored, as the service knows it."""
    for status in api.machine().jobs:
        if status.job == job and status.newest_complete_at is not None:
            return _moment(status.newest_complete_at)
    return None


def _check_newest(listing: Collection[ListedFile], newest_known: datetime | None) -> None:
    stored = [_moment(file.stored_at) for file in listing if ".manifest" in file.name]
    newest_stored = max(stored, default=None)
    if newest_known is None or (newest_stored and newest_stored >= newest_known - _CLOCKS_APART):
        return
    times = chains(listing).times
    there = f"the newest that is there: --time {exact_time_text(times[-1])}" if times else "there is no other"
    raise Problem(
        f"the newest backup, stored on {time_text(newest_known)}, is not in the bucket; "
        f"ask the owner of the service; {there}",
        ExitCode.NOT_FOUND,
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
