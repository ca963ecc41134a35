"""What duplicity does not store of a source, counted: so that nobody learns of it from a restore."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import stat
from collections import Counter

_KINDS = {
    "system.posix_acl_access": "ACLs",
    "system.posix_acl_default": "ACLs",
    "security.capability": "file capabilities",
}
_OTHER = "extended attributes"
_OF_THE_SYSTEM = ("security.selinux", "com.apple.provenance")
"""Given to every file anew by the system itself."""


class UnstoredAttributes:
    """Takes in the files of a source, as ``sources.survey`` has them."""

    def __init__(self) -> None:
        self._files: Counter[str] = Counter()
        self._names: Counter[tuple[int, int]] = Counter()

    def take(self, path: str, status: os.stat_result) -> None:
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            self._names[status.st_dev, status.st_ino] += 1
        for kind in {_KINDS.get(name, _OTHER) for name in _attributes(path)}:
            self._files[kind] += 1

    def text(self) -> str:
        """``the ACLs of 3 files, that 4 names are hard links to 2 files``; empty if all of it is stored."""
        parts = [f"the {kind} of {_files(count)}" for kind, count in self._files.items()]
        linked = [count for count in self._names.values() if count > 1]
        if linked:
            parts.append(f"that {sum(linked)} names are hard links to {_files(len(linked))}")
        return ", ".join(parts)


def _files(count: int) -> str:
    return f"{count} file{'s' if count != 1 else ''}"


def _attributes(path: str) -> list[str]:
    if not hasattr(os, "listxattr"):  # macOS
        return []
    try:
        found = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return []
    return [name for name in found if name not in _OF_THE_SYSTEM]
