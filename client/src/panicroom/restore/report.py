"""What a restore has brought back, and what of it is not as it was: for people, for the log and as JSON."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from panicroom.exit_codes import ExitCode, Problem
from panicroom.restore.opened_chain import UnusableSet
from panicroom.shown import short_path, shown_path
from panicroom.stored.times import exact_time_text, time_text
from panicroom.terminal.amounts import size_text

_NAMED_PATHS = 3


@dataclass(frozen=True)
class DifferingPath:
    """A path that is not in the target as it was backed up. ``newest``: the time as of which it can still be had;
    ``restored``: it is there as of that time."""

    path: str
    reason: str
    newest: datetime | None = None
    restored: bool = False


@dataclass(frozen=True)
class RestoreReport:
    """``missing`` are paths that were asked for and are not in the backup of that time."""

    to: Path
    files: int
    size_bytes: int
    as_of: datetime
    is_newest: bool
    differing: tuple[DifferingPath, ...] = ()
    missing: tuple[str, ...] = ()
    unusable: UnusableSet | None = None
    notes: tuple[str, ...] = field(default=())

    def lines(self) -> Iterator[str]:
        """Sentences for a person: what there is now; what is not right is the ``problem``."""
        which = " (the newest backup)" if self.is_newest else ""
        amount = f"{self.files} file{'s' if self.files != 1 else ''} ({size_text(self.size_bytes)})"
        yield f"Restored {amount} as of {time_text(self.as_of)}{which} to {shown_path(str(self.to))}"
        yield from self.notes

    def problem(self, log_file: Path) -> Problem | None:
        """None if everything that was asked for is there as it was."""
        texts = [*self._unusable(), *self._missing(), *self._differing(log_file)]
        if not texts:
            return None
        code = (
            ExitCode.RESTORE_INCOMPLETE if self.differing or self.unusable is not None else ExitCode.NOT_FOUND
        )
        return Problem("; ".join(texts), code)

    def log_lines(self) -> Iterator[str]:
        """All that is not right, a line each."""
        for path in self.missing:
            yield f"not in the backup: {path!r}"
        for item in self.differing:
            newest = f"; newest: {exact_time_text(item.newest)}" if item.newest else ""
            yield f"not as it was backed up: {item.path!r}: {item.reason}{newest}"

    def as_json(self) -> dict[str, Any]:
        return {
            "event": "restored",
            "to": str(self.to),
            "files": self.files,
            "bytes": self.size_bytes,
            "as_of": exact_time_text(self.as_of),
            "newest": self.is_newest,
            "differing": [
                {
                    "path": item.path,
                    "reason": item.reason,
                    "newest": item.newest and exact_time_text(item.newest),
                    "restored": item.restored,
                }
                for item in self.differing
            ],
            "missing": list(self.missing),
            "notes": list(self.notes),
            "unusable": self.unusable
            and {
                "set": self.unusable.name,
                "reason": self.unusable.reason,
                "advice": self.unusable.quarantine,
            },
        }

    def _unusable(self) -> Iterator[str]:
        if self.unusable is not None:
            yield (
                f"the backup {self.unusable.name} cannot be opened ({self.unusable.reason}), so everything is as of "
                f"{time_text(self.as_of)}; the owner of the service can hide it: {self.unusable.quarantine}"
            )

    def _missing(self) -> Iterator[str]:
        for path in self.missing:
            yield f"{shown_path(path)} is not in the backup of {time_text(self.as_of)}: no such path"

    def _differing(self, log_file: Path) -> Iterator[str]:
        if not self.differing:
            return
        named = ", ".join(_named(item) for item in self.differing[:_NAMED_PATHS])
        count, more = len(self.differing), ""
        if count > _NAMED_PATHS:
            more = f" and {count - _NAMED_PATHS} more, all of them in {log_file}"
        yield f"{count} path{'s are' if count != 1 else ' is'} not as backed up: {named}{more}"


def _named(item: DifferingPath) -> str:
    newest = ""
    if item.restored and item.newest:
        newest = f"; restored as of {time_text(item.newest)}"
    elif item.newest:
        newest = f"; --nearest restores it as of {time_text(item.newest)}"
    return f"{short_path(item.path)} ({item.reason}{newest})"
