"""Reads a file again where duplicity finds it unchanged and it may have changed all the same.

duplicity compares whole-second modification time, mode and owner; not even the size. An edit that keeps the
modification time, a second write within the second that was read, or another file renamed over the name would never
be stored. ``file_identity`` has the rules; a file that they doubt is read, and stored only if librsync's signature of
it is not the stored one, by duplicity's own code.

``diffdir.collate2iters`` is patched: every pair (path now, path in the signatures) passes through it.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import errno
import io
import os
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from panicroom.duplicity_run.file_identity import (
    CHANGE_MARGIN_SECONDS,
    ChangeRule,
    PathSet,
    fits_signature,
    signature_bytes,
    signature_lengths,
)
from panicroom.duplicity_run.known_files import KnownFiles, identity_hash
from panicroom.duplicity_run.plan import Search
from panicroom.names import set_time
from panicroom.transfer.checked_set import CheckedSet

_READ_BYTES = 2**16  # as duplicity reads
_STRONG_SUM_BYTES = 8  # duplicity's

_NO_PATHS = PathSet()

Pairs = Iterable[tuple[Any, Any]]


@dataclass
class ReadAgain:
    """Counts. ``reading_bytes``: of the file that is being read now, which duplicity does not count."""

    files: int = 0
    changed: int = 0
    bytes: int = 0
    reading_bytes: int = 0

    def statistics(self) -> dict[str, int]:
        """In the style of duplicity's own names."""
        return {
            "ReadAgainFiles": self.files,
            "ReadAgainChangedFiles": self.changed,
            "ReadAgainFileSize": self.bytes,
        }


@dataclass
class PlainFiles:
    """Counts of files alone: duplicity's own have folders too."""

    files: int = 0
    deleted: int = 0

    def take(self, now: Any, before: Any) -> None:
        """A pair that is about to be given to duplicity."""
        self.files += bool(now) and now.type == "reg"
        self.deleted += not (now and now.type) and bool(before) and before.type == "reg"

    def statistics(self) -> dict[str, int]:
        """In the style of duplicity's own names."""
        return {"PlainFiles": self.files, "DeletedPlainFiles": self.deleted}


