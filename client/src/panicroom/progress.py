"""What a person or a program sees while duplicity works: bars on a terminal, plain lines or JSON anywhere else."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from panicroom.exit_codes import Problem

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID

_PLAIN_SECONDS = 60.0
_JSON_SECONDS = 1.0
_NAMED_FILES = 3


@dataclass(frozen=True)
class Summary:
    """How a set was made. ``skipped`` are files that could not be read, by full path; sockets hold nothing that
    could be stored."""

    job: str
    kind: str
    resumed: bool
    new: int
    changed: int
    deleted: int
    volumes: int
    sent_bytes: int
    seconds: float
    skipped: tuple[str, ...]
    sockets: int
    log_file: str

    def lines(self) -> list[str]:
        """Three sentences: what was found, what was sent, and what was left out."""
        done = "finished" if self.resumed else "done"
        rate = f" at {size_text(self.sent_bytes / self.seconds)}/s" if self.seconds >= 1 else ""
        changes = f"{self.new} new, {self.changed} changed, {self.deleted} deleted"
        volumes = f"{self.volumes} volume{'s' if self.volumes != 1 else ''}"
        sent = f"{size_text(self.sent_bytes)} sent in {clock_text(self.seconds)}{rate}"
        return [
            f"{self.job}: {self.kind} backup {done}: {changes}",
            f"{self.job}: {volumes}, {sent}",
            f"{self.job}: {self._left_out()}",
        ]

    def _left_out(self) -> str:
        said = []
        if self.skipped:
            named = ", ".join(shown_path(path) for path in self.skipped[:_NAMED_FILES])
            more = f" and {len(self.skipped) - _NAMED_FILES} more" if len(self.skipped) > _NAMED_FILES else ""
            said.append(f"{len(self.skipped)} could not be read: {named}{more}; see {self.log_file}")
        if self.sockets:
            said.append(f"{self.sockets} socket{'s' if self.sockets != 1 else ''} left out")
        return "; ".join(said) or "everything could be read"


class Reporter(Protocol):
    """Takes what happens, and shows it."""

    def line(self, text: str) -> None:
        """One finished sentence."""

    def event(self, event: dict[str, Any]) -> None:
        """An event of the duplicity process, see events.py."""

    def task(self, title: str, total_bytes: int) -> contextlib.AbstractContextManager[None]:
        """While it lasts, events belong to ``title``; ``total_bytes`` are to be read or received."""

    def done(self, summary: Summary) -> None:
        """A set was made."""

    def failed(self, job: str, problem: Problem) -> None:
        """A job's backup failed. Its line on standard error is somebody else's."""


def make_reporter(stream: TextIO | None = None, as_json: bool = False) -> Reporter:
    """The reporter that suits standard output."""
    stream = stream or sys.stdout
    if as_json:
        return JsonReporter(stream)
    return TerminalReporter(stream) if stream.isatty() else PlainReporter(stream)


def size_text(size_bytes: float) -> str:
    """``12.3 MB``: units of 1024, as S3 bills."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if size_bytes < 1024 or unit == "GB":
            return f"{size_bytes:.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    raise AssertionError("not reached")


def clock_text(seconds: float) -> str:
    """``0:07``, ``12:34`` or ``5:12:34``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def shown_path(path: str) -> str:
    """A path that a terminal can take: neither control characters nor bytes that are no text."""
    return "".join(letter if letter.isprintable() else "?" for letter in path)


class Meter:
    """How far one task is, from its events. Rates are means since it began, in bytes a second."""

    def __init__(self, total_bytes: int) -> None:
        self.read_total_bytes = total_bytes
        self.read_bytes = self.made_bytes = self.sent_bytes = self.received_bytes = self.volumes = 0
        self._began_at = time.monotonic()

    def take(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "read":
                self.read_bytes = min(event["bytes"], self.read_total_bytes)
            case "statistics":  # duplicity has come to its end
                self.read_bytes = self.read_total_bytes
            case "made":
                self.made_bytes += event["bytes"]
            case "sent":
                self.sent_bytes += event["bytes"]
            case "received":
                self.received_bytes += event["bytes"]
            case "stored":
                self.volumes += ".vol" in event["name"]

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began_at

    @property
    def send_total_bytes(self) -> int:
        """What there will be to send, as far as can be told from what was made of what was read."""
        if not self.read_bytes:
            return 0
        return max(int(self.made_bytes * self.read_total_bytes / self.read_bytes), self.sent_bytes)

    @property
    def left_seconds(self) -> float | None:
        """Until the last volume is sent; None if nobody can tell yet."""
        reading = _left(self.read_bytes, self.read_total_bytes, self.seconds)
        sending = _left(self.sent_bytes, self.send_total_bytes, self.seconds)
        return None if reading is None or sending is None else max(reading, sending)


def _left(done: int, total: int, seconds: float) -> float | None:
    return seconds * (total - done) / done if done and total else None


class PlainReporter:
    """A line at the start and at the end, and one a minute."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._meter = Meter(0)
        self._said_at = 0.0

    def line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def event(self, event: dict[str, Any]) -> None:
        self._meter.take(event)
        meter, now = self._meter, time.monotonic()
        if now - self._said_at < _PLAIN_SECONDS:
            return
        self._said_at = now
        if meter.received_bytes:
            rate = size_text(meter.received_bytes / meter.seconds)
            self.line(f"  {size_text(meter.received_bytes)} received at {rate}/s")
        elif meter.read_total_bytes:
            left = f", {clock_text(meter.left_seconds)} left" if meter.left_seconds is not None else ""
            self.line(
                f"  {size_text(meter.read_bytes)} of {size_text(meter.read_total_bytes)} read, "
                f"{meter.volumes} volumes stored, {size_text(meter.sent_bytes)} sent at "
                f"{size_text(meter.sent_bytes / meter.seconds)}/s{left}"
            )

    @contextlib.contextmanager
    def task(self, title: str, total_bytes: int) -> Iterator[None]:
        self._meter, self._said_at = Meter(total_bytes), time.monotonic()
        self.line(_begun(title, total_bytes))
        yield

    def done(self, summary: Summary) -> None:
        for line in summary.lines():
            self.line(line)

    def failed(self, job: str, problem: Problem) -> None:
        pass


