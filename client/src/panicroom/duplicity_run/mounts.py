"""What is mounted on this computer, as Linux lists it."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
MOUNT_INFO = Path("/proc/self/mountinfo")


def mounts_text(file: Path = MOUNTS) -> str:
    """Empty on macOS, and in a chroot without /proc."""
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def mount_points(text: str) -> Iterator[tuple[Path, str]]:
    """Folder and type of each file system, from the format of fstab(5): blanks are written as \\040."""
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) > 2:
            yield Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1])), fields[2]
