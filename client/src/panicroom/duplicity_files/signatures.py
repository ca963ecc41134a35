"""duplicity's signatures of a set: a tar with an entry for each path that is new, changed or deleted in it.

An entry ``signature/<path>`` is a regular file and holds its librsync signature; ``snapshot/<path>`` is anything
else (folder, link, pipe); ``deleted/<path>`` is a path that is gone. Entries come in duplicity's order of paths.
The entries of a full set are all that there was.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import dataclasses
import gzip
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from panicroom.duplicity_files.manifest import PathIndex

Kind = Literal["file", "folder", "link", "pipe", "device", "other", "deleted"]

_HEADER = struct.Struct(">III")
_MAGIC_MD4, _MAGIC_BLAKE2 = 0x72730136, 0x72730137
_WEAK_SUM_BYTES = 4
_REST_BYTES = 2**16


class SignaturesUnreadable(ValueError):
    """The bytes are no whole signatures of a set."""


@dataclass(frozen=True)
class SignatureEntry:
    """A path as of the end of its set. ``modified_at`` is in whole seconds since 1970; ``mode`` has no type bits.

    ``size_bytes`` of a file is rounded up to ``block_bytes`` (512 for files below 262,144 bytes): signatures hold
    no more. ``signature`` is a file's librsync signature, if asked for. A deleted path has no other field.
    """

    path: PathIndex
    kind: Kind
    mode: int = 0
    modified_at: int = 0
    size_bytes: int = 0
    block_bytes: int = 0
    link: bytes = b""
    user: tuple[int, str] = (0, "")
    group: tuple[int, str] = (0, "")
    device: tuple[int, int] = (0, 0)
    is_block_device: bool = False
    signature: bytes | None = None

    def without_signature(self) -> SignatureEntry:
        return dataclasses.replace(self, signature=None) if self.signature is not None else self


def read_signatures(path: Path, *, with_contents: bool = False) -> Iterator[SignatureEntry]:
    """The entries of a local ``.sigtar.gz`` (or ``.sigtar``), in their order, one at a time.

    ``with_contents`` gives each file's librsync signature as well, of which a large file has some megabytes.
    Raises ``SignaturesUnreadable`` at the place where the bytes end or make no sense.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            yield from _entries(stream, with_contents)  # type: ignore[arg-type]
            while stream.read(_REST_BYTES):  # to the end, where gzip has its checksum
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SignaturesUnreadable(str(error) or type(error).__name__) from None


def check_head(path: Path) -> None:
    """Raises ``SignaturesUnreadable`` unless the file, not packed, begins as a tar does."""
    with path.open("rb") as file:
        block = file.read(tarfile.BLOCKSIZE)
    empty = block == b"\0" * tarfile.BLOCKSIZE
    if not empty and block[257:262] != b"ustar":
        raise SignaturesUnreadable("it is no tar")


def _entries(stream: BinaryIO, with_contents: bool) -> Iterator[SignatureEntry]:
    # Not the locale's encoding: duplicity writes names that are no ASCII into pax headers, which are UTF-8.
    with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
        while (item := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # tarfile would keep every entry
            yield _entry(tar, item, with_contents)


def _entry(tar: tarfile.TarFile, item: tarfile.TarInfo, with_contents: bool) -> SignatureEntry:
    prefix, _, name = item.name.partition("/")
    index = tuple(part for part in _bytes(name).split(b"/") if part)
    if index == (b".",):
        index = ()
    if prefix == "deleted":
        return SignatureEntry(index, "deleted")
    if prefix not in ("signature", "snapshot"):
        raise SignaturesUnreadable(f"an entry is called {item.name[:80]!r}")
    size = block = 0
    contents: bytes | None = None
    if prefix == "signature":
        file = tar.extractfile(item)
        head = file.read(_HEADER.size) if file is not None else b""
        size, block = _size_of(head, item.size)
        if with_contents and file is not None:
            contents = head + file.read()
    return SignatureEntry(
        path=index,
        kind="file" if prefix == "signature" else _kind(item),
        mode=item.mode & 0o7777,
        modified_at=int(item.mtime),
        size_bytes=size,
        block_bytes=block,
        link=_bytes(item.linkname),
        user=(item.uid, item.uname),
        group=(item.gid, item.gname),
        device=(item.devmajor, item.devminor) if item.isdev() else (0, 0),
        is_block_device=item.isblk(),
        signature=contents,
    )


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _kind(item: tarfile.TarInfo) -> Kind:
    if item.isdir():
        return "folder"
    if item.issym():
        return "link"
    if item.isfifo():
        return "pipe"
    return "device" if item.isdev() else "other"


def _size_of(head: bytes, signature_bytes: int) -> tuple[int, int]:
    """A file's size, rounded up to a block, and the block's, from the head of its librsync signature."""
    if len(head) < _HEADER.size:
        return 0, 0
    magic, block, strong_sum_bytes = _HEADER.unpack(head)
    if magic not in (_MAGIC_MD4, _MAGIC_BLAKE2):
        raise SignaturesUnreadable("a file's signature is none of librsync's")
    blocks = (signature_bytes - _HEADER.size) // (_WEAK_SUM_BYTES + strong_sum_bytes)
    return blocks * block, block
