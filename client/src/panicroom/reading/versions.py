"""``panicroom versions``: the backups in which everything, or a path, changed."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.stored_sets import all_sets
from panicroom.exit_codes import ExitCode, Problem
from panicroom.reading.archived_files import archived_files
from panicroom.reading.files import missing_path
from panicroom.reading.history import Version, versions
from panicroom.reading.stored_backups import StoredBackups
from panicroom.stored.times import exact_time_text, time_text
from panicroom.terminal.amounts import size_text


def list_versions(backups: StoredBackups, below: PathIndex) -> list[Version]:
    """Each backup in which something at or below the path changed, oldest first.

    Raises ``Problem`` (NOT_FOUND) if no backup ever had it. Sets that cannot be opened are in ``backups.unopened``
    afterwards; what follows them in their chain is compared with what was there before.
    """
    sets = all_sets(backups.stored)
    if not sets:
        raise Problem("there is no backup of that job yet", ExitCode.NOT_FOUND)
    archived = archived_files(backups.cache, sets)
    found = list(versions(archived.follow(backups.entries(sets)), below, archived.files))
    if not found:
        if backups.unopened and len(backups.unopened) == len(sets):
            return []
        known = {entry.path for item in backups.entries(sets) for entry in item.entries if entry.path}
        raise missing_path(below, known)
    return found


def version_lines(found: Sequence[Version], *, of_path: bool) -> Iterator[str]:
    """A line a version; the first column is local time, the second is for ``--time``. What needs a thaw is said."""
    for item in found:
        changes = f"{item.new} new, {item.changed} changed, {item.deleted} deleted"
        there = f"{_files(item.files)}, {size_text(item.size_bytes)}" if item.files else "nothing left"
        stored = "" if of_path else f"; {item.kind}, {size_text(item.stored_bytes)} stored"
        thaw = f"; {item.archived} need{'s' if item.archived == 1 else ''} a thaw" if item.archived else ""
        yield f"{time_text(item.time):>17}  {exact_time_text(item.time)}  {there}; {changes}{stored}{thaw}"


def versions_as_json(found: Sequence[Version]) -> list[dict[str, Any]]:
    return [
        {
            "time": f"{item.time:%Y-%m-%dT%H:%M:%SZ}",
            "set": item.name,
            "kind": item.kind,
            "new": item.new,
            "changed": item.changed,
            "deleted": item.deleted,
            "files": item.files,
            "size_bytes": item.size_bytes,
            "stored_bytes": item.stored_bytes,
            "archived": item.archived,
        }
        for item in found
    ]


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
