"""Files and folders that only their owner can read: secrets, decrypted manifests and the names of files."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE_UMASK = 0o077

_NOT_THERE = frozenset([errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])


@contextmanager
def where_possible() -> Iterator[None]:
    """Around what a file system may not have: modes (exFAT, some network folders), and fsync. ``panicroom doctor`` says
    where others can read."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise


def private_folder(folder: Path) -> Path:
    """Creates ``folder`` and the parents that are missing, each with mode 0700 whatever the umask; returns it.

    Folders that exist are left as they are: they may be shared on purpose.
    """
    missing = []
    place = folder
    while not place.exists():
        missing.append(place)
        place = place.parent
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
        with where_possible():
            place.chmod(0o700)  # a umask takes bits away from mkdir's mode
    return folder


def open_to_others(path: Path) -> bool:
    """Whether other users have any rights on it."""
    return bool(path.stat().st_mode & PRIVATE_UMASK)


def close_to_others(folder: Path) -> None:
    """Sets an existing folder of ours, made wider by an older client, to 0700."""
    if folder.is_dir() and open_to_others(folder):
        with where_possible():
            folder.chmod(0o700)


def write_private(path: Path, content: str | bytes) -> None:
    """Replaces ``path`` in one step by a file that only its owner can read."""
    private_folder(path.parent)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with where_possible():
            os.fchmod(descriptor, 0o600)
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        with where_possible():
            os.fsync(file.fileno())
    fresh.replace(path)
