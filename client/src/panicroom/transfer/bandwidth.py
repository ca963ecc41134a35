"""How the line is used: no faster than the setting allows, and by as many uploads at once as pay."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FIRST_THREADS = 4
"""They fill most lines. A line on which each connection has a limit of its own is filled by more."""

_WINDOW_SECONDS = 0.5
_WINDOW_BYTES = 4 * 2**20
_LONGEST_WINDOW_SECONDS = 4.0
"""A rate is taken over half a second or more: until so many bytes were sent, as they are counted in chunks."""

_BUFFERED_BYTES = 4 * 2**20
"""So much a new connection takes at once without sending it: the largest buffer a socket usually has."""

_GAIN = 1.1
_TRY_AGAIN_SECONDS = 60.0


class RateLimit:
    """A token bucket: all threads together send ``bytes_a_second``; None for as much as the line takes."""

    def __init__(
        self,
        bytes_a_second: int | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_a_second
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._free_at = clock()

    def chunk_bytes(self, usual: int) -> int:
        """How much to send at a time: an eighth of a second's worth, so that no connection falls silent long
        enough (20 seconds) for S3 to close it, be they many."""
        return usual if self._rate is None else max(1024, min(usual, self._rate // 8))

    def take(self, size_bytes: int) -> None:
        """Returns when so many bytes may be sent."""
        if self._rate is None:
            return
        with self._lock:
            # What was not used is not saved up.
            begins_at = max(self._free_at, self._clock())
            self._free_at = begins_at + size_bytes / self._rate
        pause = begins_at - self._clock()
        if pause > 0:
            self._sleep(pause)


class Growth:
    """How many uploads run at once. Whoever waits for one to end asks; more are begun while more carry more.

    What a new connection swallows at first is not counted.
    """

    def __init__(self, most_threads: int) -> None:
        self.threads = min(FIRST_THREADS, most_threads)
        self._most = most_threads
        self._best_rate = 0.0
        self._skip_until_bytes = 0
        self._window: tuple[float, int] | None = None
        self._not_before = 0.0

    def begins_to_wait(self) -> None:
        """Until now the uploads may have been idle at times."""
        self._window = None

    def added(self, now: float, sent_bytes: int) -> int:
        """Threads to be added now, as ``sent_bytes`` have been sent in all; mostly none."""
        if self.threads >= self._most or now < self._not_before or sent_bytes < self._skip_until_bytes:
            return 0
        if self._window is None:
            self._window = now, sent_bytes
            return 0
        began_at, bytes_then = self._window
        seconds, sent = now - began_at, sent_bytes - bytes_then
        if seconds < _WINDOW_SECONDS or (sent < _WINDOW_BYTES and seconds < _LONGEST_WINDOW_SECONDS):
            return 0
        rate = sent / seconds
        self._window = None
        if rate <= self._best_rate * _GAIN:
            self._not_before = now + _TRY_AGAIN_SECONDS
            return 0
        self._best_rate = rate
        more = min(self._most - self.threads, self.threads)
        self.threads += more
        self._skip_until_bytes = sent_bytes + more * _BUFFERED_BYTES
        return more
