"""The private folder of a restore that is not finished, and how it becomes the target.

It lies beside the target, on the same file system, so that it gets the target's name in one step when everything in it
is proved. Where that cannot be (the target is a mounted disk, or what is above it is not ours), it lies in the target.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from panicroom.exit_codes import ExitCode, Problem
from panicroom.private_files import where_possible, write_private
from panicroom.shown import shown_path

_PREFIX = ".panicroom-restore-"
_TREE, _JOURNAL = "tree", "proved"


@dataclass(frozen=True)
class WorkingFolder:
    """``target`` has its links resolved. Nothing is made before something is written into ``tree``."""

    target: Path
    folder: Path

    @property
    def tree(self) -> Path:
        return self.folder / _TREE

    @property
    def journal(self) -> Path:
        return self.folder / _JOURNAL

    @property
    def key(self) -> str:
        """What tells the target from others in the names of files."""
        return self.folder.name.removeprefix(_PREFIX)

    @property
    def is_within(self) -> bool:
        """Whether it lies in the target."""
        return self.folder.parent == self.target

    @property
    def existing(self) -> Path:
        """The nearest folder that is there: where the space is that the restore will take."""
        return next(path for path in (self.folder, *self.folder.parents) if path.is_dir())

    def prepare_target(self) -> None:
        """Raises ``Problem`` unless the target can become what is restored. What a try that was killed in its last step
        had moved into it comes back first."""
        check_place(self.target)
        self._move_back()
        if self.target.is_dir() and set(self.target.iterdir()) - {self.folder}:
            raise Problem(
                f"{shown_path(str(self.target))} is not an empty folder; restore into a new one",
                ExitCode.TARGET,
            )

    @property
    def is_moving(self) -> bool:
        """Whether what is restored was being moved into the target when it was killed."""
        return self._moving.exists()

    @property
    def is_occupied(self) -> bool:
        """Whether the target holds what is nobody's restore, or is no folder: ``prepare_target`` refuses it."""
        if not self.target.is_dir():
            return os.path.lexists(self.target)
        return not self.is_moving and bool(set(self.target.iterdir()) - {self.folder})

    def finish(self) -> None:
        """Gives the tree the target's name. Raises ``Problem`` if the target has changed meanwhile."""
        os.sync()  # "done" is to be true after a power cut as well
        try:
            if self.is_within:
                self._move_out()
            else:
                _move(self.tree, self.target)
        except OSError as error:
            raise Problem(
                f"everything is restored and proved, in {shown_path(str(self.tree))}; it cannot be renamed to "
                f"{shown_path(str(self.target))}: {error.strerror or error}",
                ExitCode.TARGET,
            ) from None
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _moving(self) -> Path:
        """Holds the names that are moved into the target, while they are."""
        return self.folder / "moving"

    def _move_back(self) -> None:
        """The names that were recorded, and no others: whatever else is in the target is somebody's."""
        if not self._moving.exists():
            return
        self.tree.mkdir(mode=0o700, exist_ok=True)
        for name in os.fsdecode(self._moving.read_bytes()).split("/"):
            if os.path.lexists(self.target / name) and not os.path.lexists(self.tree / name):
                _move(self.target / name, self.tree / name)
        self._moving.unlink()

    def _move_out(self) -> None:
        """Moves what was restored up into the target, which gets the root's mode and time last."""
        status = self.tree.stat()
        with where_possible():
            self.tree.chmod(0o700)
        names = sorted(path.name for path in self.tree.iterdir())
        write_private(self._moving, os.fsencode("/".join(names)))
        for name in names:
            if os.path.lexists(self.target / name):
                raise FileExistsError(errno.EEXIST, f"{shown_path(name)} is there already")
            _move(self.tree / name, self.target / name)
        shutil.rmtree(self.folder)
        with where_possible():
            self.target.chmod(status.st_mode & 0o7777)
        os.utime(self.target, (status.st_mtime, status.st_mtime))


def _move(path: Path, target: Path) -> None:
    """Renames; a folder that its mode protects as well: whoever gives it another parent has to be allowed to write."""
    mode = path.lstat().st_mode
    if not stat.S_ISDIR(mode):
        path.rename(target)
        return
    with where_possible():
        path.chmod(mode & 0o7777 | stat.S_IWUSR)
    path.rename(target)
    with where_possible():
        target.chmod(mode & 0o7777)


def working_folder(to: Path) -> WorkingFolder:
    """The working folder for the target ``to``; the same one each time."""
    target = Path(os.path.realpath(to))
    name = _PREFIX + hashlib.sha256(os.fsencode(target)).hexdigest()[:8]
    beside = WorkingFolder(target, target.parent / name)
    if target.is_dir() and (
        not os.access(target.parent, os.W_OK | os.X_OK)
        or target.stat().st_dev != target.parent.stat().st_dev
        or os.path.ismount(target)
    ):
        return WorkingFolder(target, target / name)
    return beside


def remove_finished(folder: Path) -> None:
    """Removes the working folder of a restore that was killed when its tree had become the target; no other folder."""
    if folder.name.startswith(_PREFIX) and not (folder / _TREE).exists():
        with contextlib.suppress(OSError):
            (folder / _JOURNAL).unlink(missing_ok=True)
            folder.rmdir()


@contextmanager
def locked(folder: WorkingFolder, state: Path) -> Iterator[None]:
    """Holds the target against a second restore into it; a Problem if there is one. Ends with the process."""
    locks = state / "restores"
    locks.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = locks / f"{folder.key}.lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(
                f"another restore into {shown_path(str(folder.target))} is running", ExitCode.TRY_LATER
            ) from None
        yield


def check_place(target: Path) -> None:
    """Whether the target can be made: found out before anything is downloaded."""
    existing = next(path for path in (target, *target.parents) if os.path.lexists(path))
    shown = shown_path(str(target))
    if not existing.is_dir():
        raise Problem(f"{shown_path(str(existing))} is no folder; restore into a new one", ExitCode.TARGET)
    if not os.access(existing, os.W_OK | os.X_OK):
        raise Problem(
            f"{shown_path(str(existing))} cannot be written; restore into another folder", ExitCode.TARGET
        )
    longest = os.pathconf(existing, "PC_NAME_MAX")
    if any(len(os.fsencode(name)) > longest for name in target.relative_to(existing).parts):
        raise Problem(f"a name in {shown} is too long; restore into another folder", ExitCode.TARGET)
