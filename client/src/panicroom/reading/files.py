"""``panicroom files``: the paths in a backup, with times and sizes, read from its signatures alone."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import fnmatch
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from panicroom.api import moment_of
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.exit_codes import ExitCode, Problem
from panicroom.reading.archived_files import archived_files
from panicroom.reading.history import tree_at
from panicroom.reading.stored_backups import StoredBackups, unopened_problem
from panicroom.shown import shown_path
from panicroom.stored.similar_paths import meant_text
from panicroom.stored.times import time_text
from panicroom.terminal.amounts import size_text


@dataclass(frozen=True)
class StoredPath:
    """A path as of the time asked for, relative to the source; ``changed_at`` is ISO 8601 in UTC.

    ``size_bytes`` of a file is rounded up to a block (512 bytes for files below 256 KB); None for anything else.
    ``archived``: it needs volumes that have to be thawed, unless that was done lately.
    """

    path: str
    kind: str
    changed_at: str
    size_bytes: int | None
    archived: bool = False


@dataclass(frozen=True)
class Listing:
    """``as_of`` is the time of the backup that was read."""

    as_of: datetime
    is_newest: bool
    paths: tuple[StoredPath, ...]

    def summary(self) -> str:
        """``28 files, 1.4 GB, as of 29 Nov 2026 16:25 (the newest backup)``."""
        newest = " (the newest backup)" if self.is_newest else ""
        return f"{self.amount()}, as of {time_text(self.as_of)}{newest}"

    def amount(self) -> str:
        """``28 files, 1.4 GB``."""
        sizes = [item.size_bytes for item in self.paths if item.size_bytes is not None]
        files = "1 file" if len(sizes) == 1 else f"{len(sizes)} files"
        return f"{files}, {size_text(sum(sizes))}"

    def thaw_advice(self, cost_command: str) -> str | None:
        """``12 of 40 files need a thaw (*): panicroom cost PATH``; None where nothing is archived."""
        archived = sum(item.archived for item in self.paths)
        if not archived:
            return None
        files = sum(item.size_bytes is not None for item in self.paths)
        need = "needs" if archived == 1 else "need"
        return f"{archived} of {files} file{'s' if files != 1 else ''} {need} a thaw (*): {cost_command}"


def list_files(backups: StoredBackups, below: PathIndex, time: str | None, word: str | None) -> Listing:
    """What is in the backup of ``time``, else the newest: at and below the path, with ``word`` in its name.

    Raises ``Problem`` (NOT_FOUND) if there is nothing, with the paths that may have been meant.
    """
    chain = backups.chain(time)
    archived = archived_files(backups.cache, chain.sets)
    tree = tree_at(archived.follow(backups.entries(chain.sets)))
    if backups.unopened:
        raise unopened_problem(backups.unopened[0])
    tree.pop((), None)
    found = [path for path in tree if path[: len(below)] == below]
    if not found:
        raise missing_path(below, tree.keys())
    if word is not None:
        found = [path for path in found if _has_word(path[-1], word)]
        if not found:
            raise Problem(f"no name in that backup has {word!r} in it", ExitCode.NOT_FOUND)
    return Listing(
        chain.end,
        chain.end == backups.stored.times[-1],
        tuple(_stored_path(path, tree[path], path in archived.files) for path in sorted(found)),
    )


def missing_path(wanted: PathIndex, known: Iterable[PathIndex]) -> Problem:
    """That there is no such path, and which may have been meant."""
    hint = meant_text(path_text(wanted), map(path_text, known))
    return Problem(
        f"the backup of that time has no {shown_path(path_text(wanted))}{hint}", ExitCode.NOT_FOUND
    )


def path_text(path: PathIndex) -> str:
    """The path for people and JSON: bytes that are no text become lone surrogates."""
    return b"/".join(path).decode("utf-8", "surrogateescape")


def listing_lines(listing: Listing) -> Iterable[str]:
    """A line a path: local time, size, path; a folder ends with a slash. Where something is archived, a column has a
    mark for what needs a thaw."""
    marks = any(item.archived for item in listing.paths)
    for item in listing.paths:
        moment = moment_of(item.changed_at).astimezone()
        size = "" if item.size_bytes is None else size_text(item.size_bytes)
        slash = "/" if item.kind == "folder" else ""
        mark = f"{'*' if item.archived else ' '} " if marks else " "
        yield f"{moment:%Y-%m-%d %H:%M}  {size:>10} {mark}{shown_path(item.path)}{slash}"


def _stored_path(path: PathIndex, entry: SignatureEntry, archived: bool) -> StoredPath:
    moment = datetime.fromtimestamp(entry.modified_at, timezone.utc)
    size = entry.size_bytes if entry.kind == "file" else None
    return StoredPath(path_text(path), entry.kind, f"{moment:%Y-%m-%dT%H:%M:%SZ}", size, archived)


def _has_word(name: bytes, word: str) -> bool:
    """In any capitals; with ``*``, ``?`` or ``[`` the whole name has to fit the pattern."""
    plain, wanted = (unicodedata.normalize("NFC", text).casefold() for text in (path_text((name,)), word))
    return fnmatch.fnmatchcase(plain, wanted) if any(sign in word for sign in "*?[") else wanted in plain
