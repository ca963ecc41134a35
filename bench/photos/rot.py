"""How fast ``panicroom photos check`` reads, beside a loop that only reads and hashes, in the same run."""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from panicroom.photos.file_hash import BLOCK_BYTES, FileHasher

FILES, FILE_MB = 6, 80
ROUNDS = 5
TO_PLAIN = 1.25
"""At most so many times the seconds of plain hashlib; both read from the disk."""


def measure(say: Callable[[str], None]) -> list[str]:
    """Says MB (2^20 bytes) a second of each; the budget that was missed."""
    hasher, block = FileHasher(), os.urandom(BLOCK_BYTES)
    found: dict[str, list[float]] = {"photos check": [], "plain hashlib": [], "hashlib without a file": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        paths = [Path(name) / f"{number}.raw" for number in range(FILES)]
        for path in paths:
            path.write_bytes(os.urandom(FILE_MB * 2**20))
        os.sync()  # what is not written yet cannot be dropped from memory
        for _round in range(ROUNDS):
            found["photos check"].append(_seconds(lambda: [hasher.sha256(str(path)) for path in paths]))
            _drop(paths)
            found["plain hashlib"].append(_seconds(lambda: _hash_plainly(paths)))
            found["hashlib without a file"].append(_seconds(lambda: _hash_in_memory(block)))
    medians = {what: statistics.median(seconds) for what, seconds in found.items()}
    for what, seconds in medians.items():
        say(
            f"  {what}: {FILES * FILE_MB / seconds:.0f} MB/s, at best {FILES * FILE_MB / min(found[what]):.0f}"
        )
    ratio = medians["photos check"] / medians["plain hashlib"]
    kept = ratio <= TO_PLAIN
    say(f"  seconds to those of plain hashlib: {ratio:.2f} (at most {TO_PLAIN}) {'ok' if kept else 'MISSED'}")
    return [] if kept else ["photos check to plain hashlib"]


def _seconds(run: Callable[[], object]) -> float:
    began_at = time.perf_counter()
    run()
    return time.perf_counter() - began_at


def _drop(paths: list[Path]) -> None:
    """From memory, as the check does by itself."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def _hash_plainly(paths: list[Path]) -> None:
    for path in paths:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)


def _hash_in_memory(block: bytes) -> None:
    digest = hashlib.sha256()
    for _number in range(FILES * FILE_MB * 2**20 // len(block)):
        digest.update(block)
