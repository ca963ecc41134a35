"""What a walk through a photo job found, and whether it is what the last backup found.

duplicity takes seconds and stores a set each time, also where nothing has changed. So each job's files are looked at
first: if none differs in path, size, times or inode from what the newest backup saw, there is nothing to back up.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from panicroom.private_files import write_private

RACY_NANOSECONDS = 2 * 10**9
"""A file that was written so shortly before may be written again without another time: FAT keeps two seconds."""

FILE_NAME = "walk"


@dataclass(frozen=True)
class FileSeen:
    """Of one file: bytes, the times of its content and of its inode in nanoseconds, and the inode."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @property
    def content(self) -> tuple[int, int]:
        """What stays when a file is moved or copied with its times."""
        return self.size, self.mtime_ns


@dataclass(frozen=True)
class Walk:
    """The files of ``source`` by their paths in it; ``began_ns`` is when it began, by this computer's clock."""

    source: str
    files: Mapping[str, FileSeen]
    began_ns: int

    @property
    def bytes(self) -> int:
        return sum(seen.size for seen in self.files.values())

    @property
    def is_steady(self) -> bool:
        """Whether no file was written while, or shortly before, it was looked at. A camera's clock may be ahead: such a
        time of the content says nothing."""
        limit = self.began_ns - RACY_NANOSECONDS
        return all(
            seen.ctime_ns < limit and not limit <= seen.mtime_ns <= self.began_ns + RACY_NANOSECONDS
            for seen in self.files.values()
        )


class WalkNotes:
    """Takes each file as ``survey`` counts it, so that nobody walks twice."""

    def __init__(self, source: Path, began_ns: int) -> None:
        self._source, self._began_ns = source, began_ns
        self._root = os.fspath(source.resolve()).rstrip("/") + "/"
        self._files: dict[str, FileSeen] = {}

    def offer(self, path: str, status: os.stat_result) -> None:
        relative = path.removeprefix(self._root)
        self._files[relative] = FileSeen(
            status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
        )

    def walk(self) -> Walk:
        return Walk(str(self._source), self._files, self._began_ns)


def is_unchanged(before: Walk, now: Walk) -> bool:
    """Whether nothing has to be backed up.

    A disk without inodes of its own gets new ones each time it is attached: where all of them are new and every other
    fact is as before, nothing has changed.
    """
    if before.files.keys() != now.files.keys():
        return False
    same_inodes = other_inodes = 0
    for path, seen in now.files.items():
        known = before.files[path]
        if (seen.size, seen.mtime_ns, seen.ctime_ns) != (known.size, known.mtime_ns, known.ctime_ns):
            return False
        if seen.inode == known.inode:
            same_inodes += 1
        else:
            other_inodes += 1
    return not other_inodes or not same_inodes


def store_walk(state: Path, walk: Walk) -> None:
    """Once a backup that began after this walk is sealed."""
    rows = [
        [path, seen.size, seen.mtime_ns, seen.ctime_ns, seen.inode]
        for path, seen in sorted(walk.files.items())
    ]
    kept = {"source": walk.source, "began_ns": walk.began_ns, "files": rows}
    text = json.dumps(kept, ensure_ascii=True)  # names that are no text have surrogates, which survive so
    write_private(state / FILE_NAME, zlib.compress(text.encode(), 6))


def forget_walk(state: Path) -> None:
    """Of a job in which files were written while they were looked at: the next backup is made in any case."""
    (state / FILE_NAME).unlink(missing_ok=True)


def recall_walk(state: Path) -> Walk | None:
    """The one of the newest backup; None where there is none, or none that can be read: then duplicity looks."""
    try:
        kept = json.loads(zlib.decompress((state / FILE_NAME).read_bytes()))
        files = {path: FileSeen(*map(int, facts)) for path, *facts in kept["files"]}
        return Walk(kept["source"], files, int(kept["began_ns"]))
    except (OSError, ValueError, KeyError, TypeError, zlib.error):
        return None
