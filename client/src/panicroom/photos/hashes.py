"""What the bytes of a photo job were, a line a file as it is read; and the rule that tells rot from a change.

``hashes`` in the job's state: lines of JSON, each with its CRC-32 before it. The last line of a path counts. A line
that is torn by a kill, or that has rotted itself, is as if it was never written: the file is new then. ``{"began":
...}`` and ``{"ended": ...}`` are lines of a pass through all of the job.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from panicroom.duplicity_run.file_identity import CHANGE_MARGIN_SECONDS
from panicroom.exit_codes import ExitCode, Problem
from panicroom.private_files import private_folder, where_possible, write_private

FILE_NAME = "hashes"
_LOCK_NAME = "hashes.lock"

_SPARE_LINES = 2000
"""So many more than there are files, and the store is written anew."""


@dataclass(frozen=True)
class HashedFile:
    """What was read of the file ``path`` at ``read_at`` (seconds since 1970): its bytes' SHA-256 in hex, and its size
    and times (nanoseconds) then.

    Of a rotted one ``sha256`` is still that of its good bytes, last read at ``good_at``, and ``rotted`` that of those
    that it has now. ``stored_as``: the name under which backups have the good ones, where it has got another since.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    sha256: str
    read_at: int
    rotted: str = ""
    good_at: int = 0
    stored_as: str = ""

    @property
    def times(self) -> tuple[int, int, int]:
        """What every write moves, where the file system keeps a change time."""
        return self.size, self.mtime_ns, self.ctime_ns

    @property
    def was_settled(self) -> bool:
        """Whether no write that began before ``read_at`` can have come after it without another time: see
        ``CHANGE_MARGIN_SECONDS``. A time of the future was set by a clock that is not the one that writes now."""
        return abs(self.read_at - self.ctime_ns / 10**9) > CHANGE_MARGIN_SECONDS

    @property
    def was_written_since(self) -> bool:
        """Of a rotted file: whether it was written after it was good, so that a backup may have the bad bytes."""
        return self.ctime_ns / 10**9 > self.good_at


class Verdict(Enum):
    """Of a file that was read."""

    NEW = "new"
    GOOD = "good"
    REWRITTEN = "rewritten"
    """Other bytes and another change time, though size and modification time are as before: a program wrote it."""
    ROTTED = "rotted"
    REPAIRED = "repaired"


def judge(known: HashedFile | None, now: HashedFile) -> tuple[Verdict, HashedFile]:
    """What became of the file, and what is to be remembered of it. A rotted one never takes the new hash: it stays so
    until its bytes are the good ones, or others than the bad ones that a program has written."""
    if known is None:
        return Verdict.NEW, now
    if now.sha256 == known.sha256:
        return (Verdict.REPAIRED if known.rotted else Verdict.GOOD), now
    untouched = now.times == known.times
    if known.rotted and (untouched or now.sha256 == known.rotted):
        return Verdict.ROTTED, _as_rotted(known, now, known.good_at)
    if not known.rotted and untouched and known.was_settled:
        return Verdict.ROTTED, _as_rotted(known, now, known.read_at)
    same_content_time = (now.size, now.mtime_ns) == (known.size, known.mtime_ns)
    return (Verdict.REWRITTEN if same_content_time and not untouched else Verdict.NEW), now


def _as_rotted(known: HashedFile, now: HashedFile, good_at: int) -> HashedFile:
    return replace(now, sha256=known.sha256, rotted=now.sha256, good_at=good_at, stored_as=known.stored_as)


@dataclass(frozen=True)
class PassTimes:
    """Of a job: when its newest pass began and ended, in seconds since 1970; ``of_all``: with ``--all``."""

    began_at: int | None = None
    ended_at: int | None = None
    of_all: bool = False

    @property
    def is_open(self) -> bool:
        return self.began_at is not None and self.ended_at is None


