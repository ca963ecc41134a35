"""The thaws that this computer has begun, so that a later command asks how they are instead of planning anew."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from panicroom.api import moment_of
from panicroom.private_files import write_private
from panicroom.thaw.volumes import VolumeNumbers, numbers_by_set, numbers_in, range_text

_REMEMBERED = timedelta(days=60)
"""As long as the service knows a thaw."""


@dataclass(frozen=True)
class RememberedThaw:
    thaw: str
    begun_at: datetime
    volumes: VolumeNumbers

    def has(self, wanted: VolumeNumbers) -> bool:
        return all(numbers <= self.volumes.get(name, frozenset()) for name, numbers in wanted.items())

    def as_json(self) -> dict[str, object]:
        return {
            "thaw": self.thaw,
            "begun_at": self.begun_at.isoformat(),
            "volumes": {name: range_text(numbers) for name, numbers in sorted(self.volumes.items())},
        }


class RememberedThaws:
    """Those of one job, in a file of its state folder. A file that cannot be read counts as empty: planning the same
    volumes again gives the same thaw."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, names: Iterable[str]) -> str | None:
        """The newest thaw that has all these volumes: a restore that has fetched some needs fewer than it asked for."""
        wanted = numbers_by_set(names)
        having = [thaw for thaw in self._read() if thaw.has(wanted)]
        return max(having, key=lambda thaw: thaw.begun_at).thaw if having else None

    def knows(self, thaw: str) -> bool:
        return any(known.thaw == thaw for known in self._read())

    def add(self, thaw: str, names: Iterable[str], now: datetime) -> None:
        kept = [known for known in self._read() if known.thaw != thaw and now - known.begun_at < _REMEMBERED]
        self._write([*kept, RememberedThaw(thaw, now, numbers_by_set(names))])

    def forget(self, thaw: str) -> None:
        self._write([known for known in self._read() if known.thaw != thaw])

    def _write(self, thaws: list[RememberedThaw]) -> None:
        write_private(self._path, json.dumps([thaw.as_json() for thaw in thaws], indent=1))

    def _read(self) -> list[RememberedThaw]:
        try:
            return [
                RememberedThaw(
                    item["thaw"],
                    moment_of(item["begun_at"]),
                    {name: numbers_in(text) for name, text in item["volumes"].items()},
                )
                for item in json.loads(self._path.read_bytes())
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return []
