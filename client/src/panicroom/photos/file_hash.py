"""SHA-256 of a file as it lies on the disk, as fast as the disk is.

A megabyte at a time goes into one buffer that is kept. The kernel reads ahead while a block is hashed, so that a thread
for reading gains nothing and costs a switch each block (``python -m bench rot`` compares).
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

BLOCK_BYTES = 2**20

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A name may have become a link or a pipe since it was looked at."""


class FileHasher:
    """``on_bytes`` gets the length of each block when it is hashed."""

    def __init__(self, on_bytes: Callable[[int], None] = lambda _count: None) -> None:
        self._buffer = bytearray(BLOCK_BYTES)
        self._view = memoryview(self._buffer)
        self._on_bytes = on_bytes

    def sha256(self, path: str) -> tuple[str, os.stat_result] | None:
        """The digest in hex, and the status with which it was read to its end; None where it was written meanwhile. Of
        a link it is that of its target's name, of a pipe or device that of nothing. Raises ``OSError``."""
        before = os.lstat(path)
        if not stat.S_ISREG(before.st_mode):
            name = os.fsencode(Path(path).readlink()) if stat.S_ISLNK(before.st_mode) else b""
            return hashlib.sha256(name).hexdigest(), before
        descriptor = os.open(path, _FLAGS)
        try:
            digest, count = self._read(descriptor)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        return (digest, after) if _facts(before) == _facts(after) and count == after.st_size else None

    def _read(self, descriptor: int) -> tuple[str, int]:
        digest, done = hashlib.sha256(), 0
        # What the memory still has of the file says nothing about the disk.
        _advise(descriptor, 0, "POSIX_FADV_DONTNEED")
        _advise(descriptor, 0, "POSIX_FADV_SEQUENTIAL")
        while count := os.readv(descriptor, [self._buffer]):
            digest.update(self._view[:count])
            done += count
            _advise(descriptor, done, "POSIX_FADV_DONTNEED")
            self._on_bytes(count)
        return digest.hexdigest(), done


def _facts(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _advise(descriptor: int, length: int, name: str) -> None:
    """For the first ``length`` bytes, all if 0. A Mac has no such call, and hashes all the same."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, length, getattr(os, name))