class HashStore:
    """The hashes of one job. ``recall_hashes`` reads them; only ``held_hashes`` may add to them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.files: dict[str, HashedFile] = {}
        self.newest_pass = PassTimes()
        self._lines = 0
        self._descriptor: int | None = None
        for line in _lines_of(path):
            self._lines += 1
            self._take(line)

    def begin_pass(self, now: int, *, of_all: bool) -> None:
        self._write({"began": now, "of_all": of_all})

    def add(self, file: HashedFile) -> None:
        """On disk when it returns, but for a power cut. Raises ``Problem`` where the disk is full."""
        self._write(_fields(file))

    def move(self, path: str, new: str) -> None:
        """A rotted file has another name: the one that it had when it was good is remembered."""
        file = self.files.pop(path)
        self.files[new] = replace(file, path=new, stored_as=file.stored_as or path)
        self._write_anew()

    def end_pass(self, now: int, gone: Collection[str]) -> None:
        """Forgets the files that are ``gone``, and writes the store anew where that makes it much smaller."""
        self._write({"ended": now})
        for path in gone:
            self.files.pop(path, None)
        if gone or self._lines > len(self.files) + _SPARE_LINES:
            self._write_anew()

    def open(self) -> None:
        """To be added to."""
        private_folder(self._path.parent)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with where_possible():
            os.fchmod(self._descriptor, 0o600)
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            self._append(b"\n")  # ends the line that a kill has torn

    def close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with contextlib.suppress(OSError):
                os.fsync(descriptor)
            os.close(descriptor)

    def _take(self, line: Any) -> None:
        if isinstance(line, list):
            file = HashedFile(*line)
            self.files[file.path] = file
        elif "began" in line:
            self.newest_pass = PassTimes(line["began"], None, bool(line.get("of_all")))
        else:
            self.newest_pass = replace(self.newest_pass, ended_at=line["ended"])

    def _write(self, line: Any) -> None:
        self._append(_line_of(line))
        self._lines += 1
        self._take(line)

    def _append(self, data: bytes) -> None:
        assert self._descriptor is not None
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            written = 0
        if written < len(data):
            raise Problem(
                f"the disk with {self._path.parent} is full; what was read so far is not lost: make room, then type "
                "the same again",
                ExitCode.SPACE,
            )

    def _write_anew(self) -> None:
        times = self.newest_pass
        lines = [
            _line_of({"began": times.began_at, "of_all": times.of_all}),
            _line_of({"ended": times.ended_at}),
        ]
        lines += [_line_of(_fields(file)) for file in self.files.values()]
        self.close()
        try:
            write_private(self._path, b"".join(lines))
        except OSError:  # the disk is full: the long one is as good
            self._path.with_name(self._path.name + ".new").unlink(missing_ok=True)
        self.open()


def recall_hashes(state: Path) -> HashStore:
    """To be looked at, also while a check goes on."""
    return HashStore(state / FILE_NAME)


@contextlib.contextmanager
def held_hashes(state: Path, job: str) -> Iterator[HashStore]:
    """To be added to. Raises ``Problem`` while another check of the job goes on."""
    private_folder(state)
    descriptor = os.open(state / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(f"{job} is being checked already", ExitCode.TRY_LATER) from None
        store = HashStore(state / FILE_NAME)
        store.open()
        try:
            yield store
        finally:
            store.close()
    finally:
        os.close(descriptor)


def _fields(file: HashedFile) -> list[Any]:
    fields = [file.path, file.size, file.mtime_ns, file.ctime_ns, file.sha256, file.read_at]
    return [*fields, file.rotted, file.good_at, file.stored_as] if file.rotted else fields


def _line_of(line: Any) -> bytes:
    text = json.dumps(line, separators=(",", ":")).encode()  # ASCII: names that are no text have surrogates
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _lines_of(path: Path) -> Iterator[Any]:
    """The lines that are whole."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    for line in data.split(b"\n"):
        digest, _, text = line.partition(b" ")
        if len(digest) == 8 and digest == b"%08x" % zlib.crc32(text):
            yield json.loads(text)
