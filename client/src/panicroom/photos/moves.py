"""Pictures that have another name now, recognised from two walks: they have the sizes and times that they had. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from panicroom.photos.walk import FileSeen, Walk

SAME_SHARE = 0.9
"""Of a folder's bytes: it was renamed, and a few pictures in it changed at the same time."""

SMALLEST_MOVE_BYTES = 10 * 2**20
"""What is less is uploaded again without a question."""


@dataclass(frozen=True)
class Renamed:
    """A folder inside a job that has another name now, or whose files have: then both names are the same. ``files`` and
    ``bytes`` are stored already and would be uploaded again."""

    before: str
    now: str
    files: int
    bytes: int

    def __str__(self) -> str:
        if self.before == self.now:
            return f"{self.files} files in {self.before or 'it'} have other names now"
        if _plain(self.before) == _plain(self.now):
            return f"the letters with accents in {self.now} are written in another way now"
        return f"{self.before or 'what lay beside the folders'} is {self.now or 'beside the folders'} now"


@dataclass(frozen=True)
class MovedBetween:
    """The folder ``before`` of the job ``old_job``, or a part of it, that is ``now`` in ``new_job``."""

    old_job: str
    new_job: str
    before: str
    now: str
    files: int
    bytes: int


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def renamed_folders(before: Walk, now: Walk) -> list[Renamed]:
    """What was renamed or moved inside a job, the largest first; empty where it is little."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for old, new in moved_files(before.files, now.files):
        pair = sums[_differing_folders(old, new)]
        pair[0] += 1
        pair[1] += now.files[new].size
    if sum(size for _files, size in sums.values()) < SMALLEST_MOVE_BYTES:
        return []
    found = [Renamed(old, new, files, size) for (old, new), (files, size) in sums.items()]
    return sorted(found, key=lambda renamed: -renamed.bytes)


def count_renamed(before: Walk, now: Walk) -> int:
    """How many files have another name or folder now, however small they are."""
    return sum(1 for _pair in moved_files(before.files, now.files))


def keeps_some(before: Walk, now: Walk) -> bool:
    """Whether a tenth of the files are where they were, however large the others were that are gone."""
    return len(_staying(before, now)) > (1 - SAME_SHARE) * len(before.files)


def is_same_folder(before: Walk, now: Walk) -> bool:
    """Whether ``now`` is what ``before`` was under another name: a job's own folder, renamed or copied elsewhere."""
    stays = sum(seen.size for seen in _staying(before, now))
    moved = sum(now.files[new].size for _old, new in moved_files(before.files, now.files))
    return before.bytes > 0 and stays + moved >= SAME_SHARE * before.bytes


def _staying(before: Walk, now: Walk) -> list[FileSeen]:
    """The disk with the copy may keep other fractions of a second."""
    there = now.files
    return [seen for path, seen in before.files.items() if path in there and there[path].is_copy_of(seen)]


def moved_files(before: Mapping[str, FileSeen], now: Mapping[str, FileSeen]) -> Iterator[tuple[str, str]]:
    """Pairs of paths: where a file was that is gone, and where one of its size and time has come."""
    gone: dict[tuple[int, int], list[str]] = defaultdict(list)
    for path in before.keys() - now.keys():
        gone[before[path].content].append(path)
    for new in sorted(now.keys() - before.keys()):
        paths = gone.get(now[new].content)
        if paths:
            old = _nearest(new, paths)
            paths.remove(old)
            yield old, new


def moved_between(
    before: Mapping[str, Mapping[str, FileSeen]], now: Mapping[str, Mapping[str, FileSeen]]
) -> list[MovedBetween]:
    """Of the files by job and path, what went from one job into another."""
    sums: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    there = _joined(now)
    for old, new in moved_files(_joined(before), there):
        old_job, new_job = old.split("/")[0], new.split("/")[0]
        if old_job != new_job:
            counted = sums[old_job, new_job, _session_of(old), _session_of(new)]
            counted[0] += 1
            counted[1] += there[new].size
    return [MovedBetween(*names, files, size) for names, (files, size) in sums.items()]


def _joined(jobs: Mapping[str, Mapping[str, FileSeen]]) -> dict[str, FileSeen]:
    return {f"{job}/{path}": seen for job, files in jobs.items() for path, seen in files.items()}


def _session_of(path: str) -> str:
    """The folder in the job; empty for a file that lies in none."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def _nearest(new: str, paths: Collection[str]) -> str:
    """The path that ends as ``new`` does."""
    parts = new.split("/")

    def common(path: str) -> int:
        count = 0
        for one, other in zip(reversed(path.split("/")), reversed(parts), strict=False):
            if one != other:
                break
            count += 1
        return count

    return max(sorted(paths), key=common)


def _differing_folders(old: str, new: str) -> tuple[str, str]:
    """The two folders without what is the same below them: ``a/x`` and ``b/x`` of ``a/x/1.raw`` and ``b/x/1.raw`` are
    ``a`` and ``b``."""
    before, now = old.split("/"), new.split("/")
    if before[-1] != now[-1]:
        return "/".join(before[:-1]), "/".join(now[:-1])
    while before and now and before[-1] == now[-1]:
        before.pop()
        now.pop()
    return "/".join(before), "/".join(now)
