"""The laptop under test: what is left of a story that failed."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

from laptop import Laptop


def test_a_failed_story_is_kept_whole(laptop: Laptop, tmp_path: Path) -> None:
    """Bucket, cache, source, logs and keys: what it takes to explain a failure that was seen once."""
    (laptop.source / "file").write_text("content")
    os.mkfifo(laptop.source / "fifo")
    laptop.enrol()
    laptop.succeed("backup")
    archive = tmp_path.parent / f"{tmp_path.name}.tar.gz"
    laptop.keep(archive)
    with tarfile.open(archive) as packed:
        names = packed.getnames()
        log = packed.extractfile("laptop/story.log")
        assert log is not None
        assert "panicroom ('backup',): 0\nsystem full: " in log.read().decode()
    assert {"laptop/source/file", "laptop/source/fifo", "laptop/state/panicroom.log", "laptop/runs.json"} <= {
        *names
    }
    bucket = [name.removeprefix("laptop/bucket/system/") for name in names if "/bucket/system/" in name]
    assert sorted(bucket) == laptop.service.names()
    assert any(name.startswith("laptop/cache/archive/laptop.system/meta_") for name in names)
    assert any(name.startswith("gnupg/") for name in names)
