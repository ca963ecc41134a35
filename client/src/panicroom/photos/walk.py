"""What a walk through a photo job found, and whether it is what the last backup found.

duplicity takes seconds and stores a set each time, also where nothing has changed. So each job's files are looked at
first: if none differs in path, size, times or inode from what the newest backup saw, there is nothing to back up.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from panicroom.private_files import write_private

RACY_NANOSECONDS = 2 * 10**9
"""A file that was written so shortly before may be written again without another time: FAT keeps two seconds."""

_FILE_NAME = "walk"


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

    def is_copy_of(self, other: FileSeen) -> bool:
        """Whether it may have been copied with its time, also by a disk that keeps two seconds of it."""
        return self.size == other.size and abs(self.mtime_ns - other.mtime_ns) <= RACY_NANOSECONDS

    @property
    def facts(self) -> tuple[int, int, int]:
        """What stays on a disk without inodes of its own when it is attached again."""
        return self.size, self.mtime_ns, self.ctime_ns


@dataclass(frozen=True)
class WalkScope:
    """Where a walk went: two of them compare only where this is the same. ``selection`` stands for what is left out.
    ``keeps_inodes``: whether the disk has inodes of its own, or makes some up each time it is attached."""

    source: str
    selection: str = ""
    keeps_inodes: bool = True


@dataclass(frozen=True)
class Walk:
    """The files of a job by their paths in it. ``began_ns`` is when it began, by this computer's clock. ``links``: the
    files that are links; they are not remembered."""

    scope: WalkScope
    files: Mapping[str, FileSeen]
    began_ns: int
    links: Sequence[str] = field(default=(), compare=False)

    @property
    def bytes(self) -> int:
        return sum(seen.size for seen in self.files.values())


@dataclass(frozen=True)
class RememberedWalk:
    """The walk before a job's newest backup. ``settles``: that backup was finished, read all of the files, and none of
    them was being written. ``newest``: when the newest complete set was stored, once the service has said so.
    ``renamed_files``: how many have got another name since, and are in a backup by it: one of another job, or one that
    was not finished."""

    walk: Walk
    settles: bool
    newest: str | None = None
    renamed_files: int = 0


@dataclass
class WalkNotes:
    """Takes each file as ``survey`` counts it. ``root`` is the source with its links resolved. ``links``: those of the
    files that are."""

    root: Path
    files: dict[str, FileSeen] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._above = os.fspath(self.root).rstrip("/") + "/"

    def offer(self, path: str, status: os.stat_result) -> None:
        name = path.removeprefix(self._above)
        if stat.S_ISLNK(status.st_mode):
            self.links.append(name)
        self.files[name] = FileSeen(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def is_unchanged(before: Walk, now: Walk) -> bool:
    """Whether the files are those that ``before`` saw, so that nothing has to be backed up.

    Where a disk has no inodes of its own, or all of them are others, a new inode says nothing.
    """
    if before.scope != now.scope or before.files.keys() != now.files.keys():
        return False
    if any(seen.facts != before.files[path].facts for path, seen in now.files.items()):
        return False
    if not now.scope.keeps_inodes or all(
        seen.inode == before.files[path].inode for path, seen in now.files.items()
    ):
        return True
    return _inodes(before).isdisjoint(_inodes(now))  # two files whose names were swapped have each other's


def _inodes(walk: Walk) -> set[int]:
    return {seen.inode for seen in walk.files.values()}


def is_steady(walk: Walk, earlier: Walk | None = None) -> bool:
    """Whether each file that is written from now on will have other times than ``walk`` saw.

    It is so where they are a while past; or where ``earlier``, which was over that long before, saw the same ones. So
    neither a camera nor a disk of the network needs the right time.
    """
    since = walk.began_ns - RACY_NANOSECONDS
    until = walk.began_ns + RACY_NANOSECONDS

    def is_past(path: str, seen: FileSeen) -> bool:
        if seen.ctime_ns < since and not since <= seen.mtime_ns <= until:
            return True
        return earlier is not None and earlier.files.get(path) == seen

    return all(is_past(path, seen) for path, seen in walk.files.items())


def remember_walk(state: Path, remembered: RememberedWalk) -> None:
    """In the job's folder ``state``; the one before is replaced."""
    walk = remembered.walk
    rows = [
        [path, seen.size, seen.mtime_ns, seen.ctime_ns, seen.inode]
        for path, seen in sorted(walk.files.items())
    ]
    kept = {
        "scope": [walk.scope.source, walk.scope.selection, walk.scope.keeps_inodes],
        "began_ns": walk.began_ns,
        "settles": remembered.settles,
        "newest": remembered.newest,
        "renamed_files": remembered.renamed_files,
        "files": rows,
    }
    text = json.dumps(kept, ensure_ascii=True)  # names that are no text have surrogates, which survive so
    write_private(state / _FILE_NAME, zlib.compress(text.encode(), 1))


def recall_walk(state: Path) -> RememberedWalk | None:
    """None where there is none, or none that can be read: then duplicity looks."""
    try:
        kept = json.loads(zlib.decompress((state / _FILE_NAME).read_bytes()))
        files = {path: FileSeen(*map(int, facts)) for path, *facts in kept["files"]}
        walk = Walk(WalkScope(*kept["scope"]), files, int(kept["began_ns"]))
        return RememberedWalk(
            walk, kept["settles"] is True, kept["newest"], int(kept.get("renamed_files", 0))
        )
    except (OSError, ValueError, KeyError, TypeError, zlib.error):
        return None
