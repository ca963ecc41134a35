"""A small archive of several chains, drills of it, and what a person sees of them."""

from __future__ import annotations

import json
import os
import random
import stat
from pathlib import Path
from typing import Any

from laptop import Laptop, next_second


def make_chains(laptop: Laptop, chains: int = 2) -> None:
    """Chains of a full set of two volumes and an increment of one each."""
    chance = random.Random(20)
    folder = laptop.source / "folder"
    folder.mkdir()
    for number in range(5):
        (folder / f"file-{number}").write_bytes(chance.randbytes(300_000))
    (laptop.source / "link").symlink_to("folder")
    laptop.enrol()
    for step in range(chains):
        if step:
            next_second()
            (folder / f"file-{step}").write_bytes(chance.randbytes(300_000))
        laptop.succeed("backup", "full")
        next_second()
        with (folder / f"file-{step + 1}").open("ab") as file:
            file.write(chance.randbytes(5000))
        (folder / f"new-{step}").write_bytes(chance.randbytes(1000))
        laptop.succeed("backup", "incremental")


def drilled(laptop: Laptop, *arguments: str, **more: str) -> tuple[int, dict[str, Any]]:
    """Exit code and last line of ``panicroom drill --json``."""
    ended = laptop.run("drill", "--json", *arguments, **more)
    lines = ended.stdout.splitlines()
    assert lines, ended.stderr
    return ended.returncode, json.loads(lines[-1])


def volumes(laptop: Laptop, word: str = "") -> list[str]:
    """Names of stored volumes with ``word`` in them."""
    return sorted(name for name in laptop.service.names() if ".vol" in name and word in name)


def freeze(laptop: Laptop) -> None:
    """All volumes are in Deep Archive, without a copy."""
    laptop.service.thaws.archived.update(volumes(laptop))
    laptop.service.thaws.copies.clear()


def memory(laptop: Laptop) -> dict[str, Any]:
    """What the drills remember."""
    found: dict[str, Any] = json.loads(
        (laptop.home / "state" / "laptop" / "system" / "drill.json").read_text()
    )
    return found


def work_folders(laptop: Laptop) -> list[Path]:
    """Folders of drills that are there."""
    return list((laptop.home / "cache").rglob("drill-*"))


def everything_in(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file below."""
    found = {}
    for folder, _folders, names in os.walk(root):
        for name in names:
            status = Path(folder, name).lstat()
            if stat.S_ISREG(status.st_mode):
                found[os.path.relpath(Path(folder, name), root)] = status.st_size, status.st_mtime_ns
    return found
