"""What a person sees while duplicity works: a bar on a terminal, plain lines anywhere else."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Reporter(Protocol):
    """Takes what happens, and shows it."""

    def line(self, text: str) -> None:
        """One finished sentence."""

    def event(self, event: dict[str, Any]) -> None:
        """An event of the duplicity process, see events.py."""

    def task(self, title: str, total_bytes: int) -> contextlib.AbstractContextManager[None]:
        """While it lasts, events belong to ``title``; ``total_bytes`` are to be read or received."""


def make_reporter(stream: TextIO | None = None) -> Reporter:
    """The reporter that suits standard output."""
    stream = stream or sys.stdout
    return TerminalReporter(stream) if stream.isatty() else PlainReporter(stream)


def size_text(size_bytes: float) -> str:
    """``12.3 MB``: units of 1024, as S3 bills."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if size_bytes < 1024 or unit == "GB":
            return f"{size_bytes:.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    raise AssertionError("not reached")


class PlainReporter:
    """A line at the start, and one a stored volume."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._sent = 0

    def line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def event(self, event: dict[str, Any]) -> None:
        if event["event"] == "sent":
            self._sent += event["bytes"]
        elif event["event"] == "stored" and ".vol" in event["name"]:
            self.line(
                f"  stored {event['name']} ({size_text(event['size'])}, {size_text(self._sent)} sent so far)"
            )

    @contextlib.contextmanager
    def task(self, title: str, total_bytes: int) -> Iterator[None]:
        self._sent = 0
        self.line(f"{title}: {size_text(total_bytes)} in the source" if total_bytes else f"{title}: begun")
        yield


class TerminalReporter:
    """A bar of the bytes read, with what was sent and how fast."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # only needed here, and slow to import

        self._console = Console(file=stream, highlight=False)
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        self._moved = self._volumes = 0

    def line(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def event(self, event: dict[str, Any]) -> None:
        if self._progress is None or self._bar is None:
            return
        if event["event"] == "read":
            self._progress.update(self._bar, completed=event["bytes"])
        elif event["event"] in ("sent", "received"):
            self._moved += event["bytes"]
            if event["event"] == "received":
                self._progress.update(self._bar, completed=self._moved)
        elif event["event"] == "stored":
            self._volumes += ".vol" in event["name"]
        stored = f"{self._volumes} volumes, " if self._volumes else ""
        self._progress.update(self._bar, moved=stored + size_text(self._moved))

    @contextlib.contextmanager
    def task(self, title: str, total_bytes: int) -> Iterator[None]:
        from rich import progress

        self._moved = self._volumes = 0
        with progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=None),
            progress.TextColumn("{task.fields[moved]}"),
            progress.TransferSpeedColumn(),
            progress.TimeElapsedColumn(),
            console=self._console,
            transient=True,
            expand=True,
        ) as self._progress:
            self._bar = self._progress.add_task(title, total=total_bytes or None, moved="")
            try:
                yield
            finally:
                self._progress = None
