"""Trees to back up; what they look like and how two of them differ is ``ops.demo.compare_trees``."""

from __future__ import annotations

import os
import random
from pathlib import Path

from ops.demo.compare_trees import Tree, differences
from ops.demo.compare_trees import record_tree as snapshot

__all__ = ["Tree", "differences", "make_tree", "snapshot"]


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
