"""Folders of commands that were killed do not pile up."""

from __future__ import annotations

import os
from pathlib import Path

from panicroom.duplicity_files.work_folder import work_folder


def test_a_folder_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with work_folder(tmp_path / "cache", "read") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not list((tmp_path / "cache").iterdir())


def test_what_a_killed_command_left_is_removed_and_what_is_in_use_stays(tmp_path: Path) -> None:
    killed, old, fresh, other = (tmp_path / name for name in ("read-1", "look-2", "restore-3", "spool"))
    for folder in (killed, old, fresh, other):
        folder.mkdir()
    (killed / ".in-use").touch()
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    with work_folder(tmp_path, "read") as first, work_folder(tmp_path, "metadata") as second:
        assert set(tmp_path.iterdir()) == {fresh, other, first, second}
