"""Volumes of pictures are large: with little room on the disk fewer of them are on their way at once."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from panicroom.backup.preconditions.readiness import check_space, fitting_threads
from panicroom.exit_codes import ExitCode, Problem
from panicroom.places import Places
from panicroom.settings import JobSettings, Settings

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("free_mb", "volume_mb", "threads"),
    [(100_000, 200, 12), (3400, 200, 12), (3399, 200, 11), (1200, 200, 1), (1199, 200, None), (1200, 25, 12)],
)
def test_as_many_uploads_at_once_as_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mb: int, volume_mb: int, threads: int | None
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(0, 0, free_mb * 2**20))
    places = Places(tmp_path / "config", tmp_path / "state", tmp_path / "cache")
    settings = Settings("https://x", "laptop", "file", 25, 12, (JobSettings("photos-2018", None),), places)
    if threads is None:
        with pytest.raises(Problem, match="1200 MB needed") as caught:
            check_space(settings, volume_mb)
        assert caught.value.exit_code == ExitCode.SPACE
    else:
        check_space(settings, volume_mb)
        assert fitting_threads(settings, volume_mb) == threads
