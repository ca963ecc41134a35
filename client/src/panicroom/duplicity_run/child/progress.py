"""Reports how many bytes of the source have been read, three times a second."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import threading
import time
from typing import NoReturn

from panicroom.duplicity_run.events import Events

_SECONDS = 0.3


def start(events: Events) -> None:
    """Sends the event ``read`` with ``bytes`` from a thread of its own; returns at once."""
    threading.Thread(target=_report, args=(events,), name="progress", daemon=True).start()


def _report(events: Events) -> NoReturn:
    from duplicity import diffdir

    reported = -1
    while True:
        time.sleep(_SECONDS)
        read = int(diffdir.stats.SourceFileSize) if diffdir.stats is not None else reported
        if read != reported:
            reported = read
            events.send("read", bytes=read)
