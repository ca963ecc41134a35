"""Reports every file that duplicity leaves out of a backup.

duplicity mentions them among its warnings only, and goes on.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from panicroom.duplicity_run.events import Events


def install(source: str, events: Events) -> None:
    """Sends the event ``skipped`` with ``path`` and ``reason``; once, before duplicity runs."""

    def report(path: str, reason: str) -> None:
        events.send("skipped", path=path, reason=reason)

    _patch_warnings(report)
    _patch_errors(source, report)
    _patch_pairs(report)


def unescaped(text: str) -> str:
    """The path that duplicity's ``util.escape`` was given."""
    return text[1:-1].encode("ascii", "replace").decode("unicode-escape")


def _patch_warnings(report: Callable[[str, str], None]) -> None:
    from duplicity import log

    warn = log.Warn
    codes = log.WarningCode.cannot_iterate, log.WarningCode.cannot_stat, log.WarningCode.cannot_read

    def reporting_warn(text: str, code: int = log.WarningCode.generic, extra: str | None = None) -> None:
        warn(text, code, extra)
        if code in codes and extra:
            report(unescaped(extra), "it cannot be read, or is gone")
        elif text.startswith("Error listing directory "):
            report(text.removeprefix("Error listing directory "), "it cannot be listed")

    log.Warn = reporting_warn


def _patch_errors(source: str, report: Callable[[str, str], None]) -> None:
    from duplicity import diffdir

    give_up = diffdir.delta_iter_error_handler

    def reporting_give_up(error: Exception, now: Any, before: Any, *more: Any) -> Any:
        path = os.fsdecode((now or before).get_relative_path())
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        report(str(Path(source, path)), reason)
        return give_up(error, now, before, *more)

    diffdir.delta_iter_error_handler = reporting_give_up


def _patch_pairs(report: Callable[[str, str], None]) -> None:
    from duplicity import diffdir

    collate = diffdir.collate2iters

    def reporting_collate(first: Any, second: Any) -> Iterator[tuple[Any, Any]]:
        for now, before in collate(first, second):
            if now and not now.type:
                report(os.fsdecode(now.name), "it was gone when its turn came")
            yield now, before

    diffdir.collate2iters = reporting_collate