class JsonReporter:
    """A line of JSON an event, for other programs; the README lists them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._meter = Meter(0)
        self._title = ""
        self._said_at = 0.0

    def line(self, text: str) -> None:
        self._say("message", text=text)

    def event(self, event: dict[str, Any]) -> None:
        self._meter.take(event)
        if event["event"] == "skipped":
            self._say("skipped", path=event["path"], reason=event["reason"])
        elif time.monotonic() - self._said_at >= _JSON_SECONDS:
            self._progress()

    @contextlib.contextmanager
    def task(self, title: str, total_bytes: int) -> Iterator[None]:
        self._meter, self._title, self._said_at = Meter(total_bytes), title, time.monotonic()
        self._say("begun", title=title, read_total_bytes=total_bytes)
        yield
        self._progress()

    def done(self, summary: Summary) -> None:
        self._say("done", **dataclasses.asdict(summary))

    def failed(self, job: str, problem: Problem) -> None:
        self._say("failed", job=job, exit_code=int(problem.exit_code), message=str(problem))

    def _progress(self) -> None:
        meter = self._meter
        self._said_at = time.monotonic()
        left = meter.left_seconds
        self._say(
            "progress",
            title=self._title,
            seconds=round(meter.seconds, 1),
            read_bytes=meter.read_bytes,
            read_total_bytes=meter.read_total_bytes,
            sent_bytes=meter.sent_bytes,
            received_bytes=meter.received_bytes,
            volumes=meter.volumes,
            left_seconds=None if left is None else round(left),
        )

    def _say(self, event: str, **fields: Any) -> None:
        # ASCII, as a name that is no text has no other form that every program can read.
        print(json.dumps({"event": event, **fields}), file=self._stream, flush=True)


class TerminalReporter:
    """Two bars: bytes read of the source, and bytes of volumes sent; a restore has one."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # only needed here, and slow to import

        self._console = Console(file=stream, highlight=False)
        self._progress: Progress | None = None
        self._rows: dict[str, TaskID] = {}
        self._meter = Meter(0)

    def line(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def event(self, event: dict[str, Any]) -> None:
        meter = self._meter
        meter.take(event)
        if self._progress is None:
            return
        if event["event"] == "received":
            self._row("received", meter.received_bytes, None)
        elif event["event"] in ("read", "made", "sent"):
            self._row("read", meter.read_bytes, meter.read_total_bytes)
            self._row("sent", meter.sent_bytes, meter.send_total_bytes or None)

    def _row(self, name: str, done: int, total: int | None) -> None:
        assert self._progress is not None
        if name not in self._rows:
            self._rows[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._rows[name], completed=done, total=total)

    @contextlib.contextmanager
    def task(self, title: str, total_bytes: int) -> Iterator[None]:
        from rich import progress
        from rich.text import Text

        class Moved(progress.ProgressColumn):
            def render(self, task: Task) -> Text:
                done = size_text(task.completed)
                return Text(f"{done} of {size_text(task.total)}" if task.total else done, justify="right")

        class Rate(progress.ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text(f"{size_text(task.speed)}/s" if task.speed else "", justify="right")

        class Left(progress.ProgressColumn):
            def render(self, task: Task) -> Text:
                known = task.total and task.time_remaining is not None
                return Text(f"{clock_text(task.time_remaining or 0)} left" if known else "", justify="right")

        self._meter = Meter(total_bytes)
        self.line(_begun(title, total_bytes))
        with progress.Progress(
            progress.TextColumn("  {task.description}"),
            progress.BarColumn(bar_width=None),
            Moved(),
            Rate(),
            Left(),
            console=self._console,
            transient=True,
            expand=True,
            speed_estimate_period=20,
        ) as self._progress:
            self._rows = {}
            try:
                yield
            finally:
                self._progress = None

    def done(self, summary: Summary) -> None:
        for line in summary.lines():
            self.line(line)

    def failed(self, job: str, problem: Problem) -> None:
        pass


def _begun(title: str, total_bytes: int) -> str:
    return f"{title}: {size_text(total_bytes)} in the source" if total_bytes else f"{title}: begun"
