"""Real trees for the demonstration to back up, and the changes a few days bring to them."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.errors import OpsError

# Of the interpreter's library: what somebody else put in, what only tests it, and what it makes again.
_LEFT_OUT = ("site-packages", "test", "tests", "idlelib", "__pycache__", "config-*", "*.a")

MB = 2**20
SessionSizes = Mapping[str, Sequence[int]]
"""``year/session`` -> the sizes of its files in MB (2^20 bytes)."""

PHOTO_SIZES_MB: SessionSizes = {
    "2024/harbour-at-dawn": (20, 26),
    "2025/wedding-of-m-and-j": (22, 38, 80),
}


def make_library_tree(target: Path) -> None:
    """The interpreter's standard library, with a few things that backups get wrong."""
    shutil.copytree(
        sysconfig.get_path("stdlib"), target, symlinks=True, ignore=shutil.ignore_patterns(*_LEFT_OUT)
    )
    (target / "link to json").symlink_to("json")
    (target / "link to nowhere").symlink_to("not/there")
    (target / "an empty folder").mkdir()
    (target / "Grüße, 世界.txt").write_text("A name that is not ASCII.\n", encoding="utf-8")
    (target / "two\nlines").write_text("A name with a line break.\n")
    private = target / "private.key"
    private.write_text("Only its owner may read this.\n")
    private.chmod(0o400)
    os.utime(target / "this.py", (0, 86_400))


def make_photo_tree(target: Path, sizes_mb: SessionSizes = PHOTO_SIZES_MB, seed: int = 2025) -> None:
    """Files as a camera writes them, which no compression makes smaller, in folders ``year/session``."""
    content = random.Random(seed)  # noqa: S311
    for session, sizes in sizes_mb.items():
        folder = target / session
        folder.mkdir(parents=True)
        for number, size_mb in enumerate(sizes, start=1):
            _write_raw(folder / f"DSC_{number:04}.NEF", size_mb, content)


def copy_tree(source: Path, target: Path) -> None:
    """Copies a person's folder with modes, times and links; the original is only read.

    Raises ``OpsError`` where something in it cannot be read.
    """
    if not source.is_dir() or not any(source.iterdir()):
        raise OpsError(f"{source} is no folder with anything in it: name one with SOURCE=folder.")
    target.mkdir(parents=True)
    copy = subprocess.run(
        ["cp", "-a", f"{source}/.", f"{target}/"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if copy.returncode != 0:
        first_word = (copy.stderr.strip().splitlines() or ["cp failed"])[0]
        raise OpsError(f"{source} cannot be copied whole: {first_word}")


def change_tree(root: Path, seed: int = 1) -> dict[str, int]:
    """Changes, adds, moves and deletes files, as some days of work would; how many of each."""
    chance = random.Random(seed)  # noqa: S311
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    chosen = chance.sample(files, max(3, len(files) // 20)) if len(files) >= 3 else files
    third = max(1, len(chosen) // 3)
    changed, deleted, renamed = chosen[:third], chosen[third : 2 * third], chosen[2 * third :]
    for path in changed:
        _write_into(path, chance)
    for path in deleted:
        path.unlink()
    for path in renamed:
        path.rename(path.with_name(f"{path.stem} (moved){path.suffix}"))
    added = root / "added later" / "notes"
    added.mkdir(parents=True)
    for number in range(5):
        (added / f"day {number}.txt").write_text(f"Day {number}: nothing was lost.\n" * (number + 1))
    return {"changed": len(changed), "deleted": len(deleted), "moved": len(renamed), "added": 5}


def _write_raw(path: Path, size_mb: int, content: random.Random) -> None:
    with path.open("wb") as stream:
        for _ in range(size_mb):
            stream.write(content.randbytes(MB))


def _write_into(path: Path, chance: random.Random) -> None:
    """Some bytes in the middle and some at the end, as an editor or a database would."""
    mode = path.stat().st_mode
    path.chmod(mode | 0o200)
    with path.open("r+b") as stream:
        stream.seek(path.stat().st_size // 2)
        stream.write(chance.randbytes(64))
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n# changed since the full backup\n")
    path.chmod(mode)
