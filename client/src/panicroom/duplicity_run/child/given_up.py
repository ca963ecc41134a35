"""Reports the files that duplicity gives up on when it reads a backup: it warns of them, goes on, and ends with 0.

They are known by the warning's code, since its words may be in any language.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from panicroom.duplicity_run.child.skipped import unescaped
from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.restore_plan import to_hex


def install(
    events: Events, on_error: Callable[[BaseException], None] = lambda _error: None, begin: str = ""
) -> None:
    """Sends the event ``unwritten`` with ``path`` (hex) and ``reason``; once, before duplicity runs. ``on_error`` gets
    the error behind any warning first; each reason begins with ``begin``."""
    from duplicity import log

    warn = log.Warn

    def reporting_warn(text: str, code: int = log.WarningCode.generic, extra: str | None = None) -> None:
        warn(text, code, extra)
        error = sys.exc_info()[1]
        if error is not None:
            on_error(error)
        if code == log.WarningCode.cannot_process and extra:
            path = os.fsencode(unescaped(extra)).split(b"/")
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error or text)
            events.send("unwritten", path=to_hex(tuple(path)), reason=begin + reason)

    log.Warn = reporting_warn
