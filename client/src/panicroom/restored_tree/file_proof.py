"""Proves each restored file against its stored signature, and gives it owner, mode and time.

librsync's signature of a file, made again over the restored one with the same block length, has to be the stored one:
so a wrong plan, a wrong volume, a full or a bad disk is noticed, whatever duplicity reported. A file that was proved is
recorded with its identity, so that a restore that goes on does not read it again.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
import os
import queue
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from panicroom.duplicity_files.contents import signature_digest
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.duplicity_run.restore_plan import from_hex, to_hex
from panicroom.restored_tree.attributes import attributes_differ, owner_of
from panicroom.restored_tree.tree import Tree

_READ_BYTES = 64 * 1024
"""What librsync takes at a time."""

WRONG_CONTENT = "its content is not the one that was backed up"


@dataclass(frozen=True)
class ProvedFile:
    """A file that was equal to its signature (``digest``), with what changes when the file does."""

    digest: bytes
    identity: tuple[int, ...]

    @staticmethod
    def identity_of(status: os.stat_result) -> tuple[int, ...]:
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode


class ProofJournal:
    """The proved files, a line of JSON each; ``path`` may not be there yet. A torn line counts as not written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[PathIndex, ProvedFile]:
        found: dict[PathIndex, ProvedFile] = {}
        try:
            lines = self._path.read_text(encoding="ascii", errors="replace").splitlines()
        except FileNotFoundError:
            return found
        for line in lines:
            try:
                path, digest, *identity = json.loads(line)
                found[from_hex(path)] = ProvedFile(bytes.fromhex(digest), tuple(map(int, identity)))
            except (ValueError, TypeError):
                continue
        return found

    def add(self, path: PathIndex, proved: ProvedFile) -> None:
        line = json.dumps([to_hex(path), proved.digest.hex(), *proved.identity])
        with self._path.open("a", encoding="ascii") as file:
            file.write(f"{line}\n")


class FileProver:
    """Proves files of a tree; not safe to use from several threads."""

    def __init__(self, root: Path, journal: ProofJournal) -> None:
        self._tree, self._journal = Tree(root), journal

    def prove(self, path: PathIndex, entry: SignatureEntry, digest: bytes) -> str | None:
        """None if the file is as it was backed up, and has its attributes now; else what is wrong with it."""
        try:
            descriptor = self._tree.open_file(path)
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return "it is no file"
                if not _is_size(os.fstat(descriptor).st_size, entry):
                    return WRONG_CONTENT
                if signature_digest(signature_of(file.read, entry.block_bytes)) != digest:
                    return WRONG_CONTENT
            self._tree.set_attributes(path, entry, owner_of(entry))
            status = self._tree.status(path)
            if reason := attributes_differ(status, entry):
                return reason
        except OSError as error:
            return error.strerror or str(error)
        self._journal.add(path, ProvedFile(digest, ProvedFile.identity_of(status)))
        return None

    def close(self) -> None:
        self._tree.close()


class ProvingThread:
    """Proves files while others are written. ``failures`` are complete after ``finish``."""

    def __init__(
        self,
        prover: FileProver,
        entries: Mapping[PathIndex, SignatureEntry],
        digests: Mapping[PathIndex, bytes],
        on_proved: Callable[[PathIndex], None],
    ) -> None:
        self.failures: dict[PathIndex, str] = {}
        self._prover, self._entries, self._digests, self._on_proved = prover, entries, digests, on_proved
        self._waiting: queue.SimpleQueue[PathIndex | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="proof", daemon=True)
        self._thread.start()

    def prove(self, path: PathIndex) -> None:
        self._waiting.put(path)

    def finish(self) -> None:
        """Waits for the last file; raises what went wrong with the proof itself."""
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            while (path := self._waiting.get()) is not None:
                reason = self._prover.prove(path, self._entries[path], self._digests[path])
                if reason is None:
                    self._on_proved(path)
                else:
                    self.failures[path] = reason
        except BaseException as error:  # it belongs to whoever waits
            self._error = error
        finally:
            self._prover.close()


def _is_size(size: int, entry: SignatureEntry) -> bool:
    return entry.size_bytes - entry.block_bytes < size <= entry.size_bytes or size == entry.size_bytes == 0


def signature_of(read: Callable[[int], bytes | None], block_bytes: int) -> bytes:
    """librsync's signature of the bytes that ``read`` gives, up to its first empty answer."""
    from duplicity import librsync  # takes a moment

    generator = librsync.SigGenerator(block_bytes)
    while data := read(_READ_BYTES):
        generator.update(data)
    return bytes(generator.getsig())
