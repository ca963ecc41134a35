"""Steers a resumed set (backup/resume.py has the whole story).

- ``diffdir.collate2iters`` drops what the kept volumes hold already and what has changed since the set began.
- An increment does not read its own unfinished signatures as if they were an earlier set's.
- ``os.execve`` ends the process, so that the client checks the bucket again and starts another.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from panicroom.duplicity_run.events import Events
from panicroom.duplicity_run.file_identity import changed_since, has_changed
from panicroom.duplicity_run.plan import ResumePoint
from panicroom.exit_codes import ExitCode


def install(source: str, point: ResumePoint | None, events: Events) -> None:
    """Puts it in; once, before duplicity runs. It does nothing where duplicity does not resume a set."""
    from duplicity import config, diffdir, dup_collections, dup_main

    collate, position = diffdir.collate2iters, dup_main.restart_position_iterator
    earlier_signatures = dup_collections.SignatureChain.get_fileobjs

    def remaining_pairs(first: Any, second: Any) -> Iterator[tuple[Any, Any]]:
        pairs = collate(first, second)
        return _Remainder(source, point, events)(pairs, config.restart) if config.restart else pairs

    def resumed_position(blocks: Any) -> None:
        # Without an open file the first block is the first one needed. duplicity would take it for a
        # missing file, put it back, and forget its name in the manifest's range of the volume.
        if config.restart.last_block:
            position(blocks)

    def earlier_only(chain: Any, time: int | None = None) -> Any:
        # A resumed increment counts its own unfinished signatures among the earlier ones, and would
        # take a file for unchanged because it has just written that file's new signature itself.
        if time is None and config.restart:
            time = config.restart.start_time
        return earlier_signatures(chain, time)

    diffdir.collate2iters = remaining_pairs
    dup_main.restart_position_iterator = resumed_position
    dup_collections.SignatureChain.get_fileobjs = earlier_only


def end_instead_of_starting_again(events: Events) -> None:
    """duplicity calls ``os.execve`` to start a set over."""

    def execve(*_arguments: Any) -> NoReturn:
        raise events.stop(ExitCode.START_AGAIN, "duplicity starts the set over")

    replacement: Any = execve
    os.execve = replacement


class _Remainder:
    """Of all (path now, path in the signatures): the pairs that the rest of the set has to hold.

    Dropping a pair means "as in the set before", for the volumes and for the signatures alike.
    """

    def __init__(self, source: str, point: ResumePoint | None, events: Events) -> None:
        self._source, self._point, self._events = source, point, events

    def __call__(self, pairs: Iterable[tuple[Any, Any]], restart: Any) -> Iterator[tuple[Any, Any]]:
        point = self._point
        if point is None:
            raise self._events.stop(ExitCode.START_AGAIN, "the set cannot be resumed")
        left_out = 0
        for now, before in pairs:
            index = (now or before).index
            if index < restart.last_index or (index == restart.last_index and not restart.last_block):
                continue
            if index == restart.last_index:
                # Its first blocks are stored. It is read again from its beginning, for its signature.
                self._check_open_file(point)
                yield now, before
                self._check_open_file(point)
            elif (
                now
                and now.stat
                and not now.isdir()
                and changed_since(now.stat.st_ctime, now.stat.st_mtime, point.began_at)
            ):
                left_out += 1
            else:
                yield now, before
        self._events.send("left_out", files=left_out)

    def _check_open_file(self, point: ResumePoint) -> None:
        if point.open_file is None:
            raise self._events.stop(ExitCode.START_AGAIN, "the journal does not know the open file")
        path = Path(self._source) / os.fsdecode(bytes.fromhex(point.open_file))
        if has_changed(path, point.began_at, point.open_identity):
            raise self._events.stop(ExitCode.START_AGAIN, "the open file has changed")
