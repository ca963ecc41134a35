"""A backup killed in mid-upload, its source changed, and started again: every set's time restores."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from ops.demo.compare_trees import differences, record_tree
from tests.end_to_end.conftest import Machine, Service

KILLED_AFTER_VOLUMES = [*(pytest.param(volumes, marks=pytest.mark.soak) for volumes in (1, 4)), 9]


def fill(machine: Machine) -> None:
    content = random.Random(machine.name)
    for number in range(24):
        path = machine.source / f"folder-{number % 4}" / f"file-{number:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.randbytes(500_000))


def change(machine: Machine, seed: int) -> None:
    """Early and late in the order of the backup: changes, additions, deletions."""
    time.sleep(1.1)
    content = random.Random(seed)
    files = sorted(path for path in machine.source.rglob("file-*") if path.is_file())
    for path in (files[0], files[2], files[len(files) // 2], files[-2]):
        path.write_bytes(content.randbytes(400_000))
    for path in (files[1], files[-3]):
        path.unlink()
    for folder in ("folder-0", "folder-3"):
        (machine.source / folder / f"added-{seed}").write_bytes(content.randbytes(100_000))


def edit(machine: Machine) -> None:
    time.sleep(1.1)
    for path in sorted(machine.source.rglob("file-*"))[::5]:
        with path.open("r+b") as file:
            file.seek(777)
            file.write(b"edited")


@pytest.mark.parametrize("volumes", KILLED_AFTER_VOLUMES)
def test_every_sets_time_restores_to_what_was_on_disk_then(
    service: Service, tmp_path: Path, volumes: int
) -> None:
    machine = service.machine(f"killed-after-{volumes}")
    fill(machine)
    machine.remember("full")
    prefix = f"{machine.name}/system/data_"
    machine.run_and_kill(lambda: len(service.keys(prefix)) >= volumes, "backup")
    change(machine, volumes)
    machine.remember("resumed")
    machine.do("backup")
    resumed = service.wait_for_sets(machine.name, 1)
    edit(machine)
    machine.remember("edited")
    machine.do("backup")
    sets = service.wait_for_sets(machine.name, len(resumed) + 1)
    assert all(one["complete"] for one in service.sets(machine.name))

    newest = tmp_path / "newest"
    machine.do("restore", "--to", str(newest))
    assert differences(machine.snapshots["edited"], record_tree(newest)) == []

    after_the_resume = tmp_path / "resumed"
    machine.do("restore", "--time", sets[-2]["set"].split(".")[-1], "--to", str(after_the_resume))
    assert differences(machine.snapshots["resumed"], record_tree(after_the_resume)) == []

    if len(sets) > 2:
        # The resumed set itself: what had changed by then may be left to the increment, nothing may be wrong.
        first = tmp_path / "first"
        machine.do("restore", "--time", sets[0]["set"].removeprefix("full."), "--to", str(first))
        before, now, found = machine.snapshots["full"], machine.snapshots["resumed"], record_tree(first)
        for path, entry in found.items():
            if entry.kind == "file":
                assert entry == before.get(path), path
        untouched = {path for path, entry in before.items() if now.get(path) == entry}
        assert untouched - {path for path, entry in found.items()} == set()
