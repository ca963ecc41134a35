"""Opens the next volume of a restore while the one before it is read.

Before the first byte of a volume is there, its hash is computed, its passphrase stretched and its gpg started: 0.15
seconds for each 25 MB, a third of a restore from a quick line. duplicity would stand still for as long; here the time
passes on another processor. One thread opens all of them, since ``session_key_of`` changes duplicity's settings.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from panicroom.duplicity_run.plan import left_out_patches
from panicroom.duplicity_run.speed.use import Use

NAME = "volumes-ahead"

_MOST_AHEAD = 4
"""A gpg waits behind each of them. duplicity reads a volume of every set of a chain side by side."""

Volume = TypeVar("Volume")
Opened = TypeVar("Opened")


class VolumesAhead(Use, Generic[Volume, Opened]):
    """``open_volume`` is called in the thread; whatever it raises, be it ``SystemExit``, is raised where its volume is
    asked for. Counts the volumes that were opened early."""

    def __init__(self, open_volume: Callable[[Volume], Opened]) -> None:
        super().__init__()
        self._open = open_volume
        self._thread = ThreadPoolExecutor(1, NAME)
        self._room = 0 if NAME in left_out_patches() else _MOST_AHEAD

    def of_set(self, volumes: Sequence[Volume]) -> Iterator[Opened]:
        """The volumes of a set, opened; several sets may be read by turns, from one thread."""
        begun: Future[Opened] | None = None
        for place, volume in enumerate(volumes):
            if begun is None:
                opened = self._thread.submit(self._open, volume).result()
            else:
                self._room += 1
                self.times += 1
                opened = begun.result()
            begun = None
            if self._room and place + 1 < len(volumes):
                self._room -= 1
                begun = self._thread.submit(self._open, volumes[place + 1])
            yield opened
