"""Which files need archived volumes: from the listing's storage classes, the signatures, and a few manifests.

A file needs the volumes that hold it in each set from the last one that has stored it whole. Of a set with all of its
volumes archived, or none, that is known without its manifest.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from panicroom.duplicity_files.manifest import PathIndex, VolumeRange
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.duplicity_files.stored_sets import StoredSet
from panicroom.reading.history import SetEntries
from panicroom.stored.metadata import MANIFESTS, MetadataCache
from panicroom.thaw.volumes import is_archived


@dataclass(frozen=True)
class ArchivedRanges:
    """The paths in the archived volumes of a set: ``first`` and ``last`` of each, in order."""

    firsts: tuple[PathIndex, ...]
    lasts: tuple[PathIndex, ...]

    @staticmethod
    def of(volumes: Iterable[VolumeRange]) -> ArchivedRanges:
        ranges = sorted((volume.first, volume.last) for volume in volumes)
        return ArchivedRanges(tuple(first for first, _ in ranges), tuple(last for _, last in ranges))

    def may_hold(self, path: PathIndex) -> bool:
        """Whether that very path can be in one. Volumes follow each other: of those that begin before the path, the
        last one ends last."""
        place = bisect.bisect_right(self.firsts, path) - 1
        return place >= 0 and path <= self.lasts[place]


@dataclass
class ArchivedFiles:
    """``files`` are those that need archived volumes as of the set that was read last; ``follow`` keeps them so."""

    ranges: Mapping[str, ArchivedRanges | None]
    """Of the sets that have archived volumes; None where all of a set counts as archived."""

    files: set[PathIndex] = field(default_factory=set)
    _known: set[PathIndex] = field(default_factory=set)

    def follow(self, sets: Iterable[SetEntries]) -> Iterator[SetEntries]:
        """The same sets; whoever reads their entries has ``files`` as of then."""
        if not self.ranges:
            yield from sets
            return
        for item in sets:
            if item.kind == "full":
                self.files.clear()
                self._known.clear()
            yield dataclasses.replace(item, entries=self._followed(item))

    def _followed(self, item: SetEntries) -> Iterator[SignatureEntry]:
        for entry in item.entries:
            path = entry.path
            if entry.kind != "file":
                self._known.discard(path)
                self.files.discard(path)
            else:
                is_difference = path in self._known
                if not (is_difference and path in self.files):
                    self.files.discard(path)
                    if self._is_archived(item.name, path):
                        self.files.add(path)
                self._known.add(path)
            yield entry

    def _is_archived(self, set_name: str, path: PathIndex) -> bool:
        if set_name not in self.ranges:
            return False
        ranges = self.ranges[set_name]
        return ranges is None or ranges.may_hold(path)


def archived_files(cache: MetadataCache, sets: Sequence[StoredSet]) -> ArchivedFiles:
    """For the files of these sets. Only manifests of sets with some of their volumes archived are read."""
    archived = {
        item.name: {number for number, file in item.volumes.items() if is_archived(file)} for item in sets
    }
    some = [item for item in sets if 0 < len(archived[item.name]) < len(item.volumes)]
    ranges: dict[str, ArchivedRanges | None] = {name: None for name, numbers in archived.items() if numbers}
    for name, found in (cache.at_hand(some, MANIFESTS) if some else {}).items():
        manifest = found.manifest()
        if manifest is not None:
            volumes = (manifest.volumes[number] for number in archived[name] & manifest.volumes.keys())
            ranges[name] = ArchivedRanges.of(volumes)
    return ArchivedFiles(ranges)
