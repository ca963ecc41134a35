"""What the duplicity process tells the client process: lines of JSON through a pipe."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
import os
import threading
from typing import Any

from panicroom.exit_codes import ExitCode


class Events:
    """The sending end; does nothing when nobody listens any more. Safe to use from several threads."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, event: str, **fields: Any) -> None:
        if self._descriptor is None:
            return
        line = (json.dumps({"event": event, **fields}) + "\n").encode()
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:
                self._descriptor = None

    def stop(self, exit_code: ExitCode, message: str) -> SystemExit:
        """Announces the end and gives what to raise. It is no ``Exception``, as duplicity catches those
        and tries again: a refused delete would be repeated for ever."""
        self.send("stop", exit_code=int(exit_code), message=message)
        return SystemExit(int(exit_code))
