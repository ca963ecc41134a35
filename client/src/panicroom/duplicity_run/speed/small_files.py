"""A new file below 64 KiB is read once and made into its signature and its block of the volume in one go.

duplicity sends each through three layers of file objects. Files that were in the set before, large files, links and
whatever fails go duplicity's own way.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from panicroom.duplicity_run.speed.tar_headers import Owner, file_header, padded
from panicroom.duplicity_run.speed.use import Use

SMALL_BYTES = 64 * 1024
"""duplicity's own block: what is shorter is one block of the volume."""


class SmallDelta:
    """A new file, ready: what ``get_delta_path`` gives and ``DeltaTarBlockIter.process`` takes."""

    __slots__ = ("block", "index")
    difftype = "snapshot"

    def __init__(self, index: tuple[bytes, ...], block: bytes) -> None:
        self.index, self.block = index, block

    def get_relative_path(self) -> bytes:
        return b"/".join(self.index)


def install() -> Use:
    from duplicity import _librsync, diffdir

    use = Use()
    slow_delta, slow_process = diffdir.get_delta_path, diffdir.DeltaTarBlockIter.process

    def get_delta_path(new: Any, before: Any, signatures: Any = None) -> Any:
        if new.type == "reg" and signatures and not (before and before.isreg()):
            made = _small_delta(new, signatures, diffdir, _librsync.new_sigmaker)
            if made is not None:
                use.times += 1
                return made
        return slow_delta(new, before, signatures)

    def process(blocks: Any, delta: Any) -> Any:
        if delta.__class__ is SmallDelta:
            return diffdir.TarBlock(delta.index, delta.block)
        return slow_process(blocks, delta)

    diffdir.get_delta_path = get_delta_path
    diffdir.DeltaTarBlockIter.process = process
    return use


def _small_delta(
    new: Any, signatures: Any, diffdir: Any, new_sigmaker: Callable[[int], Any]
) -> SmallDelta | None:
    """Reads the file and writes its signature; None, and nothing is written, where duplicity has to do it.

    duplicity's modules are handed in: importing them for each file takes time.
    """
    status = new.stat
    if status.st_size >= SMALL_BYTES:
        return None
    data = _content(new.name)
    signature = (
        None if data is None else _signature(data, new_sigmaker(diffdir.get_block_size(status.st_size)))
    )
    if data is None or signature is None:
        return None
    owner, mtime, path = (
        _owner(new.mode, status.st_uid, status.st_gid),
        int(status.st_mtime),
        b"/".join(new.index),
    )
    header = file_header(b"snapshot/" + path, len(data), mtime, owner)
    signature_header = file_header(b"signature/" + path, len(signature), mtime, owner)
    if header is None or signature_header is None:
        return None
    block = signature_header + padded(signature)
    signatures.fileobj.write(block)
    signatures.offset += len(block)
    diffdir.stats.SourceFileSize += len(data)
    diffdir.stats.RawDeltaSize += len(data)
    return SmallDelta(new.index, header + padded(data))


def _content(name: bytes) -> bytes | None:
    """All of a file; None if it cannot be read or has grown too long: duplicity meets that again, and reports it."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            data = os.read(descriptor, SMALL_BYTES)
            while len(data) < SMALL_BYTES and (more := os.read(descriptor, SMALL_BYTES)):
                data += more
        finally:
            os.close(descriptor)
    except OSError:
        return None
    return data if len(data) < SMALL_BYTES else None


def _signature(data: bytes, maker: Any) -> bytes | None:
    """As librsync makes it of all the data at once; None if it wants more calls than for a small file."""
    cycle = maker.cycle
    at_end, used, signature = cycle(data)
    if not at_end:
        at_end, used, more = cycle(data[used:])
        signature += more
    return signature if at_end else None


_OWNERS: dict[tuple[int, int, int], Owner] = {}


def _owner(mode: int, uid: int, gid: int) -> Owner:
    """With names as ``ROPath.get_tarinfo`` finds them."""
    known = _OWNERS.get((mode, uid, gid))
    if known is None:
        from duplicity import cached_ops

        names = []
        for lookup, number in ((cached_ops.getpwuid, uid), (cached_ops.getgrgid, gid)):
            try:
                names.append(lookup(number)[0])
            except KeyError:
                names.append("")
        known = _OWNERS[mode, uid, gid] = Owner(mode, uid, gid, *names)
    return known
