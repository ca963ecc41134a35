"""The executable. Started by itself for duplicity (see duplicity_run/child), it is duplicity."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> NoReturn:
    if "PANICROOM_CHILD" in os.environ:
        from panicroom.duplicity_run.child.main import main as duplicity_main

        duplicity_main()
    from panicroom.cli import run

    # The end of a session or a shutdown is to be as clean as Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    sys.exit(int(run()))


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
