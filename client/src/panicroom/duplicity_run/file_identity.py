"""When a file may have changed, by its status alone. Pure rules but for ``identity_of`` and ``has_changed``."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

CHANGE_MARGIN_SECONDS = 1200.0
"""How long before a set began a change may have happened that the set missed although its change time is older.

- A write through a memory mapping moves no time while the page is still dirty: the change time may be older than
  the write by as long as the kernel delays writing back (30 s; 10 minutes with some laptop settings).
- The previous set may have been made with a clock that was ahead, and this one with a clock that is behind, by
  ``clock.CLOCK_TOLERANCE_SECONDS`` each.
- Small beside these: the kernel's coarse clock (10 ms), time stamps of one second (HFS+) or two (FAT), duplicity's
  whole seconds.

The price: a file that changed in the 20 minutes before a set is read again by the next one.
"""

_MAGIC = b"rs\x01"  # of librsync's signatures, of whatever kind
_HEADER_BYTES = 12  # of a librsync signature: magic, block length, length of a strong sum
_WEAK_SUM_BYTES = 4


def identity_of(path: Path) -> tuple[int, ...] | None:
    """What of a file changes when the file does; None if it is gone."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def changed_since(change_time: float, modification_time: float, began_at: float) -> bool:
    """Whether a file with these times (seconds since 1970) may have changed after ``began_at``.

    The change time is set by the kernel and cannot be turned back; the modification time is looked at
    too because some network and FAT file systems keep no real change time.
    """
    return change_time >= began_at or modification_time >= began_at


def has_changed(path: Path, began_at: float, identity: tuple[int, ...] | None) -> bool:
    """Whether the file in the middle of which a volume ends may be another than the one that was read."""
    try:
        found = path.lstat()
    except OSError:
        return True
    return changed_since(found.st_ctime, found.st_mtime, began_at) or identity_of(path) != identity


@dataclass(frozen=True)
class ChangeRule:
    """Which files are read again although duplicity finds them unchanged, by whole-second time, mode and owner.

    ``since`` and ``now``: seconds since 1970; what changed from ``since`` (margin included) until now is read.
    ``check_change_time``: False for folders whose change times move without a change, as hard-link snapshots.
    """

    since: float
    now: float
    check_change_time: bool = True

    def may_have_changed(self, status: os.stat_result, *, settled: bool = False) -> bool:
        """``settled``: sets that are older than the margin have had the file with these very times."""
        latest = self.now + CHANGE_MARGIN_SECONDS
        if self.since <= status.st_mtime <= latest:
            return True
        if not self.check_change_time or status.st_ctime < self.since:
            return False
        # A change time in the future says that a clock was wrong: it proves nothing.
        return status.st_ctime <= latest or not settled


def signature_bytes(size: int, block: int, strong_sum: int) -> int:
    """The length of librsync's signature of a file of ``size`` bytes: one weak and one strong sum a block."""
    return _HEADER_BYTES + -(-size // block) * (_WEAK_SUM_BYTES + strong_sum)


def signature_lengths(header: bytes) -> tuple[int, int]:
    """The lengths of a block and of a strong sum, from the beginning of a signature; 0, 0 if it is none."""
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        return 0, 0
    return int.from_bytes(header[4:8], "big"), int.from_bytes(header[8:12], "big")


def fits_signature(size: int, signature_size: int, header: bytes) -> bool:
    """Whether a file of ``size`` bytes can be the one that a stored signature describes; to within a block."""
    block, strong_sum = signature_lengths(header)
    return block > 0 and signature_size == signature_bytes(size, block, strong_sum)


@dataclass(frozen=True)
class PathSet:
    """Paths relative to the source, as bytes; the empty one is the source itself."""

    paths: Set[bytes] = frozenset()

    def holds(self, index: tuple[bytes, ...]) -> bool:
        """Whether the path with these parts, or a folder above it, is in the set."""
        if not self.paths:
            return False
        return any(b"/".join(index[:length]) in self.paths for length in range(len(index) + 1))
