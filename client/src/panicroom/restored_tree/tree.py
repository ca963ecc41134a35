"""The tree of files that a restore makes, written and read so that no link in it is ever followed.

Every path is reached from the tree's root, one folder after the other, by descriptors that refuse links (O_NOFOLLOW).
So whatever an archive holds, and whatever somebody else does in the folder meanwhile, nothing outside of it is
touched. Paths may be longer than what the kernel takes in one piece.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from panicroom.duplicity_files.manifest import PathIndex
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.private_files import where_possible

_CHUNK_BYTES = 256 * 1024
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600


class DataSource(Protocol):
    """What a file's bytes are read from."""

    def read(self, length: int, /) -> bytes: ...


class Tree:
    """The tree below ``root``. Methods raise ``OSError``; not safe to use from several threads.

    ``root`` is made with the first path in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder: tuple[PathIndex, int] | None = None

    def close(self) -> None:
        """Closes the descriptor that is open, if any."""
        if self._folder is not None:
            os.close(self._folder[1])
            self._folder = None

    def make_file(self, path: PathIndex, source: DataSource) -> None:
        """Writes a new file, private for now. What was written is removed if reading or writing fails."""
        folder, name = self._folder_of(path, make=True), path[-1]
        descriptor = os.open(name, _NEW_FILE, _PRIVATE_FILE, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                while chunk := source.read(_CHUNK_BYTES):
                    written = 0
                    while written < len(chunk):
                        written += file.write(chunk[written:]) or 0
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
            raise

    def make_folder(self, path: PathIndex) -> None:
        """Makes a folder, and those above it; no error if it is there."""
        self._open(path, make=True)

    def make_other(self, path: PathIndex, entry: SignatureEntry) -> None:
        """Makes a link, pipe or device. Devices take the rights of root."""
        folder, name = self._folder_of(path, make=True), path[-1]
        if entry.kind == "link":
            os.symlink(entry.link, name, dir_fd=folder)
        elif entry.kind == "pipe":
            os.mkfifo(name, _PRIVATE_FILE, dir_fd=folder)
        else:
            kind = stat.S_IFBLK if entry.is_block_device else stat.S_IFCHR
            os.mknod(name, _PRIVATE_FILE | kind, os.makedev(*entry.device), dir_fd=folder)

    def set_attributes(self, path: PathIndex, entry: SignatureEntry, owner: tuple[int, int] | None) -> None:
        """Gives ``path`` its owner (user and group number, if given), mode and time. A link has only an owner."""
        folder, name = self._folder_of(path) if path else self._open(()), path[-1] if path else b"."
        if owner is not None:
            os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)
        if entry.kind == "link":
            return
        # chmod follows links and has no other form everywhere; the folder is ours alone, and the kind was checked.
        if stat.S_ISLNK(self.status(path).st_mode):
            raise OSError(f"{name!r} has become a link")
        os.chmod(name, entry.mode, dir_fd=folder)
        time = max(entry.modified_at, 0)
        os.utime(name, (time, time), dir_fd=folder, follow_symlinks=False)

    def status(self, path: PathIndex) -> os.stat_result:
        """What ``path`` is; of a link, the link itself."""
        if not path:
            return os.fstat(self._open(()))
        return os.stat(path[-1], dir_fd=self._folder_of(path), follow_symlinks=False)

    def target_of(self, path: PathIndex) -> bytes:
        return os.readlink(path[-1], dir_fd=self._folder_of(path))

    def open_file(self, path: PathIndex) -> int:
        """A descriptor to read a file by; never waits, be it a pipe."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(path[-1], flags, dir_fd=self._folder_of(path))

    def walk(self) -> Iterator[tuple[PathIndex, os.stat_result]]:
        """Everything that is there, folders before what they hold, and makes each folder writable on the way."""
        waiting: list[PathIndex] = [()]
        while waiting:
            above = waiting.pop()
            folder = self._open(above, private=True)
            for name in sorted(_names(folder)):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                yield (*above, name), found
                folder = self._open(above)  # the caller may have used another one
                if stat.S_ISDIR(found.st_mode) and self._is_folder(folder, name):
                    waiting.append((*above, name))

    def remove(self, path: PathIndex) -> None:
        """Removes a path and, if it is a folder, what is in it."""
        folder, name = self._folder_of(path), path[-1]
        if not self._is_folder(folder, name):
            os.unlink(name, dir_fd=folder)
            return
        for found in list(_names(self._open(path, private=True))):
            self.remove((*path, found))
        folder = self._folder_of(path)
        os.rmdir(name, dir_fd=folder)

    @staticmethod
    def _is_folder(folder: int, name: bytes) -> bool:
        try:
            return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False

    def _folder_of(self, path: PathIndex, *, make: bool = False) -> int:
        return self._open(path[:-1], make=make)

    def _open(self, path: PathIndex, *, make: bool = False, private: bool = False) -> int:
        """The descriptor of a folder, good until the next call."""
        if self._folder is not None and self._folder[0] == path and not private:
            return self._folder[1]
        if make:
            self.root.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        current = os.open(self.root, _OPEN_FOLDER)
        try:
            for name in path:
                below = self._step(current, name, make)
                os.close(current)
                current = below
            if private:
                with where_possible():
                    os.fchmod(current, _PRIVATE_FOLDER)
        except BaseException:
            os.close(current)
            raise
        self.close()
        self._folder = path, current
        return current

    @staticmethod
    def _step(folder: int, name: bytes, make: bool) -> int:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, _PRIVATE_FOLDER, dir_fd=folder)
        return os.open(name, _OPEN_FOLDER, dir_fd=folder)


def _names(folder: int) -> Iterator[bytes]:
    with os.scandir(folder) as entries:
        for entry in entries:
            yield os.fsencode(entry.name)
