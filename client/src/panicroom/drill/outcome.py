"""How a drill ends: for people, as JSON and for the service, which gets no names of files."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from panicroom.exit_codes import EXPLANATIONS, ExitCode, Problem
from panicroom.shown import shown_path
from panicroom.stored.times import exact_time_text, time_text
from panicroom.terminal.amounts import size_text
from panicroom.thaw.plan_text import volumes_text
from panicroom.thaw.thawer import ThawNotAllowed
from panicroom.wire import DrillOutcome, DrillReport

_NAMED = 3


class DrillFailed(Problem):
    """Something cannot be restored, or is not what was backed up. ``path``: the file, where it is one."""

    def __init__(
        self, message: str, exit_code: ExitCode = ExitCode.RESTORE_INCOMPLETE, path: str | None = None
    ) -> None:
        super().__init__(message, exit_code)
        self.path = path


class DrillSkipped(Problem):
    """It could not be tried; that says nothing about the backup."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.TRY_LATER) -> None:
        super().__init__(message, exit_code)


def failed_for(faults: Sequence[str], exit_code: ExitCode = ExitCode.RESTORE_INCOMPLETE) -> DrillFailed:
    """One failure of several sentences."""
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    return DrillFailed("; ".join(faults[:_NAMED]) + more, exit_code)


@dataclass(frozen=True)
class DrilledFile:
    """A file that was restored as of a set and is equal to its signature; ``path`` is None for a volume that was only
    read."""

    path: str | None
    set: str
    as_of: datetime
    size_bytes: int
    volumes: tuple[str, ...]


@dataclass(frozen=True)
class DrillResult:
    """``files`` and ``volumes`` are those that were proved; of a drill that waits, ``asked_volumes`` were asked for."""

    job: str
    outcome: DrillOutcome
    problem: Problem | None = None
    drilled: tuple[DrilledFile, ...] = ()
    asked_volumes: int = 0

    @property
    def files(self) -> tuple[DrilledFile, ...]:
        return tuple(item for item in self.drilled if item.path is not None)

    @property
    def volumes(self) -> frozenset[str]:
        return frozenset(name for item in self.drilled for name in item.volumes)

    @property
    def size_bytes(self) -> int:
        return sum(item.size_bytes for item in self.files)

    @property
    def message(self) -> str:
        """One sentence for whoever sits here."""
        return str(self.problem) if self.problem is not None else self._summary()

    @property
    def _reported(self) -> str:
        """One sentence for the service: what duplicity prints may have names of files in it."""
        if self.outcome is DrillOutcome.ASKED:
            return f"waits for {volumes_text(self.asked_volumes)} from the archive"
        if self.problem is None or isinstance(self.problem, (DrillFailed, DrillSkipped, ThawNotAllowed)):
            return self.message
        return EXPLANATIONS[self.problem.exit_code]

    def report(self) -> DrillReport:
        return DrillReport(
            outcome=self.outcome,
            files=len(self.files),
            bytes=self.size_bytes,
            volumes=self.asked_volumes or len(self.volumes),
            message=self._reported,
        )

    def lines(self) -> Iterator[str]:
        """For a person, of a drill that has passed."""
        yield f"{self.job}: the drill has passed: {self._summary()}"
        for item in self.files:
            assert item.path is not None
            yield f"  {shown_path(item.path)} as of {time_text(item.as_of)}"

    def as_json(self) -> dict[str, Any]:
        problem = self.problem
        return {
            "event": "drill",
            "job": self.job,
            "outcome": self.outcome.value,
            "exit_code": int(problem.exit_code if problem is not None else ExitCode.DONE),
            "files": [
                {
                    "path": item.path,
                    "as_of": exact_time_text(item.as_of),
                    "set": item.set,
                    "bytes": item.size_bytes,
                }
                for item in self.files
            ],
            "bytes": self.size_bytes,
            "volumes": sorted(self.volumes),
            "message": self.message,
            "path": problem.path if isinstance(problem, DrillFailed) else None,
        }

    def _summary(self) -> str:
        count, size = len(self.files), size_text(self.size_bytes)
        volumes = f"{volumes_text(len(self.volumes))} {'was' if len(self.volumes) == 1 else 'were'} read"
        if not count:
            return f"{volumes}, and no file is restored, as none of up to 1 GB is in them"
        files = f"1 file ({size})" if count == 1 else f"{count} files ({size})"
        are = "is" if count == 1 else "are"
        return f"{files} {are} restored and equal to the backup's signatures; {volumes}"
