"""Owner, mode and time of a path: what they should be, and how those of a restored path differ."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import functools
import grp
import os
import pwd
import stat
from collections.abc import Callable

from panicroom.duplicity_files.signatures import SignatureEntry

_IS_KIND: dict[str, Callable[[int], bool]] = {
    "file": stat.S_ISREG,
    "folder": stat.S_ISDIR,
    "link": stat.S_ISLNK,
    "pipe": stat.S_ISFIFO,
    "device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
}


def attributes_differ(status: os.stat_result, entry: SignatureEntry) -> str | None:
    """What of kind, mode, time and owner is not as it was; None if all of it is."""
    if not _IS_KIND[entry.kind](status.st_mode):
        return f"it is no {entry.kind}"
    owner = owner_of(entry)
    if owner is not None and (status.st_uid, status.st_gid) != owner:
        return "its owner cannot be set"
    if entry.kind == "link":
        return None
    if stat.S_IMODE(status.st_mode) != entry.mode:
        return f"its mode is {stat.S_IMODE(status.st_mode):04o} and not {entry.mode:04o}"
    if int(status.st_mtime) != max(entry.modified_at, 0):
        return "its time cannot be set"
    return None


def owner_of(entry: SignatureEntry) -> tuple[int, int] | None:
    """User and group to give a path to, by name where this computer knows the name; None unless we are root."""
    if os.geteuid() != 0:
        return None
    return _user(*entry.user), _group(*entry.group)


@functools.lru_cache
def _user(number: int, name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        return number


@functools.lru_cache
def _group(number: int, name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        return number
