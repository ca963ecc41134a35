"""What the next increment has to know of the set before: whether that one missed no change, and what it skipped."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panicroom.private_files import write_private


@dataclass(frozen=True)
class CheckedSet:
    """A set of which every run searched for changes that duplicity's comparison misses.

    ``change_time``: by change time as well. ``skipped``: paths that could not be read, relative to the source, in hex.
    """

    set: str
    source: str
    change_time: bool = True
    skipped: tuple[str, ...] = ()

    @staticmethod
    def from_fields(fields: dict[str, Any]) -> CheckedSet:
        """Raises ``KeyError``, ``TypeError`` or ``ValueError`` for what is none."""
        skipped = tuple(bytes.fromhex(path).hex() for path in fields["skipped"])
        return CheckedSet(str(fields["set"]), str(fields["source"]), fields["change_time"] is True, skipped)

    @staticmethod
    def load(path: Path) -> CheckedSet | None:
        """None where nothing is known; the next increment then searches further back."""
        try:
            return CheckedSet.from_fields(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def store(self, path: Path) -> None:
        write_private(path, json.dumps(dataclasses.asdict(self)) + "\n")


def checked_set_file(state: Path) -> Path:
    """Where a job's state folder has the newest set that was checked."""
    return state / "changes.json"
