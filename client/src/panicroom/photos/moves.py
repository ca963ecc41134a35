"""Folders that were renamed, recognised from two walks: their files have the sizes and times that they had. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from panicroom.photos.walk import FileSeen, Walk

SAME_SHARE = 0.9
"""Of a folder's bytes: it was renamed, and a few pictures in it changed at the same time."""

SMALLEST_MOVE_BYTES = 10 * 2**20
"""What is less is uploaded again without a word."""


@dataclass(frozen=True)
class Renamed:
    """A folder inside a job that has another name now, with the files and bytes that would be uploaded again."""

    before: str
    now: str
    files: int
    bytes: int


def renamed_folders(before: Walk, now: Walk) -> list[Renamed]:
    """Folders of a job whose files stand below another name now, the largest first."""
    gone = _by_folder(before.files, before.files.keys() - now.files.keys())
    come = _by_folder(now.files, now.files.keys() - before.files.keys())
    found = []
    for old, lost in gone.items():
        new = max(come, key=lambda folder: _same_bytes(lost, come[folder]), default=None)
        if new is None:
            continue
        same = _same_bytes(lost, come[new])
        if same >= SMALLEST_MOVE_BYTES and same >= SAME_SHARE * sum(seen.size for seen in lost.values()):
            found.append(Renamed(old, new, len(come[new]), sum(seen.size for seen in come[new].values())))
    return sorted(found, key=lambda one: -one.bytes)


def is_same_folder(before: Walk, now: Walk) -> bool:
    """Whether ``now`` is what ``before`` was under another name: a job's own folder, renamed or copied elsewhere."""
    total = before.bytes
    return total > 0 and _same_bytes(before.files, now.files) >= SAME_SHARE * total


def _by_folder(files: Mapping[str, FileSeen], paths: Iterable[str]) -> dict[str, dict[str, FileSeen]]:
    """The files below each folder of the first level, by their paths in it; those beside the folders are none's."""
    found: dict[str, dict[str, FileSeen]] = defaultdict(dict)
    for path in paths:
        folder, slash, rest = path.partition("/")
        if slash:
            found[folder][rest] = files[path]
    return found


def _same_bytes(one: Mapping[str, FileSeen], other: Mapping[str, FileSeen]) -> int:
    return sum(
        seen.size for path, seen in one.items() if path in other and other[path].content == seen.content
    )
