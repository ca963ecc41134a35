"""Reports how many bytes of the source have been read, and how much of it again, three times a second."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import threading
import time
from typing import NoReturn

from panicroom.duplicity_run.child.every_change import ReadAgain
from panicroom.duplicity_run.events import Events

_SECONDS = 0.3


def start(events: Events, again: ReadAgain) -> None:
    """Sends from a thread of its own, and returns at once: the event ``read`` with ``bytes`` of the source, and
    ``reading`` with ``files`` and ``bytes`` that were read again to find changes."""
    threading.Thread(target=_report, args=(events, again), name="progress", daemon=True).start()


def _report(events: Events, again: ReadAgain) -> NoReturn:
    from duplicity import diffdir

    reported, reported_again = -1, 0
    while True:
        time.sleep(_SECONDS)
        # duplicity counts a file when it has decided on it; the one that is read to decide is on top.
        read = (
            int(diffdir.stats.SourceFileSize) + again.reading_bytes if diffdir.stats is not None else reported
        )
        if read > reported:
            reported = read
            events.send("read", bytes=read)
        if again.bytes != reported_again:
            reported_again = again.bytes
            events.send("reading", files=again.files, bytes=again.bytes)
