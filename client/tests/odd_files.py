"""A tree of everything that a backup may meet, and two changes of it; for comparing what two programs write."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

CHANCE_SEED = 5
ODD_NAMES = (
    "äö".encode(),
    "日本語".encode(),
    b"bad\xff\xfename",
    ("é" * 60).encode(),
    b"line\nbreak",
    b" space ",
    b"'\"\\",
)


def make_odd_files(root: Path) -> None:
    """Sizes around block limits, names of all lengths and encodings, modes, owners, times, links, a FIFO."""
    chance = random.Random(CHANCE_SEED)
    write(root, "empty", b"")
    for name, mtime in (
        ("epoch", 0),
        ("before-1970", -5),
        ("fraction", 1.6e9 + 0.75),
        ("far-future", 1.2e10),
    ):
        write(root, name, b"time", mtime=mtime)
    for size in (511, 512, 513, 65_535, 65_536, 65_537, 131_072, 200_001):
        write(root, f"size/{size}", chance.randbytes(size))
    write(root, "large", chance.randbytes(1_500_000))
    for length in range(85, 130, 3):
        write(root, "long/" + "n" * length, b"long")
    write(root, "/".join(["d" * 30] * 8) + "/file", b"deep")
    for odd in ODD_NAMES:
        write(root, b"names/" + odd, b"name")
    _make_attributes(root)
    _make_links(root)
    for number in range(100):
        write(
            root,
            f"many/{number % 7}/{number}",
            chance.randbytes(chance.randrange(3000)),
            mtime=1.5e9 + number,
        )
    for name in ("a-b/c", "a/b/c", "a.b"):  # the order of names and that of their parts differ
        write(root, name, b"order")


def _make_attributes(root: Path) -> None:
    for mode in (0o000, 0o4755, 0o1777, 0o600):
        write(root, f"mode/{mode:o}", b"mode").chmod(mode)
    for folder in ("empty-folder", "sticky"):
        (root / folder).mkdir()
    (root / "sticky").chmod(0o1777)
    if os.geteuid() == 0:
        for number, owner in enumerate((54_321, 3_000_000, 65_534)):
            os.chown(write(root, f"owner/{number}", b"owner"), owner, owner)


def _make_links(root: Path) -> None:
    for name, target in (("link", "epoch"), ("long-link", "/nowhere/" + "l" * 150), ("other-link", "ü")):
        (root / name).symlink_to(target)
    os.mkfifo(root / "fifo")
    os.link(root / "epoch", root / "hard-link")


def change_odd_files(root: Path) -> None:
    """Every kind of change: content, size, mode, owner, time, new, deleted, and one kind of thing for another."""
    write(root, "empty", b"no longer")
    (root / "size" / "512").unlink()
    write(root, "size/200001", b"small now")
    content = (root / "large").read_bytes()
    write(root, "large", content[:900_000] + b"inserted" + content[900_000:])
    for name in ("link", "fifo"):
        (root / name).unlink()
    (root / "link").mkdir()
    write(root, "fifo", b"a file now")
    (root / "empty-folder").rmdir()
    write(root, "empty-folder", b"a file now")
    write(root, b"names/bad\xff\xfename", b"changed")
    write(root, "long/" + "m" * 120, b"new")
    (root / "mode" / "600").chmod(0o644)
    os.utime(root / "many" / "0" / "0", (1, 1))
    shutil.rmtree(root / "many" / "3")


def change_odd_files_again(root: Path) -> None:
    (root / "epoch").unlink()
    write(root, "size/512", b"back" * 128)
    write(root, "many/3/again", b"x")


def write(root: Path, name: str | bytes, content: bytes, mtime: float | None = None) -> Path:
    path = root / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    return path
