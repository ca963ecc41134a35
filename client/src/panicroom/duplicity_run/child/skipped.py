"""Reports every file that duplicity leaves out of a backup, and has it stay as in the set before.

duplicity mentions them among its warnings only, goes on, and takes what it cannot read or list for deleted.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.file_identity import PathSet

Pairs = Iterator[tuple[Any, Any]]


class Skipped:
    """Takes in what could not be read. ``record`` is called with each path, relative to the source, as bytes."""

    def __init__(self, source: str, events: Events, record: Callable[[bytes], None]) -> None:
        self._source, self._events, self._record = os.fsencode(source), events, record
        self._paths: set[bytes] = set()
        self._unreadable = PathSet(self._paths)

    def install(self) -> None:
        """Puts it in; once, before duplicity runs. Sends the event ``skipped`` with ``path`` and ``reason``."""
        self._patch_warnings()
        self._patch_errors()
        self._patch_pairs()

    def report(self, path: str, reason: str) -> None:
        """``path`` is absolute. What is there and cannot be read stays as in the set before."""
        self._events.send("skipped", path=path, reason=reason)
        relative = os.path.relpath(os.fsencode(path), self._source)
        relative = b"" if relative == b"." else relative
        self._record(relative)
        if not _is_gone(path):
            self._paths.add(relative)

    def report_error(self, path: Any, error: Exception) -> None:
        """``path`` is one of duplicity's."""
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        relative = os.fsdecode(path.get_relative_path())
        self.report(str(Path(os.fsdecode(self._source), relative)), reason)

    def _patch_warnings(self) -> None:
        from duplicity import log

        warn = log.Warn
        codes = log.WarningCode.cannot_iterate, log.WarningCode.cannot_stat, log.WarningCode.cannot_read

        def reporting_warn(text: str, code: int = log.WarningCode.generic, extra: str | None = None) -> None:
            warn(text, code, extra)
            if code in codes and extra:
                self.report(unescaped(extra), "it cannot be read, or is gone")
            elif text.startswith("Error listing directory "):
                self.report(text.removeprefix("Error listing directory "), "it cannot be listed")

        log.Warn = reporting_warn

    def _patch_errors(self) -> None:
        from duplicity import diffdir

        give_up = diffdir.delta_iter_error_handler

        def reporting_give_up(error: Exception, now: Any, before: Any, *more: Any) -> Any:
            self.report_error(now or before, error)
            return give_up(error, now, before, *more)

        diffdir.delta_iter_error_handler = reporting_give_up

    def _patch_pairs(self) -> None:
        from duplicity import diffdir

        collate = diffdir.collate2iters

        def reporting_collate(first: Any, second: Any) -> Pairs:
            return self._readable(collate(first, second))

        diffdir.collate2iters = reporting_collate

    def _readable(self, pairs: Pairs) -> Pairs:
        """Dropping a pair means "as in the set before"; duplicity would record a deletion."""
        for now, before in pairs:
            if now and not now.type:
                self.report(os.fsdecode(now.name), "it was gone when its turn came")
            if not (now and now.type) and before and self._unreadable.holds(before.index):
                continue
            yield now, before


def unescaped(text: str) -> str:
    """The path that duplicity's ``util.escape`` was given."""
    return text[1:-1].encode("ascii", "replace").decode("unicode-escape")


def _is_gone(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
