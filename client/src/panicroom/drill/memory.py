"""What the drills of a job remember: the choice of the one that is not over, and when each volume was drilled."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from panicroom.drill.choice import Pick
from panicroom.duplicity_run.restore_plan import from_hex, to_hex
from panicroom.private_files import write_private


@dataclass(frozen=True)
class DrillMemory:
    """A file of the job's state. ``picks`` are those of a drill that waits, was killed, or failed: they come first the
    next time. ``failed``: whether they have, since the last drill that passed. ``drilled``: when a volume was last
    read and found right, in ISO 8601, by its name.
    """

    path: Path
    picks: tuple[Pick, ...] = ()
    failed: bool = False
    drilled: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def read(path: Path) -> DrillMemory:
        """What is stored; nothing where the file is missing or damaged: then all volumes have their turn again."""
        try:
            data = json.loads(path.read_text(encoding="ascii"))
            picks = tuple(
                Pick(str(name), int(number), None if file is None else from_hex(file))
                for name, number, file in data["picks"]
            )
            drilled = {str(name): str(time) for name, time in data["drilled"].items()}
            return DrillMemory(path, picks, bool(data["failed"]), drilled)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return DrillMemory(path)

    def with_picks(self, picks: Iterable[Pick]) -> DrillMemory:
        return dataclasses.replace(self, picks=tuple(picks), failed=False)

    def passed(self, volumes: Collection[str], time: str, stored: Collection[str]) -> DrillMemory:
        """After a drill that read ``volumes``; what is not among the names ``stored`` is forgotten."""
        drilled = {**self.drilled, **dict.fromkeys(volumes, time)}
        there = {name: drilled[name] for name in sorted(drilled) if name in stored}
        return DrillMemory(self.path, drilled=there)

    def write(self) -> None:
        picks = [
            (pick.set, pick.volume, None if pick.path is None else to_hex(pick.path)) for pick in self.picks
        ]
        data = {"picks": picks, "failed": self.failed, "drilled": dict(self.drilled)}
        write_private(self.path, json.dumps(data, indent=1))
