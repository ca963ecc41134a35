"""What shows a backup or a restore while it goes on: the methods that all of them have."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
from typing import Any, Protocol

from panicroom.exit_codes import Problem
from panicroom.terminal.amounts import size_text
from panicroom.terminal.run_totals import RunTotals


class Reporter(Protocol):
    """Takes what happens, and shows it."""

    def line(self, text: str) -> None:
        """One finished sentence."""

    def event(self, event: dict[str, Any]) -> None:
        """An event of the duplicity process, see events.py."""

    def busy(self, text: str) -> contextlib.AbstractContextManager[None]:
        """While it lasts, something is being prepared that has no events: files are counted, the service is asked."""

    def task(
        self, title: str, total_bytes: int, *, brief: bool = False
    ) -> contextlib.AbstractContextManager[None]:
        """While it lasts, events belong to ``title``; ``total_bytes`` are to be read or received.

        ``brief``: it leaves no line behind, unless it lasts for minutes.
        """

    def done(self, summary: RunTotals) -> None:
        """A set was made."""

    def failed(self, job: str, problem: Problem) -> None:
        """A job's backup failed. Its line on standard error is somebody else's."""


def begun_text(title: str, total_bytes: int) -> str:
    return f"{title}: {size_text(total_bytes)} in the source" if total_bytes else f"{title} ..."
