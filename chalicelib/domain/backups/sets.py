"""What the catalogue knows of stored files: object rows, and the sets they add up to.

An S3 event is only a hint that a key has changed. Its handler asks S3 for the key's present state (a LIST of its
versions), and writes that state under the event's sequencer. The state is at least as new as the event, and a row is
never written under an older sequencer; so in whatever order and however often events come, the rows end as S3 is.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from chalicelib.domain.backups.names import BackupFile, FileKind, SetId, parse_file_name
from chalicelib.domain.backups.objects import ObjectRow, StoredObject
from chalicelib.domain.backups.tallies import Tallies, add_tallies, subtract_tallies, total_bytes


@dataclasses.dataclass(frozen=True)
class BackupSet:
    """One full or incremental backup as far as it is stored; times are S3's."""

    set_id: SetId
    volumes: frozenset[int] = frozenset()
    volumes_promised: int | None = None
    has_signatures: bool = False
    has_jsonstat: bool = False
    sealed_at: datetime | None = None
    current: Tallies = dataclasses.field(default_factory=dict)
    noncurrent: Tallies = dataclasses.field(default_factory=dict)
    changed_at: datetime | None = None
    """When S3 stored the newest of its files, whatever became of that file since."""
    has_proof: bool = False
    """Its manifest carries a proof of origin. Whether that proof is true only the client can check."""
    manifest_removed: bool = False
    """It was sealed once, and its manifest is not stored any more: no manifest is replaced, so somebody removed it."""

    @property
    def sealed(self) -> bool:
        """The manifest, which duplicity writes last, is stored."""
        return self.sealed_at is not None

    @property
    def is_open(self) -> bool:
        """Something of it is stored, and it is not sealed."""
        return bool(self.current) and not self.sealed

    @property
    def manifest_vanished(self) -> bool:
        """A sealed set that is open again: volumes of it are stored that nobody can restore without its manifest."""
        return self.is_open and self.manifest_removed and bool(self.volumes)

    @property
    def unproven(self) -> bool:
        """Sealed without the number of volumes (adopted from elsewhere)."""
        return self.sealed and self.volumes_promised is None

    @property
    def complete(self) -> bool:
        """Sealed, and volumes 1..N without a gap."""
        return self.sealed and self.volumes_promised is not None and not self.gaps

    @property
    def gaps(self) -> tuple[range, ...]:
        """The volumes that are missing; of an open or unproven set, those below the highest one present.

        Ranges, since a name or a promise may have any number.
        """
        last = max(self.volumes, default=0) if self.volumes_promised is None else self.volumes_promised
        present = [0, *sorted(number for number in self.volumes if number <= last), last + 1]
        return tuple(
            range(before + 1, after) for before, after in itertools.pairwise(present) if after > before + 1
        )

    @property
    def surplus(self) -> frozenset[int]:
        """Volumes beyond N: no part of the sealed set, whoever stored them."""
        if not self.sealed or self.volumes_promised is None:
            return frozenset()
        promised = self.volumes_promised
        return frozenset(number for number in self.volumes if number > promised)

    @property
    def stored_bytes(self) -> int:
        return total_bytes(self.current)


class SetSum:
    """Adds a set up from its object rows, beginning with what is known of it.

    One pass over many rows: a set of 8,000 volumes is not copied for each of them.
    """

    def __init__(self, known: BackupSet) -> None:
        self._known = known
        self._volumes = set(known.volumes)
        self._current = known.current
        self._noncurrent = known.noncurrent
        self._changed_at = known.changed_at
        self._fields: dict[str, Any] = {}

    def change(self, before: ObjectRow | None, after: ObjectRow) -> None:
        """One of the set's keys went from the row ``before`` to the row ``after``."""
        if before is not None:
            self._current = subtract_tallies(self._current, before.current)
            self._noncurrent = subtract_tallies(self._noncurrent, before.noncurrent)
        self._current = add_tallies(self._current, after.current)
        self._noncurrent = add_tallies(self._noncurrent, after.noncurrent)
        file, stored = parse_file_name(after.name), after.stored
        if stored is not None:
            self._changed_at = max(self._changed_at or stored.stored_at, stored.stored_at)
        was_stored = before is not None and before.stored is not None
        if file is None or not file.is_under_right_prefix:
            return  # misplaced files cost, but duplicity will not find them
        if stored or was_stored:  # else it is a tombstone, perhaps beside the same file under another ending
            self._apply(file, stored)
        if file.kind is FileKind.MANIFEST and (stored or was_stored or after.noncurrent):
            # What is known stays known when the older versions have gone too.
            self._fields["manifest_removed"] = stored is None

    def _apply(self, file: BackupFile, stored: StoredObject | None) -> None:
        if file.volume is not None:
            (self._volumes.add if stored else self._volumes.discard)(file.volume)
        elif file.kind is FileKind.MANIFEST:
            self._fields["sealed_at"] = stored.stored_at if stored else None
            self._fields["volumes_promised"] = stored.volumes_promised if stored else None
            self._fields["has_proof"] = stored is not None and stored.proof is not None
        elif file.kind is FileKind.SIGNATURES:
            self._fields["has_signatures"] = stored is not None
        else:
            self._fields["has_jsonstat"] = stored is not None

    def result(self) -> BackupSet:
        if not self._current and not self._noncurrent:
            self._fields["manifest_removed"] = False  # nothing is left that could be missing it
        return dataclasses.replace(
            self._known,
            volumes=frozenset(self._volumes),
            current=self._current,
            noncurrent=self._noncurrent,
            changed_at=self._changed_at,
            **self._fields,
        )


def apply_changes(
    backup_set: BackupSet, before: Mapping[str, ObjectRow], after: Iterable[ObjectRow]
) -> BackupSet:
    """The set after its keys went from the rows ``before`` to the rows ``after``."""
    total = SetSum(backup_set)
    for row in after:
        total.change(before.get(row.name), row)
    return total.result()


def first_proof(rows: Iterable[ObjectRow]) -> datetime | None:
    """When S3 stored the first manifest among ``rows`` that carries a proof of origin; ``None`` if none does."""
    return min((row.stored.stored_at for row in rows if row.stored and row.stored.proof), default=None)


def newest_whole(sets: Iterable[BackupSet]) -> BackupSet | None:
    """The complete or unproven set that S3 stored last; the names' own times may lie.

    An unproven set in which volumes are seen to be missing does not count.
    """
    whole = _whole(sets)
    return max(whole, key=lambda pair: pair[0])[1] if whole else None


def oldest_whole_at(sets: Iterable[BackupSet]) -> datetime | None:
    """When S3 stored the first of the sets that ``newest_whole`` looks at."""
    return min((sealed_at for sealed_at, _ in _whole(sets)), default=None)


def _whole(sets: Iterable[BackupSet]) -> list[tuple[datetime, BackupSet]]:
    return [
        (backup_set.sealed_at, backup_set)
        for backup_set in sets
        if backup_set.sealed_at is not None
        and (backup_set.complete or (backup_set.unproven and backup_set.volumes and not backup_set.gaps))
    ]
