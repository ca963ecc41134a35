"""Progress for other programs."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator
from typing import Any, TextIO

from panicroom.exit_codes import Problem
from panicroom.terminal.rates import RateMeter
from panicroom.terminal.run_totals import RunTotals

_JSON_SECONDS = 1.0


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
        elif event["event"] in ("thaw", "settled"):
            self._say(**event)
        elif time.monotonic() - self._said_at >= _JSON_SECONDS:
            self._progress()

    def busy(self, text: str) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def task(self, title: str, total_bytes: int, *, brief: bool = False) -> Iterator[None]:
        self._meter, self._title, self._said_at = RateMeter(total_bytes), title, time.monotonic()
        if not brief:
            self._say("begun", title=title, read_total_bytes=total_bytes)
        yield
        if not brief:
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
