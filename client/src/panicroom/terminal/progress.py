"""Chooses what a person or a program sees while duplicity works: bars on a terminal, plain lines or JSON elsewhere."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, TextIO, cast

from panicroom.terminal.bars import TerminalReporter
from panicroom.terminal.json_lines import JsonReporter
from panicroom.terminal.plain_lines import PlainReporter
from panicroom.terminal.reporter import Reporter


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
