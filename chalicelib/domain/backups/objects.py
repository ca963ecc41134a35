"""What the catalogue knows of a key in S3."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from chalicelib.domain.backups.tallies import Tallies, Tally


@dataclasses.dataclass(frozen=True)
class RestoreState:
    """What S3 says of the readable copy of an archived object: it is being made, or there until ``readable_until``."""

    in_progress: bool
    readable_until: datetime | None = None


@dataclasses.dataclass(frozen=True)
class StoredObject:
    """The present state of a key in S3. Only a HEAD returns ``sha256``, ``volumes_promised``, ``proof``, ``restore``.

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
    restore: RestoreState | None = dataclasses.field(default=None, compare=False)
    """Of an archived object that S3 was asked to bring back. It passes by itself: the catalogue does not keep it."""


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
