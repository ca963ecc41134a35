"""How fast this computer downloads: for how many days thawed copies have to be kept."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LEAST_BYTES = 8 * 2**20
"""Below this the answers' delays, not the line, are measured."""

SMALL_BYTES = 2**20
"""Files up to this size are not counted, for the same reason."""


class MeasuredLine:
    """All downloads of a command together. Only time in which at least one goes on counts. Safe to use from several
    threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._going_on, self._bytes, self._seconds = 0, 0, 0.0
        self._began_at = 0.0

    @contextmanager
    def downloading(self) -> Iterator[Callable[[int], None]]:
        """For as long as one download goes on; call what it gives with the bytes of each piece."""
        with self._lock:
            if not self._going_on:
                self._began_at = self._clock()
            self._going_on += 1
        try:
            yield self._count
        finally:
            with self._lock:
                self._going_on -= 1
                if not self._going_on:
                    self._seconds += self._clock() - self._began_at

    def _count(self, size_bytes: int) -> None:
        with self._lock:
            self._bytes += size_bytes

    @property
    def bytes_a_second(self) -> int | None:
        """None where too little was downloaded to tell."""
        with self._lock:
            if self._bytes < LEAST_BYTES or self._seconds <= 0:
                return None
            return max(1, int(self._bytes / self._seconds))
