"""What the catalogue knows of stored files: object rows, and the sets they add up to.

An S3 event is only a hint that a key has changed. Its handler asks S3 for the key's present state (a LIST of its
versions), and writes that state under the event's sequencer. The state is at least as new as the event, and a row is
never written under an older sequencer; so in whatever order and however often events come, the rows end as S3 is.
"""

from __future__ import annotations

import dataclasses
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from chalicelib.domain.backups.names import BackupFile, FileKind, SetId, parse_file_name


@dataclasses.dataclass(frozen=True)
class Tally:
    """How many objects, and how many bytes they have together."""

    count: int = 0
    size_bytes: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.count + other.count, self.size_bytes + other.size_bytes)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.count - other.count, self.size_bytes - other.size_bytes)


Tallies = Mapping[str, Tally]
"""By storage class; classes with nothing in them are left out."""


def add_tallies(one: Tallies, other: Tallies) -> Tallies:
    return _combined(one, other, operator.add)


def subtract_tallies(one: Tallies, other: Tallies) -> Tallies:
    return _combined(one, other, operator.sub)


def _combined(one: Tallies, other: Tallies, combine: Callable[[Tally, Tally], Tally]) -> Tallies:
    sums = {name: combine(one.get(name, Tally()), other.get(name, Tally())) for name in {**one, **other}}
    return {name: tally for name, tally in sums.items() if tally != Tally()}


def total_bytes(tallies: Tallies) -> int:
    return sum(tally.size_bytes for tally in tallies.values())


@dataclasses.dataclass(frozen=True)
class StoredObject:
    """The present state of a key in S3. Only a HEAD returns ``sha256``, ``volumes_promised`` and ``proof``.

    ``sha256`` of an object that came in parts is the digest of their digests, followed by ``-`` and their number.
    ``storage_tag`` is the value of the tag that names the storage policy: empty if there is none, ``None`` if nobody
    has asked.
    """

    size: int
    etag: str
    storage_class: str
    stored_at: datetime
    version_id: str | None = None
    sha256: str | None = None
    volumes_promised: int | None = None
    """N, from a manifest's ``x-amz-meta-volumes``."""
    proof: str | None = None
    """From a manifest's ``x-amz-meta-proof``: the client's proof that it made this set."""
    storage_tag: str | None = dataclasses.field(default=None, compare=False)
    """No listing has it, so a catalogue that was rebuilt may lack it and be right."""


@dataclasses.dataclass(frozen=True)
class ObjectRow:
    """A key the catalogue knows. ``stored`` is ``None`` for a tombstone: the key was there once.

    ``sequencer`` orders the events of one key: S3 documents that the shorter is padded on the right with 0, and that
    they compare as texts. ``noncurrent`` are older versions, which are billed and which no plain listing shows.
    """

    name: str
    stored: StoredObject | None
    sequencer: str = ""
    noncurrent: Tallies = dataclasses.field(default_factory=dict)
    revision: int = dataclasses.field(default=0, compare=False)
    """Counts the writes of the row; it guards them, and is no property of the object."""

    @property
    def current(self) -> Tallies:
        stored = self.stored
        return {stored.storage_class: Tally(1, stored.size)} if stored else {}


def is_newer(sequencer: str, known: str) -> bool:
    """Whether an event is newer than the row; the same sequencer is the same event again.

    Events without a sequencer (restores, transitions) are never known already.
    """
    width = max(len(sequencer), len(known))
    return not sequencer or sequencer.ljust(width, "0") > known.ljust(width, "0")


def newer_sequencer(one: str, other: str) -> str:
    return one if is_newer(one, other) and one else other


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

    @property
    def sealed(self) -> bool:
        """The manifest, which duplicity writes last, is stored."""
        return self.sealed_at is not None

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
        if file is not None and file.is_under_right_prefix:
            self._apply(file, stored)
        # Misplaced files cost, but duplicity will not find them.

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
    complete = [
        (one.sealed_at, one)
        for one in sets
        if one.sealed_at is not None and (one.complete or (one.unproven and one.volumes and not one.gaps))
    ]
    return max(complete, key=lambda pair: pair[0])[1] if complete else None


def newest_chain(sets: Iterable[BackupSet]) -> tuple[BackupSet, ...]:
    """The newest sealed full set and the sealed increments that continue it, each from the last one's end."""
    sealed = [backup_set for backup_set in sets if backup_set.sealed]
    full = max(
        (backup_set for backup_set in sealed if backup_set.set_id.is_full),
        key=lambda backup_set: backup_set.set_id.end,
        default=None,
    )
    if full is None:
        return ()
    following = {
        backup_set.set_id.start: backup_set for backup_set in sealed if not backup_set.set_id.is_full
    }
    chain = [full]
    while (increment := following.get(chain[-1].set_id.end)) is not None:
        if increment.set_id.end <= chain[-1].set_id.end:
            break  # a name that goes back in time would make a ring
        chain.append(increment)
    return tuple(chain)


def format_ranges(numbers: Iterable[int]) -> str:
    """``1-3,7``: 8,000 volumes in a row take six characters of a row."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def format_gaps(gaps: Iterable[range]) -> str:
    """As ``format_ranges`` does, without counting through them."""
    return ",".join(f"{gap[0]}-{gap[-1]}" if len(gap) > 1 else str(gap[0]) for gap in gaps)


def parse_ranges(text: str) -> frozenset[int]:
    """The reverse of ``format_ranges``."""
    numbers: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
