"""The folder of a restore's volumes: as long as the restore can be carried on, and no longer."""

from __future__ import annotations

import os
import time
from pathlib import Path

from panicroom.restore.restore_cache import remove_abandoned, restore_cache
from panicroom.restored_tree.working_folder import working_folder

DAY = 86_400


def test_a_folder_goes_when_nobody_will_carry_its_restore_on(tmp_path: Path) -> None:
    parent = tmp_path / "work"
    folders = {name: working_folder(tmp_path / name) for name in ("gone", "begun", "done")}
    kept = {}
    for name, folder in folders.items():
        with restore_cache(parent, folder) as cache:
            (cache.folder / "volume").touch()
            kept[name] = cache.folder
    folders["begun"].tree.mkdir(parents=True)
    folders["done"].folder.mkdir()
    folders["done"].journal.touch()
    remove_abandoned(parent, time.time())
    assert not folders["done"].folder.exists(), "it was killed when its tree had become the target"
    assert kept["gone"].exists(), "it may have been killed before its first file"
    with restore_cache(parent, folders["gone"]) as running:
        remove_abandoned(parent, time.time() + 2 * DAY)
        assert (running.folder / "volume").exists(), "it is the same folder, and in use"
    remove_abandoned(parent, time.time() + 2 * DAY)
    assert not kept["gone"].exists()
    assert (kept["begun"] / "volume").exists(), "its files are beside their target"


def test_what_lies_there_without_its_note_goes_after_a_day(tmp_path: Path) -> None:
    odd = tmp_path / "restoring-1"
    odd.mkdir()
    remove_abandoned(tmp_path, time.time())
    assert odd.exists()
    os.utime(odd, (0, 0))
    remove_abandoned(tmp_path, time.time())
    assert not odd.exists()
