"""Whether the source is still the one that the backup began with: checked before a set is sealed.

A cable that is pulled or a share that goes away looks to duplicity like files that were deleted: without this the
set that says so would be the newest good backup.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from panicroom.duplicity_run.mounts import mount_points, mounts_text
from panicroom.exit_codes import ExitCode, Problem

MISSING_SHARE = 0.1
"""More files than this share, counted at the beginning and not met by duplicity, mean that the source is going. So
many are rarely deleted while a backup runs; and then the next run begins with a new count."""

MISSING_FILES = 10


@dataclass(frozen=True)
class SourceMark:
    """The source at the beginning. ``identity``: device and inode of its folder. ``mounts``: path and device of each
    file system mounted below it. ``files``: entries counted that are no folders; 0 where duplicity will not meet
    all of them, as in a resumed set."""

    source: str
    identity: tuple[int, int]
    mounts: tuple[tuple[str, int], ...]
    files: int


def mark_source(source: Path, files: int, left_out: tuple[Path, ...] = ()) -> SourceMark:
    """``source`` has its links resolved. Raises ``Problem`` if it is gone already."""
    try:
        status = source.stat()
    except OSError as error:
        raise Problem(f"the source {source} cannot be read: {error.strerror}", ExitCode.SOURCE) from None
    mounts = []
    for path in _mounts_below(source):
        if any(path.is_relative_to(folder) for folder in left_out):
            continue
        try:
            mounts.append((os.fspath(path), path.stat().st_dev))
        except OSError:
            continue  # not readable for us from the beginning
    return SourceMark(os.fspath(source), (status.st_dev, status.st_ino), tuple(mounts), files)


def fault_of(mark: SourceMark, met_files: int | None = None) -> str | None:
    """Why the set must not be sealed; None if the source is as it was. ``met_files``: the entries that duplicity
    met and that are no folders."""
    try:
        status = os.stat(mark.source)  # noqa: PTH116
        with os.scandir(mark.source) as entries:
            next(entries, None)
    except OSError as error:
        return f"the source {mark.source} went away during the backup ({error.strerror})"
    if (status.st_dev, status.st_ino) != mark.identity:
        return f"the source {mark.source} became another folder during the backup; was its disk detached?"
    for path, device in mark.mounts:
        try:
            same = os.stat(path).st_dev == device  # noqa: PTH116
        except OSError:
            same = False
        if not same:
            return f"{path} was detached during the backup"
    if mark.files and met_files is not None:
        missing = mark.files - met_files
        if missing >= MISSING_FILES and missing > mark.files * MISSING_SHARE:
            return (
                f"{missing} of {mark.files} files in {mark.source} went away or could not be read meanwhile"
            )
    return None


def _mounts_below(source: Path) -> list[Path]:
    """Mount points below ``source``, without those that the kernel detaches by itself when nobody uses them."""
    found: dict[Path, set[str]] = {}
    for path, kind in mount_points(mounts_text()):
        found.setdefault(path, set()).add(kind)
    return [
        path
        for path, types in found.items()
        if path != source and path.is_relative_to(source) and "autofs" not in types
    ]
