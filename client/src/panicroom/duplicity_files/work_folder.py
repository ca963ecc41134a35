"""Folders for the length of a command, in the cache; what a killed command has left is removed by the next one."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panicroom.private_files import private_folder

_PREFIXES = ("read-", "metadata-", "drill-", "restore-", "look-")
"""The last one is of version 0.1."""

_LOCK = ".in-use"
_ABANDONED_SECONDS = 86_400.0
"""A folder without a lock is one of an older version, or just being made."""


@contextmanager
def work_folder(parent: Path, purpose: str) -> Iterator[Path]:
    """A new private folder ``<purpose>-...`` in ``parent``; ``purpose`` is one of the prefixes."""
    with locked_work_folder(parent, purpose) as (folder, _lock):
        yield folder


@contextmanager
def locked_work_folder(parent: Path, purpose: str) -> Iterator[tuple[Path, int]]:
    """A ``work_folder``, and the descriptor that holds it: it is in use until all processes that inherit that end."""
    private_folder(parent)
    remove_abandoned(parent)
    with tempfile.TemporaryDirectory(prefix=f"{purpose}-", dir=parent, ignore_cleanup_errors=True) as name:
        descriptor = os.open(Path(name) / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Path(name), descriptor
        finally:
            os.close(descriptor)


def remove_abandoned(parent: Path) -> None:
    """Removes the folders of commands that are over."""
    for folder in parent.iterdir():
        if folder.name.startswith(_PREFIXES) and folder.is_dir() and _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        try:
            return time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS
        except OSError:
            return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
