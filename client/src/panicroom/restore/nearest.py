"""Files that cannot be had as of the time asked for: the newest time before as of which each can, over all chains."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from panicroom.duplicity_files.contents import SetContents
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.exit_codes import Problem
from panicroom.restore.opened_chain import open_chain
from panicroom.restore.plan import newest_sets
from panicroom.restore.selected_backup import SelectedBackup
from panicroom.stored.metadata import MetadataCache


@dataclass(frozen=True)
class OlderVersion:
    """Where a file can be had: as of the last of ``sets``, which ``passphrase`` opens."""

    sets: tuple[SetContents, ...]
    passphrase: str | None

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.sets[-1].time, timezone.utc)


class OlderVersions:
    """Searches the sets before the one that is restored. Chains before are opened only where a file is in none of its
    own chain; one that cannot be opened is passed over."""

    def __init__(self, cache: MetadataCache, backup: SelectedBackup) -> None:
        self._cache, self._backup = cache, backup

    def find(self, lost: Collection[PathIndex], damaged: Collection[str]) -> dict[PathIndex, OlderVersion]:
        """The newest of each file of which there is one without a ``damaged`` volume."""
        found: dict[PathIndex, OlderVersion] = {}
        left = set(lost)
        for sets, passphrase in self._chains(left):
            numbers = newest_sets(left, sets, damaged)
            by_number = {
                number: OlderVersion(sets[: number + 1], passphrase) for number in set(numbers.values())
            }
            found |= {path: by_number[number] for path, number in numbers.items()}
            left -= found.keys()
            if not left:
                break
        return found

    def _chains(self, paths: Collection[PathIndex]) -> Iterator[tuple[tuple[SetContents, ...], str | None]]:
        """Contents with the manifests that the paths need, newest chain first; without the set that is restored."""
        yield self._backup.contents[:-1], self._backup.passphrase
        for chain in self._backup.older:
            try:
                opened = open_chain(self._cache, chain).with_manifests(self._cache, paths)
                passphrase = self._cache.passphrase_of(chain.sets)
            except Problem:
                continue
            yield opened.contents, passphrase
