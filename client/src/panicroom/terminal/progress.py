"""What a person or a program sees while duplicity works: bars on a terminal, plain lines or JSON anywhere else."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

from panicroom.exit_codes import Problem

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID

_PLAIN_SECONDS = 60.0
_JSON_SECONDS = 1.0
_NAMED_FILES = 3
_RATE_SECONDS = 10.0
_SHORT_WAIT_SECONDS = 3.0
"""A shorter interruption is not worth a message."""


@dataclass(frozen=True)
class RunTotals:
    """How a set was made. ``read_again``: files that duplicity found unchanged and that were read all the same;
    ``read_again_changed`` of them had changed. ``skipped`` are files that could not be read, by full path; sockets
    hold nothing that could be stored."""

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
    read_again: int = 0
    read_again_changed: int = 0

    def lines(self) -> list[str]:
        """Sentences: what was found, what was read again, what was sent, and what was left out."""
        done = "finished" if self.resumed else "done"
        rate = f" at {size_text(self.sent_bytes / self.seconds)}/s" if self.seconds >= 1 else ""
        changes = f"{self.new} new, {self.changed} changed, {self.deleted} deleted"
        volumes = f"{self.volumes} volume{'s' if self.volumes != 1 else ''}"
        sent = f"{size_text(self.sent_bytes)} sent in {clock_text(self.seconds)}{rate}"
        return [
            f"{self.job}: {self.kind} backup {done}: {changes}",
            *self._read_again(),
            f"{self.job}: {volumes}, {sent}",
            f"{self.job}: {self._left_out()}",
        ]

    def _read_again(self) -> list[str]:
        if not self.read_again:
            return []
        return [f"{self.job}: read again: {self.read_again}, changed: {self.read_again_changed}"]

    def _left_out(self) -> str:
        said = []
        if self.skipped:
            named = ", ".join(shown_path(path) for path in self.skipped[:_NAMED_FILES])
            more = f" and {len(self.skipped) - _NAMED_FILES} more" if len(self.skipped) > _NAMED_FILES else ""
            said.append(f"{len(self.skipped)} could not be read: {named}{more}; see {self.log_file}")
        if self.sockets:
            said.append(f"{self.sockets} socket{'s' if self.sockets != 1 else ''} left out")
        return "; ".join(said) or "no files were skipped"


class Reporter(Protocol):
    """Takes what happens, and shows it."""

    def line(self, text: str) -> None:
        """One finished sentence."""

    def event(self, event: dict[str, Any]) -> None:
        """An event of the duplicity process, see events.py."""

    def busy(self, text: str) -> contextlib.AbstractContextManager[None]:
        """While it lasts, something is being prepared that has no events: files are counted, the service is asked."""

    def task(self, title: str, total_bytes: int) -> contextlib.AbstractContextManager[None]:
        """While it lasts, events belong to ``title``; ``total_bytes`` are to be read or received."""

    def done(self, summary: RunTotals) -> None:
        """A set was made."""

    def failed(self, job: str, problem: Problem) -> None:
        """A job's backup failed. Its line on standard error is somebody else's."""


def make_reporter(stream: TextIO | None = None, as_json: bool = False) -> Reporter:
    """The reporter that suits standard output."""
    stream = stream or cast("TextIO", OptionalStream(sys.stdout))
    if as_json:
        return JsonReporter(stream)
    return TerminalReporter(stream) if stream.isatty() else PlainReporter(stream)


class OptionalStream:
    """Standard output for a command that goes on when nobody reads it any more (``panicroom backup | head -1``)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(BrokenPipeError):
            return self._stream.write(text)
        self._give_up()
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._give_up()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self) -> None:
        """What is written from now on, and what Python still flushes at its end, goes nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def size_text(size_bytes: float) -> str:
    """``12.3 MB``: units of 1024, as S3 bills."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if size_bytes < 1024 or unit == "GB":
            return f"{size_bytes:.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    raise AssertionError("not reached")


def part_text(done_bytes: int, total_bytes: int) -> str:
    """``1.2/3.4 GB``, in the unit of the larger one."""
    number, unit = size_text(total_bytes).split()
    scale = 1024 ** ("bytes", "KB", "MB", "GB").index(unit)
    return f"{done_bytes / scale:.{0 if unit == 'bytes' else 1}f}/{number} {unit}"


