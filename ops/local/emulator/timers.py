"""Does things at their time, all in one thread."""

from __future__ import annotations

import contextvars
import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

LONGEST_SLEEP_SECONDS = 60.0


class Timers:
    """MiniStack has two sleeping threads for each object that is restored: of 8,000 objects no machine has enough."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Has ``action`` done at ``when`` (seconds since 1970), with the account and region of this request."""
        context = contextvars.copy_context()
        with self._changed:
            heapq.heappush(self._waiting, (when, next(self._numbers), lambda: context.run(action)))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            action = self._next()
            try:
                action()
            except Exception:
                logging.getLogger(__name__).exception("a timer failed")

    def _next(self) -> Callable[[], None]:
        with self._changed:
            while not self._waiting or self._waiting[0][0] > time.time():
                left = self._waiting[0][0] - time.time() if self._waiting else LONGEST_SLEEP_SECONDS
                self._changed.wait(min(max(left, 0.0), LONGEST_SLEEP_SECONDS))
            return heapq.heappop(self._waiting)[2]
