"""A disk that fills while a backup runs: one line says so, and nothing is lost."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from laptop import Laptop
from panicroom.exit_codes import ExitCode
from trees import differences, make_tree, snapshot

DISK_MB = 24


@pytest.fixture
def small_disk(laptop: Laptop) -> Iterator[Path]:
    """The cache folder, on a disk of its own."""
    cache = laptop.home / "cache"
    cache.mkdir(exist_ok=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(cache)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk of one's own takes the rights of root, and Linux")
    yield cache
    unmount(cache)


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def test_a_disk_that_fills_is_named_and_the_next_backup_goes_on(laptop: Laptop, small_disk: Path) -> None:
    laptop.enrol()
    make_tree(laptop.source, files=40)
    # More than can wait on the disk: it fills while volumes are still made.
    (laptop.source / "large").write_bytes(random.Random(3).randbytes(40 * 2**20))
    before = snapshot(laptop.source)
    filler = small_disk / "somebody-elses"
    begun, ended_already = threading.Event(), threading.Event()

    def fill() -> None:
        """Takes all that is free, again and again."""
        begun.wait(60)
        with filler.open("wb", buffering=0) as file:
            while not ended_already.is_set():
                try:
                    file.write(bytes(2**16))
                except OSError:
                    time.sleep(0.001)

    filling = threading.Thread(target=fill)
    filling.start()
    laptop.service.on_put = lambda name, phase: begun.set()
    ended = laptop.run("backup")
    ended_already.set()
    filling.join()
    assert ended.returncode == ExitCode.SPACE
    assert "Traceback" not in ended.stderr + ended.stdout
    [line] = ended.stderr.strip().splitlines()
    assert "full" in line
    assert "make room" in line
    assert laptop.service.lease == {}

    filler.unlink()
    laptop.succeed("backup")
    unmount(small_disk)  # a restore wants more room than that
    assert not differences(before, snapshot(laptop.restore()))