def share_text(done_bytes: int, total_bytes: int) -> str:
    """``45 %``; 100 only when all is done."""
    return f"{min(100 * done_bytes // total_bytes, 100)} %" if total_bytes else ""


def clock_text(seconds: float) -> str:
    """``0:07``, ``12:34`` or ``5:12:34``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def shown_path(path: str) -> str:
    """A path that a terminal can take: neither control characters nor bytes that are no text."""
    return "".join(letter if letter.isprintable() else "?" for letter in path)


class Flow:
    """Bytes that go by. The rate is that of the last seconds, as an hour ago the network was another one."""

    def __init__(self) -> None:
        self.bytes = 0
        self._seen: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def reach(self, count: int) -> None:
        """So many bytes in all, by now."""
        now = time.monotonic()
        self.bytes = count
        self._seen.append((now, count))
        while now - self._seen[0][0] > _RATE_SECONDS and len(self._seen) > 2:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Bytes a second; 0 while nobody can tell."""
        began_at, before = self._seen[0]
        seconds = time.monotonic() - began_at
        return (self.bytes - before) / seconds if seconds > 0 else 0.0

    def left_seconds(self, total: int) -> float | None:
        return max(total - self.bytes, 0) / self.rate if self.rate > 0 and total else None


class RateMeter:
    """How far one task is, from its events."""

    def __init__(self, total_bytes: int) -> None:
        self.read_total_bytes = total_bytes
        self.read, self.sent, self.received = Flow(), Flow(), Flow()
        self.made_bytes = self.volumes = self.read_again_bytes = 0
        self.receive_total_bytes = 0
        self._waiting_since: float | None = None
        self._began_at = time.monotonic()

    def take(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "read":
                self.read.reach(min(event["bytes"], self.read_total_bytes))
            case "reading":  # files that duplicity finds unchanged, to be sure
                self.read_again_bytes = event["bytes"]
            case "statistics":  # duplicity has come to its end
                self.read.reach(self.read_total_bytes)
            case "made":
                self.made_bytes += event["bytes"]
            case "sent":
                self.sent.reach(self.sent.bytes + event["bytes"])
            case "expected":
                self.receive_total_bytes += event["bytes"]
            case "received":
                self._waiting_since = None
                self.received.reach(self.received.bytes + event["bytes"])
            case "waiting":
                self._waiting_since = time.monotonic() - event["seconds"]
            case "stored":
                self.volumes += ".vol" in event["name"]

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began_at

    @property
    def waiting_text(self) -> str:
        """That nothing comes from the network, and for how long; empty while all is well."""
        if self._waiting_since is None:
            return ""
        seconds = time.monotonic() - self._waiting_since
        return f"waiting for the network for {clock_text(seconds)}" if seconds >= _SHORT_WAIT_SECONDS else ""

    @property
    def received_text(self) -> str:
        """``120.0 MB of 1.2 GB received at 4.0 MB/s (9 %), 4:30 left``, as far as that is known."""
        total = self.receive_total_bytes
        amount = part_text(self.received.bytes, total) if total else size_text(self.received.bytes)
        share = f" ({share_text(self.received.bytes, total)})" if total else ""
        left = self.received.left_seconds(total)
        rest = f", {clock_text(left)} left" if left is not None else ""
        return f"{amount} received{share} at {size_text(self.received.rate)}/s{rest}"

    @property
    def send_total_bytes(self) -> int:
        """What there will be to send, as far as can be told from what was made of what was read."""
        if not self.read.bytes:
            return 0
        return max(int(self.made_bytes * self.read_total_bytes / self.read.bytes), self.sent.bytes)

    @property
    def left_seconds(self) -> float | None:
        """Until the last volume is sent, or received; None if nobody can tell yet."""
        if self.receive_total_bytes and not self.read_total_bytes:
            return self.received.left_seconds(self.receive_total_bytes)
        reading = self.read.left_seconds(self.read_total_bytes)
        sending = self.sent.left_seconds(self.send_total_bytes)
        return None if reading is None or sending is None else max(reading, sending)


class PlainReporter:
    """A line at the start and at the end, and one a minute."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._meter = RateMeter(0)
        self._said_at = 0.0

    def line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def event(self, event: dict[str, Any]) -> None:
        self._meter.take(event)
        meter, now = self._meter, time.monotonic()
        if now - self._said_at < _PLAIN_SECONDS:
            return
        self._said_at = now
        if meter.waiting_text:
            self.line(f"  {meter.waiting_text}")
        elif meter.received.bytes:
            self.line(f"  {meter.received_text}")
        elif meter.read_total_bytes:
            left = f", {clock_text(meter.left_seconds)} left" if meter.left_seconds is not None else ""
            again = f" ({size_text(meter.read_again_bytes)} again)" if meter.read_again_bytes else ""
            self.line(
                f"  {part_text(meter.read.bytes, meter.read_total_bytes)} read{again}, {meter.volumes} volumes "
                f"stored, {size_text(meter.sent.bytes)} sent at {size_text(meter.sent.rate)}/s{left}"
            )

    def busy(self, text: str) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def task(self, title: str, total_bytes: int) -> Iterator[None]:
        self._meter, self._said_at = RateMeter(total_bytes), time.monotonic()
        self.line(_begun(title, total_bytes))
        yield

    def done(self, summary: RunTotals) -> None:
        for line in summary.lines():
            self.line(line)

    def failed(self, job: str, problem: Problem) -> None:
        pass


class JsonReporter:
    """A line of JSON an event, for other programs; the README lists them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._meter = RateMeter(0)
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

    def busy(self, text: str) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def task(self, title: str, total_bytes: int) -> Iterator[None]:
        self._meter, self._title, self._said_at = RateMeter(total_bytes), title, time.monotonic()
        self._say("begun", title=title, read_total_bytes=total_bytes)
        yield
        self._progress()

    def done(self, summary: RunTotals) -> None:
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
            read_bytes=meter.read.bytes,
            read_total_bytes=meter.read_total_bytes,
            read_again_bytes=meter.read_again_bytes,
            sent_bytes=meter.sent.bytes,
            received_bytes=meter.received.bytes,
            received_total_bytes=meter.receive_total_bytes or None,
            waiting=meter.waiting_text or None,
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
        self._meter = RateMeter(0)

    def line(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def event(self, event: dict[str, Any]) -> None:
        meter = self._meter
        meter.take(event)
        if self._progress is None:
            return
        if event["event"] == "waiting":
            for row in self._rows.values():
                self._progress.update(row, rate="", left="")
        elif event["event"] in ("expected", "received"):
            if not meter.read_total_bytes:  # a backup fetches a little metadata at most
                self._row("received", meter.received, meter.receive_total_bytes)
        elif event["event"] in ("read", "statistics", "made", "sent"):
            self._row("read", meter.read, meter.read_total_bytes)
            self._row("sent", meter.sent, meter.send_total_bytes)

    def _row(self, name: str, flow: Flow, total: int) -> None:
        assert self._progress is not None
        fields: dict[str, Any] = {
            "share": share_text(flow.bytes, total),
            "moved": part_text(flow.bytes, total) if total else size_text(flow.bytes),
            "rate": f"{size_text(flow.rate)}/s" if flow.rate else "",
            "left": self._left_text() if name != "read" else "",
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

    def busy(self, text: str) -> contextlib.AbstractContextManager[None]:
        return self._busy(text)

    @contextlib.contextmanager
    def _busy(self, text: str) -> Iterator[None]:
        with self._console.status(f"  {text}", spinner_style="green"):
            yield

    @contextlib.contextmanager
    def task(self, title: str, total_bytes: int) -> Iterator[None]:
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

        self._meter = RateMeter(total_bytes)
        self.line(_begun(title, total_bytes))
        with Bars(
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
        ) as self._progress:
            self._rows = {}
            # A sign of life from the first moment; the first row takes its place.
            self._progress.add_task("starting", total=None, share="", moved="", rate="", left="")
            try:
                yield
            finally:
                self._progress = None

    def done(self, summary: RunTotals) -> None:
        for line in summary.lines():
            self.line(line)

    def failed(self, job: str, problem: Problem) -> None:
        pass


def _begun(title: str, total_bytes: int) -> str:
    return f"{title}: {size_text(total_bytes)} in the source" if total_bytes else f"{title}: begun"
