"""file_identity"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from pathlib import Path


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