class EveryChange:
    """Goes over the pairs.

    ``rule`` is asked once, at the first file in question: duplicity chooses the set to build on only then.
    ``unread``: paths that could not be read for the set before. They are read whatever their times say, and to their
    end before anything of them is stored; with ``read_first`` every file that is to be stored is.
    ``known_file`` has the files of the set before, if it is that one that duplicity builds on.
    ``leave_out``: paths that this run is not to read. ``unreadable`` is called with a path of duplicity's and the
    error; the pair is dropped, which means "as in the set before".
    """

    def __init__(
        self,
        rule: Callable[[], ChangeRule],
        unreadable: Callable[[Any, OSError], None],
        *,
        unread: PathSet = _NO_PATHS,
        leave_out: PathSet = _NO_PATHS,
        read_first: bool = False,
        known_file: Path | None = None,
    ) -> None:
        self._make_rule, self._unreadable = rule, unreadable
        self._unread, self._leave_out, self._read_first = unread, leave_out, read_first
        self._known_file = known_file
        self._identities, self._ahead = array("q"), set[int]()
        self._latest = time.time() + CHANGE_MARGIN_SECONDS
        self.counts, self._plain_files = ReadAgain(), PlainFiles()

    @staticmethod
    def of(search: Search, unreadable: Callable[[Any, OSError], None]) -> EveryChange:
        """As the plan has it."""
        before = CheckedSet.load(Path(search.unread_file)) if search.unread_file else None
        now = time.time()

        def rule() -> ChangeRule:
            from duplicity import dup_time

            since = search.since
            if since is None:  # whole seconds, taken before duplicity read a file; of a resumed set too
                since = float(dup_time.prevtime) - CHANGE_MARGIN_SECONDS
                if before is None or set_time(before.set).timestamp() != dup_time.prevtime:
                    since = 0.0  # duplicity builds on another set, of which nobody knows what it skipped
            return ChangeRule(since, now, search.change_time)

        return EveryChange(
            rule,
            unreadable,
            unread=_path_set(before.skipped if before else ()),
            leave_out=_path_set(search.leave_out),
            read_first=search.read_first,
            known_file=Path(search.known_files) if search.known_files and search.change_time else None,
        )

    @cached_property
    def rule(self) -> ChangeRule:
        """Known only once duplicity has chosen the set to build on."""
        return self._make_rule()

    @cached_property
    def _known(self) -> KnownFiles | None:
        from duplicity import dup_time

        if self._known_file is None or dup_time.prevtime is None or not self.rule.since:
            return None
        return KnownFiles.load(self._known_file, int(dup_time.prevtime))

    def store_known_files(self) -> None:
        """Once the set is made: its files, beside those of the set before."""
        from duplicity import dup_time

        if self._known_file is not None:
            made = KnownFiles.of(int(dup_time.curtime), self._identities, self._ahead, self._known)
            made.store(self._known_file)

    def install(self) -> None:
        """Puts it in; once, before duplicity runs."""
        from duplicity import diffdir

        collate = diffdir.collate2iters

        def checked_collate(first: Any, second: Any) -> Iterator[tuple[Any, Any]]:
            return self.check(collate(first, second))

        diffdir.collate2iters = checked_collate

    def check(self, pairs: Pairs) -> Iterator[tuple[Any, Any]]:
        """The pairs, without those that cannot be read; a pair that was found to differ will differ for duplicity."""
        for now, before in pairs:
            if now and now.type == "reg":
                identity = self._identity(now)
                try:
                    self._check_file(now, before, identity)
                except OSError as error:
                    self._unreadable(now, error)
                    continue
                finally:
                    self.counts.reading_bytes = 0
                if identity is not None:
                    self._identities.append(identity)
                    if now.stat.st_ctime > self._latest:
                        self._ahead.add(identity)
            self._plain_files.take(now, before)
            yield now, before

    def statistics(self) -> dict[str, int]:
        return {**self.counts.statistics(), **self._plain_files.statistics()}

    def _identity(self, now: Any) -> int | None:
        """None where nobody keeps it, or for a file that is not on the disk."""
        if self._known_file is None or not isinstance(now.stat, os.stat_result):
            return None
        return identity_hash(now.index, now.stat)

    def _check_file(self, now: Any, before: Any, identity: int | None) -> None:
        if self._leave_out.holds(now.index):
            raise OSError(errno.EIO, "it could not be read to its end")
        unread = self._unread.holds(now.index)
        # Only signature files have difftypes; restore and verify pass other things through here.
        if before and getattr(before, "difftype", None) == "signature" and now == before:
            if not unread and not self._may_have_changed(now, before, identity):
                return
            self.counts.files += 1
            if self._equals_signature(now, _stored_signature(before)):
                return
            self.counts.changed += 1
            before.mode = None  # ROPath.__eq__, which alone uses it, now finds a difference
        if unread or self._read_first:
            for _data in self._blocks(now):
                pass

    def _may_have_changed(self, now: Any, before: Any, identity: int | None) -> bool:
        known, settled = self._known, False
        if known is not None and identity is not None:
            if not known.holds(identity):
                return True
            settled = identity in known.settled
        return self.rule.may_have_changed(now.stat, settled=settled) or not _has_stored_size(now, before)

    def _equals_signature(self, now: Any, stored: bytes) -> bool:
        """Whether the file has the stored signature. Ends at the first block that differs."""
        from duplicity import librsync

        block, _strong_sum = signature_lengths(stored)
        if not block:
            return False
        generator = librsync.SigGenerator(block)  # the stored block length, which need not be today's
        matched = 0
        for data in self._blocks(now):
            generator.update(data)
            made = b"".join(generator.sigstring_list)
            generator.sigstring_list.clear()
            if not stored.startswith(made, matched):
                return False
            matched += len(made)
        return bool(stored[matched:] == generator.getsig())

    def _blocks(self, now: Any) -> Iterator[bytes]:
        with now.open("rb") as file:
            while data := file.read(_READ_BYTES):
                self.counts.bytes += len(data)
                self.counts.reading_bytes += len(data)
                yield data


def _path_set(paths: Iterable[str]) -> PathSet:
    return PathSet(frozenset(bytes.fromhex(path) for path in paths))


def _has_stored_size(now: Any, before: Any) -> bool:
    """Whether the length of the stored signature fits the file's size. Usually without reading the signature."""
    size, length = now.getsize(), before.getsize()
    if length == _signature_bytes_today(size):
        return True
    return fits_signature(size, length, _stored_signature(before))


@lru_cache(maxsize=2**14)
def _signature_bytes_today(size: int) -> int:
    """As duplicity would make the signature now. Remembered: small files share their sizes."""
    from duplicity import diffdir

    return signature_bytes(size, diffdir.get_block_size(size), _STRONG_SUM_BYTES)


def _stored_signature(before: Any) -> bytes:
    """The stored signature; duplicity may open it later, when the stream has gone on: so it is put back in memory."""
    if not isinstance(before.fileobj, io.BytesIO):
        before.fileobj = io.BytesIO(before.fileobj.read())
    return bytes(before.fileobj.getvalue())
