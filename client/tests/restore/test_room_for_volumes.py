"""What was read is kept for a restore that is killed, as far as there is room; the client removes from it meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

from panicroom.duplicity_run.child import restoring

MOST = restoring._MOST_READ_BYTES


class Removed(type(Path())):  # type: ignore[misc]  # the system's own kind of path
    """A file that somebody else removes as soon as it was looked at."""

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        found: os.stat_result = super().stat(follow_symlinks=follow_symlinks)
        self.unlink()
        return found


def volume(path: Path) -> Path:
    path.touch()
    os.truncate(path, MOST // 2)
    return path


def test_the_oldest_go_where_all_are_too_large(tmp_path: Path) -> None:
    read = [volume(tmp_path / name) for name in ("1", "2", "3")]
    restoring._make_room(read)
    assert [path.name for path in read] == ["2", "3"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3"]


def test_one_that_is_removed_in_this_moment_ends_nothing(tmp_path: Path) -> None:
    read: list[Path] = [Removed(volume(tmp_path / name)) for name in ("1", "2")]
    restoring._make_room(read)
    restoring._make_room(read)
    assert read == []
