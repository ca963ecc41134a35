"""A set as a restore needs it: the ranges of its volumes, what is stored of them, and its entry of every path."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from panicroom.duplicity_files.manifest import Manifest, PathIndex, VolumeRange
from panicroom.duplicity_files.signatures import SignatureEntry, read_signatures
from panicroom.duplicity_files.stored_sets import StoredSet
from panicroom.wire import ListedFile

_DIGEST_BYTES = 20


@dataclass(frozen=True)
class SetContents:
    """A set of which the signatures could be opened.

    ``time`` is the one it stands for, in seconds since 1970. ``ranges`` are the volumes that its manifest lists, None
    where nobody has needed it; ``stored`` those that the bucket has; both by number. ``digests`` are those of the
    files' signatures.
    """

    name: str
    time: int
    ranges: Mapping[int, VolumeRange] | None
    stored: Mapping[int, ListedFile]
    entries: Mapping[PathIndex, SignatureEntry]
    digests: Mapping[PathIndex, bytes]

    def covering(self, path: PathIndex) -> Iterator[int]:
        """The volumes that hold the data of ``path``, a file that this set has stored."""
        assert self.ranges is not None
        for number, volume in self.ranges.items():
            if volume.may_hold(path):
                yield number

    def with_manifest(self, manifest: Manifest) -> SetContents:
        return dataclasses.replace(self, ranges=manifest.volumes)


def read_contents(item: StoredSet, signatures: Path) -> SetContents:
    """Reads the set's signatures. Raises ``SignaturesUnreadable``."""
    entries: dict[PathIndex, SignatureEntry] = {}
    digests: dict[PathIndex, bytes] = {}
    for entry in read_signatures(signatures, with_contents=True):
        if entry.signature is not None:
            digests[entry.path] = signature_digest(entry.signature)
            entry = entry.without_signature()
        entries[entry.path] = entry
    return SetContents(item.name, int(item.end.timestamp()), None, item.volumes, entries, digests)


def signature_digest(signature: bytes) -> bytes:
    """What is remembered of a librsync signature: enough to compare, and of one size for every file."""
    return hashlib.blake2b(signature, digest_size=_DIGEST_BYTES).digest()


def path_of(index: PathIndex) -> str:
    """The path of an index, for people and JSON: bytes that are no text become lone surrogates."""
    return b"/".join(index).decode("utf-8", "surrogateescape") or "."
