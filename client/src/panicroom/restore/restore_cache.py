"""The folder of volumes of a restore, in the cache: a restore that was killed finds there what it had fetched.

It lives as long as its restore can be carried on. One whose target nobody will finish is removed by a later restore:
never that of a running one, nor one whose files are still beside their target. What a restore that was killed at its
very end has left beside its target is removed as well.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from panicroom.private_files import private_folder
from panicroom.restored_tree.working_folder import WorkingFolder, remove_finished

_PREFIX = "restoring-"
_LOCK = ".in-use"
_TARGET = "target"
"""Holds the path of the restore's working folder."""

_YOUNG_SECONDS = 86_400.0
"""A restore that was killed before its first file has nothing but this folder; a day later it begins anew."""


@dataclass(frozen=True)
class RestoreCache:
    """``lock`` is the descriptor that holds ``folder`` while it is open, here and in a process that inherits it."""

    folder: Path
    lock: int


@contextmanager
def restore_cache(parent: Path, folder: WorkingFolder) -> Iterator[RestoreCache]:
    """The folder in ``parent`` for the restore that works in ``folder``, the same each time; locked meanwhile.

    Waits for the duplicity of a restore that was killed: it ends by itself, a moment later, and writes until then.
    """
    remove_abandoned(parent, time.time())
    path = parent / f"{_PREFIX}{folder.key}"
    descriptor = _locked(path)
    try:
        (path / _TARGET).write_bytes(os.fsencode(folder.folder))
        yield RestoreCache(path, descriptor)
    finally:
        os.close(descriptor)


def remove_abandoned(parent: Path, now: float) -> None:
    """Removes the folders of restores that nobody will carry on; ``now`` is in seconds since 1970."""
    for path in parent.glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _can_be_carried_on(path, now):
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue  # it is running
        finally:
            os.close(descriptor)


def _can_be_carried_on(path: Path, now: float) -> bool:
    try:
        target = path / _TARGET
        working = Path(os.fsdecode(target.read_bytes()))
        remove_finished(working)
        return working.exists() or now - target.stat().st_mtime < _YOUNG_SECONDS
    except OSError:
        return now - path.stat().st_mtime < _YOUNG_SECONDS


def _locked(path: Path) -> int:
    """The descriptor that holds the lock; of the folder that is there, as another restore may just have removed one."""
    while True:
        private_folder(path)
        descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)
