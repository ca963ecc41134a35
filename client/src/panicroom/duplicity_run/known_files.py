"""The files of the newest set as they were when it was made: a hash of path, size and times of each, 4 MB for 500,000.

A file that is not among them is read again, whatever the clocks say. One that is, and whose change time lies in the
future, as a clock was ahead once, is spared being read by every backup for years.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from panicroom.duplicity_run.file_identity import CHANGE_MARGIN_SECONDS
from panicroom.private_files import write_private

HASH_SEED = {"PYTHONHASHSEED": "0"}
"""In the environment of duplicity's process: so that its hashes mean the same the next time."""

_PROBE = hash((b"another Python hashes otherwise", 2**40))
_FRESH = ".new"


def identity_hash(index: tuple[bytes, ...], status: os.stat_result) -> int:
    """64 bits: that a changed file has the hash of one of 500,000 happens once in 10^13 changes."""
    return hash((index, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@dataclass(frozen=True)
class KnownFiles:
    """``began_at``: when the set began, by its name, in seconds since 1970. ``hashes``: sorted. ``settled``: of files
    dated ahead, those that an earlier set knew, by the margin of ``file_identity`` or more."""

    began_at: int
    hashes: array[int]
    settled: frozenset[int] = frozenset()

    def holds(self, identity: int) -> bool:
        at = bisect_left(self.hashes, identity)
        return at < len(self.hashes) and self.hashes[at] == identity

    @staticmethod
    def of(
        began_at: int, identities: Iterable[int], ahead: Iterable[int], before: KnownFiles | None
    ) -> KnownFiles:
        """Of a set that has just been made. ``ahead``: the identities dated after it."""
        settled = frozenset[int]()
        if before is not None:
            old_enough = began_at - before.began_at >= CHANGE_MARGIN_SECONDS
            settled = frozenset(
                item for item in ahead if item in before.settled or (old_enough and before.holds(item))
            )
        return KnownFiles(began_at, array("q", sorted(identities)), settled)

    @staticmethod
    def load(path: Path, began_at: int) -> KnownFiles | None:
        """None unless the file is of the set that began then, and of this very Python."""
        try:
            header, _, packed = path.read_bytes().partition(b"\n")
            fields = json.loads(header)
            if (fields["probe"], fields["began_at"], fields["count"] * 8) != (_PROBE, began_at, len(packed)):
                return None
            hashes = array("q")
            hashes.frombytes(packed)
            return KnownFiles(began_at, hashes, frozenset(fields["settled"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def store(self, path: Path) -> None:
        """Beside ``path``, for ``adopt``."""
        header = {
            "probe": _PROBE,
            "began_at": self.began_at,
            "count": len(self.hashes),
            "settled": sorted(self.settled),
        }
        fresh = path.with_name(path.name + _FRESH)
        write_private(fresh, json.dumps(header).encode() + b"\n" + self.hashes.tobytes())


def known_files_path(state: Path) -> Path:
    """In a job's state folder."""
    return state / "known-files"


def adopt(path: Path, *, resumed: bool) -> None:
    """The set is sealed, so its files are the known ones; a resumed set has seen only some of them."""
    fresh = path.with_name(path.name + _FRESH)
    if resumed:
        fresh.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    elif fresh.exists():
        fresh.replace(path)
