"""The backups of a job as a drill finds them: whole by the listing, made by this computer, and opened by its key."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from panicroom.api import Api, moment_of
from panicroom.drill.listing_check import losses
from panicroom.drill.outcome import DrillFailed, DrillSkipped, failed_for
from panicroom.duplicity_files.contents import SetContents
from panicroom.duplicity_files.manifest import Manifest
from panicroom.duplicity_files.stored_sets import Chain, StoredChains, all_sets, chains
from panicroom.duplicity_run.gpg_keys import has_secret_key
from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.opened_chain import open_chain
from panicroom.restore.selected_backup import check_newest
from panicroom.secrets import passphrase_of
from panicroom.settings import Settings
from panicroom.stored.metadata import MANIFESTS, Event, MetadataCache
from panicroom.stored.origins import OriginReader, quarantine_line
from panicroom.wire import JobStatus, ListedFile


@dataclass(frozen=True)
class DrillArchive:
    """``stored`` are sets that this machine made, each with all of its volumes in the listing; ``manifests`` by set."""

    cache: MetadataCache
    stored: StoredChains
    manifests: Mapping[str, Manifest]

    @property
    def volumes(self) -> Iterator[ListedFile]:
        return (file for item in all_sets(self.stored) for file in item.volumes.values())

    def chain(self, set_name: str) -> Chain | None:
        """The chain up to that set; None if it is not there any more."""
        for chain in self.stored.chains:
            for number, item in enumerate(chain.sets, 1):
                if item.name == set_name:
                    return Chain(chain.sets[:number])
        return None

    def contents(self, set_name: str) -> tuple[SetContents, ...]:
        """The sets up to that one, opened. Raises ``DrillFailed`` where one cannot be."""
        chain = self.chain(set_name)
        assert chain is not None
        opened = open_chain(self.cache, chain)
        if opened.unusable is not None:
            raise DrillFailed(f"the set {opened.unusable.name} cannot be opened: {opened.unusable.reason}")
        return tuple(item.with_manifest(self.manifests[item.name]) for item in opened.contents)


def open_archive(
    settings: Settings, api: Api, status: JobStatus, on_event: Callable[[Event], None]
) -> DrillArchive:
    """Raises ``DrillFailed`` for all that is wrong without any volume being read, ``DrillSkipped`` where there is
    nothing to read or no way to open it, and ``Problem`` where the service cannot be asked."""
    _check_keys(settings)
    listing = api.files(status.job)
    api.outlast_the_network(lambda seconds: on_event({"event": "waiting", "seconds": seconds}))
    _check_newest(listing, status)
    cache = MetadataCache(settings, status.job, api, on_event)
    if not chains(listing).chains and not chains(listing).orphans:
        raise DrillSkipped("there is no backup yet", ExitCode.NOT_FOUND)
    false = _false_sets(settings, api, status.job, listing, cache)
    stored = chains(listing, false)
    faults = [
        f"the set {name} was not made by this machine; somebody has its token: "
        f"{quarantine_line(settings.machine, status.job, name)}"
        for name in sorted(false)
    ]
    faults += _closed(settings, stored, cache)
    found = cache.at_hand(all_sets(stored), MANIFESTS)
    manifests = {name: manifest for name, item in found.items() if (manifest := item.manifest()) is not None}
    faults += [
        f"the manifest of the set {name} cannot be opened: {item.unopened[0].reason}"
        for name, item in found.items()
        if item.unopened
    ]
    faults += losses(stored, manifests)
    if faults:
        raise failed_for(faults)
    return DrillArchive(cache, stored, manifests)


def _check_keys(settings: Settings) -> None:
    """Whether anything can be opened here. A backup for a GnuPG key needs no more than its public half."""
    try:
        passphrase_of(settings)
    except Problem as problem:
        raise DrillSkipped(str(problem), problem.exit_code) from None
    if settings.encrypt_key is not None and not has_secret_key(settings.encrypt_key):
        raise _no_secret_key(settings)


def _no_secret_key(settings: Settings) -> DrillSkipped:
    return DrillSkipped(
        "gpg does not have or does not open the secret key here, so nothing can be restored on this computer; run "
        "panicroom drill where it is, or have the owner of the service ask for no drills: "
        f"python -m ops machine set {settings.machine} --drill-every never",
        ExitCode.PASSPHRASE,
    )


def _check_newest(listing: list[ListedFile], status: JobStatus) -> None:
    newest: datetime | None = None
    if status.newest_complete_at is not None:
        newest = moment_of(status.newest_complete_at)
    try:
        check_newest(listing, newest)
    except Problem as problem:
        raise DrillFailed(str(problem)) from None


def _false_sets(
    settings: Settings, api: Api, job: str, listing: list[ListedFile], cache: MetadataCache
) -> frozenset[str]:
    """Sets that somebody else made. Raises ``DrillFailed`` where rather the passphrase is another."""
    trust = OriginReader(settings, job, api, listing)
    everything = all_sets(chains(listing))
    try:
        trust.has_new_false(everything, {})
    except Problem as problem:
        if problem.exit_code != ExitCode.PASSPHRASE:
            raise
        raise DrillFailed(str(problem), ExitCode.PASSPHRASE) from None
    false = frozenset(trust.origins.false)
    if everything and not all_sets(chains(listing, false)):
        _closed(settings, chains(listing), cache)
    return false


def _closed(settings: Settings, stored: StoredChains, cache: MetadataCache) -> list[str]:
    """Sentences for chains that the passphrase or key does not open. Raises where it opens none."""
    by_full = {chain.sets[0].name: chain for chain in stored.chains}
    closed = []
    for name, chain in by_full.items():
        try:
            cache.check_opens(chain.sets)
        except Problem as problem:
            if problem.exit_code != ExitCode.PASSPHRASE:
                raise
            closed.append(name)
    if closed and len(closed) == len(by_full):
        if settings.encrypt_key is not None:
            raise _no_secret_key(settings)
        raise DrillFailed(str(cache.wrong_key_problem()), ExitCode.PASSPHRASE)
    return [
        f"the set {name} and those on it do not open with the passphrase or key of this machine"
        for name in closed
    ]
