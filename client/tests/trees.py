"""Trees to back up, what they look like, and how two of them differ."""

from __future__ import annotations

import hashlib
import os
import random
import stat
from pathlib import Path

Tree = dict[str, tuple[object, ...]]


def make_tree(
    root: Path, files: int = 12, kilobytes: int = 300, large_kilobytes: int = 100, seed: int = 1
) -> None:
    """Incompressible files in folders, with links, an empty folder, odd modes and odd names."""
    source = random.Random(seed)
    for number in range(files):
        path = root / f"d{number % 3}" / f"file-{number:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.randbytes(kilobytes * 1024 + number))
    (root / "d1" / "large").write_bytes(source.randbytes(large_kilobytes * 1024))
    (root / "empty").mkdir()
    (root / "d0" / "link").symlink_to("file-00")
    (root / "d0" / "[odd] *name?\nnext line").write_bytes(b"odd")
    os.link(root / "d0" / "file-00", root / "d1" / "hard-link")
    (root / "d1" / "script").write_text("#!/bin/sh\n")
    (root / "d1" / "script").chmod(0o750)


def snapshot(root: Path) -> Tree:
    """What is under ``root``: by path its kind, mode and, for files, whole-second time and digest."""
    found: Tree = {}
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = Path(folder) / name
            status = path.lstat()
            key = str(path.relative_to(root))
            mode = stat.S_IMODE(status.st_mode)
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("link", str(path.readlink()))
            elif stat.S_ISDIR(status.st_mode):
                found[key] = ("folder", mode)
            else:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[key] = ("file", mode, int(status.st_mtime), digest)
    return found


def differences(expected: Tree, actual: Tree) -> list[str]:
    """Sentences, none for equal trees."""
    said = [f"{path!r} is missing" for path in sorted(expected.keys() - actual.keys())]
    said += [f"{path!r} should not be there" for path in sorted(actual.keys() - expected.keys())]
    said += [
        f"{path!r} differs"
        for path in sorted(expected.keys() & actual.keys())
        if expected[path] != actual[path]
    ]
    return said
