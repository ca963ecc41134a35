"""A source folder that changes at random, mostly in ways that keep the modification time."""

from __future__ import annotations

import os
import random
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

SIZES = (0, 1, 511, 512, 513, 3000, 3000, 40_000, 150_000, 263_000)
TIMES = (0, 5, 1_500_000_000, 1_500_000_000.5, 4_000_000_000)
FOLDERS = ("", "d", "d/e", "h")


class ChangingTree:
    """``root`` is filled at once; ``change`` makes one random change. ``done`` lists them, for a failure's message."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root, self._chance = root, chance
        self.done: list[str] = []
        self._made = 0
        self._ways: list[Callable[[Path, os.stat_result], None]] = [
            *[self.rewrite_and_keep_the_time] * 3,
            self.rewrite_with_a_time_set_back,
            self.rewrite_with_a_time_ahead,
            self.rename_over,
            self.swap,
            self.change_mode,
            self.change_owner,
            self.replace_by_a_folder,
            self.add_hard_link,
            self.split_hard_link,
            self.truncate,
            self.touch,
            self.delete,
            self.add,
            self.change_symbolic_link,
            self.replace_by_a_copy,
            self.append,
            self.copy_folders,
            self.change_one_byte,
        ]
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
            for _ in range(chance.randint(2, 5)):
                self._add_to(root / folder)

    def change(self) -> None:
        files = self.files()
        way = self._chance.choice(self._ways) if len(files) > 3 else self.add
        path = self._chance.choice(files)
        self.done.append(f"{way.__name__} {path.relative_to(self.root)}")
        way(path, path.lstat())

    def files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if stat.S_ISREG(path.lstat().st_mode))

    def write_now(self) -> None:
        """A file that is written again and again, also within the second in which it was read."""
        hot = self.root / "hot"
        if hot.is_dir():  # by ``replace_by_a_folder``
            shutil.rmtree(hot)
        hot.write_bytes(self._chance.randbytes(4000))

    def rewrite_and_keep_the_time(self, path: Path, was: os.stat_result) -> None:
        size = was.st_size if self._chance.random() < 0.5 else self._chance.choice(SIZES)
        self._write(path, self._content(size), was.st_mtime)

    def rewrite_with_a_time_set_back(self, path: Path, was: os.stat_result) -> None:
        when = self._chance.choice([0.0, 1.0, 1e9, was.st_mtime - 1])
        self._write(path, self._content(self._chance.choice(SIZES)), when)

    def rewrite_with_a_time_ahead(self, path: Path, was: os.stat_result) -> None:
        when = self._chance.choice([4e9, time.time() + 3600, was.st_mtime + 0.3, was.st_mtime + 1])
        self._write(path, self._content(self._chance.choice(SIZES)), when)

    def rename_over(self, path: Path, was: os.stat_result) -> None:
        other = self._chance.choice(self.files())
        self._look_like(other, was)
        other.rename(path)

    def swap(self, path: Path, was: os.stat_result) -> None:
        other = self._chance.choice(self.files())
        self._look_like(other, was)
        aside = self.root / "aside"
        path.rename(aside)
        if other != path:
            other.rename(path)
        aside.rename(other)

    def change_mode(self, path: Path, _was: os.stat_result) -> None:
        path.chmod(self._chance.choice([0o600, 0o644, 0o755, 0o4755]))

    def change_owner(self, path: Path, _was: os.stat_result) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._chance.choice([0, 1, 1234]), self._chance.choice([0, 2, 4321]))

    def replace_by_a_folder(self, path: Path, was: os.stat_result) -> None:
        path.unlink()
        path.mkdir()
        (path / "x").write_bytes(self._content(700))
        os.utime(path, (9, was.st_mtime))
        if self._chance.random() < 0.5:  # and back again
            shutil.rmtree(path)
            self._write(path, self._content(was.st_size), was.st_mtime)
            self._look_like(path, was)

    def add_hard_link(self, path: Path, was: os.stat_result) -> None:
        link = path.with_name(path.name + "L")
        if os.path.lexists(link):
            return
        os.link(path, link)
        if self._chance.random() < 0.5:
            self._write(path, self._content(was.st_size), was.st_mtime)

    def split_hard_link(self, _path: Path, _was: os.stat_result) -> None:
        linked = [path for path in self.files() if path.lstat().st_nlink > 1]
        if linked:
            path = self._chance.choice(linked)
            was = path.lstat()
            path.unlink()
            self._write(path, self._content(was.st_size), was.st_mtime)
            self._look_like(path, was)

    def truncate(self, path: Path, was: os.stat_result) -> None:
        with path.open("r+b") as file:
            file.truncate(self._chance.choice([0, was.st_size // 2]))
            if self._chance.random() < 0.6:
                file.write(self._content(was.st_size))
        os.utime(path, (was.st_atime, was.st_mtime))

    def touch(self, path: Path, was: os.stat_result) -> None:
        os.utime(path, self._chance.choice([(9, was.st_mtime), (9, was.st_mtime + 1), None, (9, -5)]))

    def delete(self, path: Path, was: os.stat_result) -> None:
        path.unlink()
        if self._chance.random() < 0.4:  # and made again
            self._write(path, self._content(was.st_size), was.st_mtime)
            self._look_like(path, was)

    def add(self, _path: Path, _was: os.stat_result) -> None:
        folders = [self.root / folder for folder in FOLDERS]
        self._add_to(self._chance.choice([folder for folder in folders if folder.is_dir()]))

    def change_symbolic_link(self, _path: Path, _was: os.stat_result) -> None:
        link = self.root / f"ln{self._chance.randint(1, 3)}"
        link.unlink(missing_ok=True)
        link.symlink_to(self._chance.choice(["f1", "d", "nowhere"]))

    def replace_by_a_copy(self, path: Path, _was: os.stat_result) -> None:
        copy = path.with_name(path.name + "C")
        shutil.copy2(path, copy)
        copy.replace(path)

    def append(self, path: Path, was: os.stat_result) -> None:
        with path.open("ab") as file:
            file.write(self._content(self._chance.choice([1, 600, 200_000])))
        os.utime(path, (was.st_atime, was.st_mtime))

    def copy_folders(self, _path: Path, _was: os.stat_result) -> None:
        for folder in (self.root / "d/e", self.root / "h"):
            if folder.is_dir() and self._chance.random() < 0.5:
                copy = folder.with_name(folder.name + ".new")
                shutil.copytree(folder, copy, symlinks=True)
                shutil.rmtree(folder)
                copy.rename(folder)

    def change_one_byte(self, path: Path, was: os.stat_result) -> None:
        if was.st_size:
            with path.open("r+b") as file:
                file.seek(self._chance.randrange(was.st_size))
                file.write(b"!")
            os.utime(path, (was.st_atime, was.st_mtime))

    def _add_to(self, folder: Path) -> None:
        self._made += 1
        path = folder / f"f{self._made}"
        path.write_bytes(self._content(self._chance.choice(SIZES)))
        if self._chance.random() < 0.5:
            os.utime(path, (9, self._chance.choice(TIMES)))

    def _content(self, size: int) -> bytes:
        kind = self._chance.random()
        if kind < 0.1:
            return bytes(size)
        if kind < 0.3:  # blocks that are all the same
            return (self._chance.randbytes(512) * (size // 512 + 1))[:size]
        return self._chance.randbytes(size)

    @staticmethod
    def _write(path: Path, content: bytes, when: float) -> None:
        path.write_bytes(content)
        os.utime(path, (when, when))

    def _look_like(self, path: Path, was: os.stat_result) -> None:
        """Mostly, duplicity is to find nothing in time, mode and owner."""
        if self._chance.random() < 0.8:
            os.utime(path, (9, was.st_mtime))
            path.chmod(stat.S_IMODE(was.st_mode))
            if os.geteuid() == 0:
                os.chown(path, was.st_uid, was.st_gid)
