"""The backup that is restored: the sets of the time asked for, as far as they can be opened."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from panicroom.api import Api, moment_of
from panicroom.duplicity_files.contents import SetContents
from panicroom.duplicity_files.stored_sets import Chain, StoredChains, chains
from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.opened_chain import OpenedChain, UnusableSet, open_chain
from panicroom.restore.paths import Selection, select_paths
from panicroom.secrets import token_of
from panicroom.settings import JobSettings, Settings
from panicroom.stored.chain import chain_at
from panicroom.stored.metadata import Event, MetadataCache
from panicroom.stored.origins import OriginReader, SetOrigins
from panicroom.stored.times import exact_time_text, parse_time, time_text
from panicroom.terminal.fetching import shown_fetch
from panicroom.terminal.reporter import Reporter
from panicroom.wire import ListedFile

_CLOCKS_APART = timedelta(minutes=2)
"""S3's time of a manifest in the listing, and in the event of which the service knows it."""


@dataclass(frozen=True)
class SelectedBackup:
    """``contents`` are a full set and increments on it, as far as they could be opened; the last one is restored.

    ``selection``: what the paths that were asked for mean in it. ``unusable``: the set after it, which was asked for or
    which is below the one that was. ``older``: the chains before, newest first. ``origin`` is who made the sets, as far
    as that can be known. ``passphrase`` opens them.
    """

    chain: Chain
    contents: tuple[SetContents, ...]
    selection: Selection
    unusable: UnusableSet | None
    is_newest: bool
    origin: SetOrigins
    passphrase: str | None
    older: tuple[Chain, ...] = ()

    @property
    def as_of(self) -> datetime:
        return datetime.fromtimestamp(self.contents[-1].time, timezone.utc)


@dataclass(frozen=True)
class OpenedBackup:
    """The backup that was asked for, and what opens others."""

    api: Api
    backup: SelectedBackup
    metadata: MetadataCache


@contextmanager
def opened_backup(
    settings: Settings, job: JobSettings, paths: Sequence[str], time: str | None, reporter: Reporter
) -> Iterator[OpenedBackup]:
    """Asks the service and opens what is needed of the metadata. Something is shown from the first moment."""
    with Api(settings.url, token_of(settings)) as api:
        with shown_fetch(reporter, "what the backups hold") as on_event:
            selector = BackupSelector(settings, job, api, on_event)
            backup = selector.select(paths, time, datetime.now(timezone.utc))
        yield OpenedBackup(api, backup, selector.cache)


class BackupSelector:
    """Chooses the backup of a time and opens what a restore of some paths has to know of it."""

    def __init__(
        self, settings: Settings, job: JobSettings, api: Api, on_event: Callable[[Event], None]
    ) -> None:
        self._settings, self._job, self._api, self._on_event = settings, job, api, on_event
        self.cache = MetadataCache(settings, job.job, api, on_event)

    def select(self, paths: Sequence[str], time: str | None, now: datetime) -> SelectedBackup:
        """The backup of ``time`` (as people write it), else the newest.

        Raises ``Problem`` if there is none of that time, or none that can be opened; and without a time if the newest
        one that the service knows is not in the bucket. Raises ``ApiError`` if the service does not list them.
        """
        moment = parse_time(time, now) if time is not None else None
        listing = self._listing(moment)
        trust = OriginReader(self._settings, self._job.job, self._api, listing)
        other_key = False
        while True:
            stored = chains(listing, trust.origins.false)
            try:
                chain = chain_at(stored, moment)
            except Problem:
                if other_key:  # all sets look false: so the key is the wrong one
                    raise self.cache.wrong_key_problem() from None
                raise
            opened = self._open(chain, trust, with_manifests=not paths)
            other_key |= opened.is_other_key
            if trust.has_new_false(chain.sets, self.cache.facts):
                continue
            backup = self._complete(stored, opened, paths, trust.origins)
            if backup.chain is chain or not trust.has_new_false(backup.chain.sets, self.cache.facts):
                return backup

    def _open(self, chain: Chain, trust: OriginReader, *, with_manifests: bool) -> OpenedChain:
        """Of manifests that are not fetched, the service is asked for the proofs at the same time."""

        def ask_for_proofs() -> None:
            if not with_manifests:
                trust.begin(chain.sets)

        return open_chain(self.cache, chain, with_manifests=with_manifests, on_fetching=ask_for_proofs)

    def _complete(
        self, stored: StoredChains, opened: OpenedChain, paths: Sequence[str], origins: SetOrigins
    ) -> SelectedBackup:
        """With all that a restore of ``paths`` needs; of the chain before where not even the full set can be opened."""
        if opened.is_other_key:
            raise self.cache.wrong_key_problem()
        unusable = opened.unusable
        if not opened.contents:
            opened = self._chain_before(stored, opened)
        selection = select_paths(paths, self._job.folder, opened.contents)
        complete = opened.with_manifests(self.cache, selection.indexes)
        if not complete.contents:
            raise _nothing_opens(complete)
        unusable = complete.unusable or unusable
        return SelectedBackup(
            chain=complete.chain,
            contents=complete.contents,
            selection=selection,
            unusable=unusable,
            is_newest=unusable is None and opened.chain.end == stored.times[-1],
            origin=origins,
            passphrase=self.cache.passphrase_of(opened.chain.sets),
            older=_older(stored, opened.chain),
        )

    def _chain_before(self, stored: StoredChains, opened: OpenedChain) -> OpenedChain:
        earlier = [time for time in stored.times if time < opened.chain.start]
        before = open_chain(self.cache, chain_at(stored, max(earlier))) if earlier else opened
        if not before.contents:
            raise _nothing_opens(opened)
        return before

    def _listing(self, moment: datetime | None) -> list[ListedFile]:
        listing = self._api.files(self._job.job)
        self._api.outlast_the_network(
            lambda seconds: self._on_event({"event": "waiting", "seconds": seconds})
        )
        if moment is None:
            check_newest(listing, _newest_known(self._api, self._job.job))
        return listing


def with_newest_checked(backup: SelectedBackup, api: Api, job: str) -> SelectedBackup:
    """The backup, which is the newest no more if another was made since. Raises ``ApiError``."""
    times = chains(api.files(job), backup.origin.false).times
    return dataclasses.replace(backup, is_newest=bool(times) and times[-1] == backup.chain.end)


def _nothing_opens(opened: OpenedChain) -> Problem:
    assert opened.unusable is not None
    return Problem(
        f"the backup {opened.unusable.name} cannot be opened ({opened.unusable.reason}), and neither can one before "
        f"it; the owner of the service can hide it: {opened.unusable.quarantine}",
        ExitCode.RESTORE_INCOMPLETE,
    )


def _older(stored: StoredChains, chain: Chain) -> tuple[Chain, ...]:
    """The chains that ended before this one began, newest first."""
    older = (other for other in stored.chains if other.end < chain.start)
    return tuple(sorted(older, key=lambda other: other.end, reverse=True))


def _newest_known(api: Api, job: str) -> datetime | None:
    """When the newest complete set was stored, as the service knows it."""
    for status in api.machine().jobs:
        if status.job == job and status.newest_complete_at is not None:
            return moment_of(status.newest_complete_at)
    return None


def check_newest(listing: Collection[ListedFile], newest_known: datetime | None) -> None:
    """Raises ``Problem`` where the newest set that the service knows is not in the bucket."""
    stored = [moment_of(file.stored_at) for file in listing if ".manifest" in file.name]
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
