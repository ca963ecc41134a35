"""Random trees that change from backup to backup, and what is in them: to compare restores with the truth."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import stat
from pathlib import Path

Look = dict[str, tuple[object, ...]]
"""By relative path: kind, mode and time but for links, and bytes, target or nothing."""

_NAMES = [
    os.fsdecode(name)
    for name in (
        b"a",
        b"b",
        b"c d",
        b"e\nf",
        b"\xff\xfe",
        b"q'uote",
        b"z.txt",
        "ü".encode(),
        b"dir",
        b"dir.x",
        b".hid",
        b"\\back",
    )
]
_SIZES = [0, 10, 3000, 200_000, 900_000, 1_400_000]


def look(root: Path) -> Look:
    """What is at and below ``root``, itself as ``.``."""
    return {str(path.relative_to(root)): _look(path) for path in [root, *root.rglob("*")]}


def _look(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFLNK:
        return kind, str(path.readlink())
    content = hashlib.sha256(path.read_bytes()).digest() if kind == stat.S_IFREG else b""
    return kind, stat.S_IMODE(status.st_mode), int(status.st_mtime), content


class ChangingTree:
    """A tree below ``root`` with changes of every kind: also of a file into a folder, and back."""

    def __init__(self, root: Path, seed: int) -> None:
        self._root, self._random = root, random.Random(seed)

    def grow(self, count: int) -> None:
        for _ in range(count):
            folders = [self._root, *(path for path in self._paths() if _is_folder(path))]
            path = self._random.choice(folders) / self._random.choice(_NAMES)
            if os.path.lexists(path):
                continue
            lot = self._random.random()
            if lot < 0.3:
                path.mkdir()
            elif lot < 0.9:
                path.write_bytes(self._content())
            elif lot < 0.97:
                path.symlink_to(self._random.choice(["nowhere", "../a", "/etc"]))
            else:
                os.mkfifo(path)

    def change(self) -> None:
        for _ in range(self._random.randrange(2, 7)):
            paths = self._paths()
            if not paths:
                self.grow(3)
                continue
            path, lot = self._random.choice(paths), self._random.random()
            is_file = stat.S_ISREG(path.lstat().st_mode)
            if lot < 0.2:
                _remove(path)
            elif lot < 0.4 and is_file:
                path.write_bytes(path.read_bytes() + self._random.randbytes(500))
            elif lot < 0.6 and is_file:
                path.write_bytes(self._content())
            elif lot < 0.75:
                self._change_kind(path)
            elif lot < 0.85 and not path.is_symlink():
                path.chmod(0o700 if _is_folder(path) else 0o604)
            else:
                self.grow(2)

    def _change_kind(self, path: Path) -> None:
        was_folder = _is_folder(path)
        _remove(path)
        if was_folder:
            path.write_bytes(self._content())
        else:
            path.mkdir()
            (path / "in").write_bytes(self._content())

    def _content(self) -> bytes:
        return self._random.randbytes(self._random.choice(_SIZES))

    def _paths(self) -> list[Path]:
        return sorted(self._root.rglob("*"))


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def _remove(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink()
