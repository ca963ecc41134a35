"""Ctrl-C, the end of a session and a shutdown: they end the client with one line and exit code 130, whenever they come.

While a command runs, they are a ``KeyboardInterrupt``, so that it can tidy up and report what there is. Before that
(Python takes a moment to load it) and after that, there is nothing to tidy up.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn

from panicroom.exit_codes import EXPLANATIONS, ExitCode

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MESSAGE = f"panicroom: {EXPLANATIONS[ExitCode.INTERRUPTED]}"


def end_at_once() -> None:
    """From now on an interruption ends the process at once."""
    _handle(_end)


def raise_interrupts() -> None:
    """From now on an interruption is a ``KeyboardInterrupt``."""
    _handle(_raise)


def as_usual() -> None:
    """As Python has it, for a process that somebody else ends: duplicity's."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def end_process(exit_code: int) -> NoReturn:
    """Ends the process without waiting for threads that wait for the network."""
    os._exit(exit_code)


def _handle(handler: signal._HANDLER) -> None:
    for number in _SIGNALS:
        # Ignored by whoever started us: ``nohup``, or a shell's job in the background.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, f"{MESSAGE}\n".encode())
    end_process(ExitCode.INTERRUPTED)


def _raise(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
