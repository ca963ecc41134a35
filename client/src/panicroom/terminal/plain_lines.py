"""Progress as plain lines, for logs and mails."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, TextIO

from panicroom.exit_codes import Problem
from panicroom.terminal.amounts import clock_text, part_text, size_text
from panicroom.terminal.rates import RateMeter
from panicroom.terminal.reporter import begun_text
from panicroom.terminal.run_totals import RunTotals

_PLAIN_SECONDS = 60.0


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
            if meter.only_reads:
                done = part_text(meter.read.bytes, meter.read_total_bytes)
                self.line(f"  {done} read at {size_text(meter.read.rate)}/s{left}")
                return
            again = f" ({size_text(meter.read_again_bytes)} again)" if meter.read_again_bytes else ""
            self.line(
                f"  {part_text(meter.read.bytes, meter.read_total_bytes)} read{again}, {meter.volumes} volumes "
                f"stored, {size_text(meter.sent.bytes)} sent at {size_text(meter.sent.rate)}/s{left}"
            )

    def busy(self, text: str) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def task(self, title: str, total_bytes: int, *, brief: bool = False) -> Iterator[None]:
        self._meter, self._said_at = RateMeter(total_bytes), time.monotonic()
        if not brief:
            self.line(begun_text(title, total_bytes))
        yield

    def done(self, summary: RunTotals) -> None:
        for line in summary.lines():
            self.line(line)

    def failed(self, job: str, problem: Problem) -> None:
        pass
