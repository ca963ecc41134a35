"""duplicity's manifest: which paths are in which volume of a set, and the volumes' hashes.

``duplicity.manifest`` is the authority; a test compares the two. This module exists because importing duplicity
takes a second.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

PathIndex = tuple[bytes, ...]
"""A path relative to the source, by its parts; the source itself is ``()``. Tuples sort as duplicity walks."""

_QUOTED = re.compile(rb"\\x([0-9a-fA-F]{2})")
_VOLUME = re.compile(rb"Volume ([0-9]+):", re.IGNORECASE)


class ManifestUnreadable(ValueError):
    """The bytes are no whole manifest."""


@dataclass(frozen=True)
class VolumeRange:
    """A volume holds paths from ``first`` to ``last``; ``first_block`` is set where it begins within a file,
    ``last_block`` where it ends within one. ``hashes`` are of the encrypted volume, in hex, by ``SHA1`` or ``MD5``.
    """

    number: int
    first: PathIndex
    last: PathIndex
    first_block: int | None
    last_block: int | None
    hashes: Mapping[str, str]

    def may_hold(self, path: PathIndex) -> bool:
        """Whether that very path can be in the volume."""
        return self.first <= path <= self.last


@dataclass(frozen=True)
class Manifest:
    """``source`` is the folder that was backed up, as it was called then. ``volumes`` are by number."""

    hostname: str | None
    source: bytes | None
    volumes: Mapping[int, VolumeRange]


def parse_manifest(text: bytes) -> Manifest:
    """The manifest; raises ``ManifestUnreadable`` where it is empty, cut, or has a gap between its volumes."""
    hostname: str | None = None
    source: bytes | None = None
    volumes: dict[int, VolumeRange] = {}
    if not text.endswith(b"\n"):
        raise ManifestUnreadable("it does not end with a whole line")
    header, *blocks = re.split(rb"(?:^|\n)(?=volume\s)", text, flags=re.IGNORECASE)
    for line in header.split(b"\n"):
        word, _, value = line.partition(b" ")
        if word.lower() == b"hostname" and hostname is None:
            hostname = unquote(value).decode(errors="replace")
        elif word.lower() == b"localdir" and source is None:
            source = unquote(value)
    for block in blocks:
        volume = _volume(block)
        # A set that went on after a kill may list volumes twice; what comes later counts.
        volumes = {number: known for number, known in volumes.items() if number < volume.number}
        volumes[volume.number] = volume
    if list(volumes) != list(range(1, len(volumes) + 1)):
        raise ManifestUnreadable("volumes are missing in it")
    return Manifest(hostname, source, volumes)


def _volume(block: bytes) -> VolumeRange:
    head, *lines = block.strip().split(b"\n")
    match = _VOLUME.match(head)
    if match is None:
        raise ManifestUnreadable(f"a volume has no number: {head[:40]!r}")
    places: dict[bytes, tuple[PathIndex, int | None]] = {}
    hashes: dict[str, str] = {}
    for line in lines:
        word, *fields = line.split()
        if word.lower() in (b"startingpath", b"endingpath") and fields:
            places[word.lower()] = _index(fields[0]), _block(fields[1:])
        elif word.lower() == b"hash" and len(fields) == 2:
            hashes[fields[0].decode(errors="replace")] = fields[1].decode(errors="replace")
    try:
        (first, first_block), (last, last_block) = places[b"startingpath"], places[b"endingpath"]
    except KeyError:
        raise ManifestUnreadable(f"volume {int(match[1])} has no range of paths") from None
    return VolumeRange(int(match[1]), first, last, first_block, last_block, hashes)


def _block(fields: list[bytes]) -> int | None:
    if not fields:
        return None
    if not fields[0].isdigit():
        raise ManifestUnreadable(f"{fields[0][:40]!r} is no number of a block")
    return int(fields[0])


def _index(field: bytes) -> PathIndex:
    path = unquote(field)
    return () if path == b"." else tuple(path.split(b"/"))


def unquote(text: bytes) -> bytes:
    """What duplicity quoted: whitespace, quotes and backslashes as ``\\xNN``, all of it in double quotes."""
    if not text.startswith(b'"'):
        return text
    if len(text) < 2 or not text.endswith(b'"'):
        raise ManifestUnreadable("a quoted name has no end")
    inner = text[1:-1]
    if b"\\" in _QUOTED.sub(b"", inner):
        raise ManifestUnreadable("a name is quoted in another way than duplicity's")
    return _QUOTED.sub(lambda match: bytes([int(match[1], 16)]), inner)
