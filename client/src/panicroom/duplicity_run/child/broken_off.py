"""Never stores the beginning of a file for the whole: what to do if reading breaks off.

duplicity takes a read error for the end of the file, with a warning. Here

- a file of which nothing is in the volume yet is skipped, and stays as in the set before;
- else the run ends and the client starts another, which goes on before the file and leaves it out.

``diffdir.FileWithReadCounter`` and ``diffdir.DeltaTarBlockIter`` are patched.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from panicroom.duplicity_run.events import Events
from panicroom.exit_codes import ExitCode


class BrokenOffError(OSError):
    """The rest of a file cannot be read."""


def install(events: Events, unreadable: Callable[[Any, OSError], None]) -> None:
    """Puts it in; once, before duplicity runs. ``unreadable`` is called with the path of a file that is skipped."""
    from duplicity import diffdir

    begin, go_on = diffdir.DeltaTarBlockIter.process, diffdir.DeltaTarBlockIter.process_continued

    def read(counter: Any, length: int = -1) -> bytes:
        try:
            data: bytes = counter.infile.read(length)
        except OSError as error:
            raise BrokenOffError(error.errno, error.strerror) from None
        if diffdir.stats:
            diffdir.stats.SourceFileSize += len(data)
        return data

    def begin_readable(blocks: Any, path: Any) -> Any:
        while True:
            try:
                return begin(blocks, path)
            except BrokenOffError as error:
                diffdir.stats.Errors += 1
                unreadable(path, error)
                path = next(blocks.input_iter)

    def go_on_or_end(blocks: Any) -> Any:
        path = blocks.process_ropath
        try:
            return go_on(blocks)
        except BrokenOffError as error:
            relative = path.get_relative_path()
            events.send("broken_off", path=relative.hex())
            name = os.fsdecode(relative)
            raise events.stop(ExitCode.START_AGAIN, f"{name}: {error.strerror}") from None

    diffdir.FileWithReadCounter.read = read
    diffdir.DeltaTarBlockIter.process = begin_readable
    diffdir.DeltaTarBlockIter.process_continued = go_on_or_end
