"""Progress on a terminal."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import re
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from panicroom.exit_codes import Problem
from panicroom.terminal.amounts import clock_text, part_text, share_text, size_text
from panicroom.terminal.rates import Flow, RateMeter, waiting_text
from panicroom.terminal.reporter import begun_text
from panicroom.terminal.run_totals import RunTotals

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID
    from rich.status import Status


_COMMAND = re.compile(r"(?:^|(?<=: )|(?<=\d\. ))(?:panicroom|python -m ops) (?:(?![,;.] ).)*$")
"""At the end of a line, or all of a numbered step: what somebody is to type, or to copy."""


def by_words(text: str, columns: int) -> str:
    """``text`` in lines of so many columns; a word that is longer, such as a path, stays whole, and so does a command
    at a line's end."""
    return "\n".join(_wrapped(line, columns) for line in text.split("\n"))


def _wrapped(line: str, columns: int) -> str:
    command = _COMMAND.search(line) if len(line) > columns else None
    prose = line[: command.start()].rstrip() if command else line
    lines = [textwrap.fill(prose, columns, break_long_words=False, break_on_hyphens=False)] if prose else []
    return "\n".join([*lines, command[0]] if command else lines)


class TerminalReporter:
    """Two bars: bytes read of the source, and bytes of volumes sent; a restore has one."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # only needed here, and slow to import

        self._console = Console(file=stream, highlight=False)
        self._progress: Progress | None = None
        self._rows: dict[str, TaskID] = {}
        self._meter = RateMeter(0)
        self._busy_with = ""
        self._status: Status | None = None

    def line(self, text: str) -> None:
        self._console.print(by_words(text, self._console.width), markup=False, soft_wrap=True)

    def event(self, event: dict[str, Any]) -> None:
        meter = self._meter
        meter.take(event)
        if self._status is not None and event["event"] == "waiting":
            self._status.update(f"{self._busy_with} ... {waiting_text(event['seconds'])}")
        if self._status is not None and event["event"] == "thaw":
            self._status.update(f"{self._busy_with} ... {event['text']}")
        if self._progress is None:
            return
        if event["event"] == "waiting":
            for row in self._rows.values():
                self._progress.update(row, rate="", left="")
        elif event["event"] in ("expected", "received"):
            if not meter.read_total_bytes:  # a backup fetches a little metadata at most
                self._row("received", meter.received, meter.receive_total_bytes)
        elif event["event"] == "looked":
            self._row("read", meter.read, meter.read_total_bytes)
        elif event["event"] in ("read", "statistics", "made", "sent"):
            self._row("read", meter.read, meter.read_total_bytes)
            self._row("sent", meter.sent, meter.send_total_bytes)

    def _row(self, name: str, flow: Flow, total: int) -> None:
        assert self._progress is not None
        fields: dict[str, Any] = {
            "share": share_text(flow.bytes, total),
            "moved": part_text(flow.bytes, total) if total else size_text(flow.bytes),
            "rate": f"{size_text(flow.rate)}/s" if flow.rate else "",
            "left": self._left_text() if name != "read" or self._meter.only_reads else "",
        }
        if name not in self._rows:
            for waiting in self._progress.task_ids:
                if waiting not in self._rows.values():
                    self._progress.remove_task(waiting)
            self._rows[name] = self._progress.add_task(name, total=total or None, **fields)
        self._progress.update(self._rows[name], completed=flow.bytes, total=total or None, **fields)

    def _left_text(self) -> str:
        """One time for all of it, as what is read still has to be sent."""
        left = self._meter.left_seconds
        return "" if left is None else f"{clock_text(left)} left"

    @contextlib.contextmanager
    def busy(self, text: str) -> Iterator[None]:
        with self._console.status(f"{text} ...", spinner_style="green") as status:
            self._busy_with, self._status = text, status
            try:
                yield
            finally:
                self._status = None

    @contextlib.contextmanager
    def task(self, title: str, total_bytes: int, *, brief: bool = False) -> Iterator[None]:
        self._meter = RateMeter(total_bytes)
        if not brief:
            self.line(begun_text(title, total_bytes))
        with self._bars() as self._progress:
            self._rows = {}
            # A sign of life from the first moment; the first row takes its place.
            first = title if brief else "starting"
            self._progress.add_task(first, total=None, share="", moved="", rate="", left="")
            try:
                yield
            finally:
                self._progress = None

    def _bars(self) -> Progress:
        from rich import progress
        from rich.table import Column
        from rich.text import Text

        def text(field: str) -> progress.TextColumn:
            column = Column(justify="right", no_wrap=True)
            return progress.TextColumn("{task.fields[" + field + "]}", table_column=column)

        reporter = self

        class Bars(progress.Progress):
            """The bars, and a line below them while the network is gone."""

            def get_renderables(self) -> Iterator[RenderableType]:
                yield from super().get_renderables()
                if reporter._meter.waiting_text:
                    yield Text(f"  {reporter._meter.waiting_text}", style="yellow")

        return Bars(
            progress.SpinnerColumn(style="green"),
            progress.TextColumn("{task.description}"),
            # rich's own colour for a bar that is not full is red, as if something was wrong.
            progress.BarColumn(
                bar_width=None, complete_style="green", finished_style="green", pulse_style="green"
            ),
            *(text(field) for field in ("share", "moved", "rate", "left")),
            console=self._console,
            transient=True,
            expand=True,
        )

    def done(self, summary: RunTotals) -> None:
        for line in summary.lines():
            self.line(line)

    def failed(self, job: str, problem: Problem) -> None:
        pass
