"""The signatures of the sets before, read in large pieces and taken apart by slices.

duplicity reads each header through ``tarfile``; with nothing changed that is the larger part of a backup's time. What
has another form than a regular file or a folder with a name of its own is left to duplicity, block by block.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import heapq
import io
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from panicroom.duplicity_run.speed.tar_headers import BLOCK
from panicroom.duplicity_run.speed.use import Use

_PIECE_BYTES = 2**20
_EXTENSIONS = b"xgLK"
_KINDS = {b"signature", b"snapshot"}
_ADLER_MODULUS = 65521

Facts = tuple[int, int, int, str]
"""Permissions, user id, group id, and duplicity's name of the type."""


def install() -> Use:
    from duplicity import diffdir

    use = Use()
    slow = diffdir.sigtar2path_iter

    def sigtar2path_iter(file: Any) -> Iterator[Any]:
        # Without an earlier set duplicity gives an empty text instead of a file.
        return slow(file) if isinstance(file, io.StringIO) else _Reader(slow, use).paths(file)

    def get_combined_path_iter(files: list[Any]) -> Iterator[Any]:
        """Of each path the entry of the newest file; ``files`` come oldest first."""
        return _newest_of_each([diffdir.sigtar2path_iter(file) for file in files])

    diffdir.sigtar2path_iter = sigtar2path_iter
    diffdir.get_combined_path_iter = get_combined_path_iter
    return use


def _newest_of_each(readers: list[Iterator[Any]]) -> Iterator[Any]:
    if len(readers) == 1:
        yield from readers[0]
        return
    previous = None
    # The second number decides between entries of one path: the newest file's comes first.
    ranked = (_ranked(reader, -number) for number, reader in enumerate(readers))
    for index, _rank, path in heapq.merge(*ranked):
        if index != previous:
            previous = index
            yield path


def _ranked(paths: Iterable[Any], rank: int) -> Iterator[tuple[tuple[bytes, ...], int, Any]]:
    for path in paths:
        yield path.index, rank, path


def _earlier_path_class() -> Any:
    from duplicity import path

    class EarlierPath(path.ROPath):  # type: ignore[misc]  # duplicity carries no types
        """What an earlier set says of a regular file or a folder. It is its own ``stat``, and its signature becomes
        a file when it is asked for."""

        opened = devnums = None
        _file: Any = None
        content: bytes | None = None

        def __init__(self) -> None:
            """Every field is set by the reader."""

        @property
        def stat(self) -> Any:
            return self

        @property
        def fileobj(self) -> Any:
            if self._file is None and self.content is not None:
                self._file = io.BytesIO(self.content)
            return self._file

        @fileobj.setter
        def fileobj(self, file: Any) -> None:
            self._file = file

    return EarlierPath


class _Reader:
    """Reads one signature file. ``slow``: duplicity's own reader."""

    def __init__(self, slow: Callable[[Any], Iterator[Any]], use: Use) -> None:
        self._slow, self._use, self._class = slow, use, _earlier_path_class()
        self._facts: dict[bytes, Facts | None] = {}

    def paths(self, file: Any) -> Iterator[Any]:
        """One object an entry, in the file's order. ``tarfile.ReadError`` where it is damaged or cut short."""
        extensions, long_name = b"", None
        for header, content, raw in _entries(file):
            if header[156] in _EXTENSIONS:
                extensions += raw
                long_name = _pax_name(header, content)
                continue
            made = self._plain(header, content, long_name) if long_name or not extensions else None
            yield made or self._through_tarfile(extensions + raw)
            extensions, long_name = b"", None
        file.close()

    def _plain(self, header: bytes, content: bytes, long_name: bytes | None) -> Any:
        """A regular file or a folder; None for anything else."""
        owner_fields = header[100:124] + header[156:257] + header[265:345]
        if owner_fields not in self._facts:
            self._facts[owner_fields] = self._facts_of(header)
        facts = self._facts[owner_fields]
        kind, _, name = (long_name or header[:100].rstrip(b"\0")).partition(b"/")
        if facts is None or kind not in _KINDS or header[345]:
            return None
        made = self._class.__new__(self._class)
        made.difftype = kind.decode()
        made.mode, made.st_uid, made.st_gid, made.type = facts
        made.st_mtime, made.st_size = int(header[136:147], 8), len(content)
        if made.type == "reg":
            made.content = content
        else:
            name = name.rstrip(b"/")
        made.index = tuple(name.split(b"/")) if name else ()
        self._use.times += 1
        return made

    def _facts_of(self, header: bytes) -> Facts | None:
        """As duplicity understands the fields that many entries share; None for what is no file and no folder."""
        from duplicity import path

        entry = tarfile.TarInfo.frombuf(header, tarfile.ENCODING, "surrogateescape")
        if entry.type not in (tarfile.REGTYPE, tarfile.DIRTYPE):
            return None
        understood = path.ROPath(())
        entry.mtime = 0
        understood.init_from_tarinfo(entry)
        return understood.mode, understood.stat.st_uid, understood.stat.st_gid, understood.type

    def _through_tarfile(self, raw: bytes) -> Any:
        path = next(self._slow(io.BytesIO(raw + bytes(2 * BLOCK))))
        if path.isreg():
            path.fileobj = io.BytesIO(path.fileobj.read())
        return path


def _entries(file: Any) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Header, content, and both with their padding, of each entry of a tar file up to its end mark."""
    buffer, at = b"", 0
    while True:
        if len(buffer) - at < BLOCK:
            buffer, at = buffer[at:] + _more(file, BLOCK), 0
        header = buffer[at : at + BLOCK]
        if not header.strip(b"\0"):
            return  # two empty blocks end it; an empty file has none
        _check(header)
        size = int(header[124:135], 8)
        end = at + BLOCK + size + -size % BLOCK
        if len(buffer) < end:
            missing = end - len(buffer)
            buffer, end, at = buffer[at:] + _more(file, missing), end - at, 0
            if len(buffer) < end:
                raise tarfile.ReadError("the signatures end in the middle of an entry")
        yield header, buffer[at + BLOCK : at + BLOCK + size], buffer[at:end]
        at = end


def _more(file: Any, wanted: int) -> bytes:
    """At least so many bytes, if there are as many."""
    pieces: list[bytes] = []
    while wanted > 0 and (piece := file.read(max(_PIECE_BYTES, wanted))):
        pieces.append(piece)
        wanted -= len(piece)
    return b"".join(pieces)


def _check(header: bytes) -> None:
    """The header's own checksum, where its field counts as eight blanks; summed up as in ``tar_headers``."""
    try:
        stored = int(header[148:154], 8)
    except ValueError:
        stored = -1
    expected = (1 + stored - 256 + sum(header[148:156])) % _ADLER_MODULUS
    if len(header) < BLOCK or stored < 0 or zlib.adler32(header) & 0xFFFF != expected:
        raise tarfile.ReadError("the signatures are damaged")


def _pax_name(header: bytes, content: bytes) -> bytes | None:
    """The name in an extended header that says nothing else."""
    length, _, record = content.partition(b" ")
    if (
        header[156:157] == b"x"
        and length.isdigit()
        and int(length) == len(content)
        and record[:5] == b"path="
    ):
        return record[5:-1]
    return None
