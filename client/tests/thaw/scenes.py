"""A backup of several sets whose volumes can be archived, and how its commands are typed."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterable

from laptop import Laptop, next_second

ODD_NAMES = ["empty", "e\nf", os.fsdecode(b"\xff\xfe"), "q'uote *"]


def make_backups(laptop: Laptop) -> None:
    """A full set of about ten volumes (more than are begun ahead) and two increments; ``truth-0`` to ``truth-2`` are
    the source as of each."""
    chance = random.Random(11)
    folder = laptop.source / "folder"
    folder.mkdir()
    for number in range(15):
        (folder / f"file-{number}").write_bytes(chance.randbytes(450_000))
    (laptop.source / "large").write_bytes(chance.randbytes(2_500_000))
    for name in ODD_NAMES:
        (laptop.source / name).write_bytes(b"" if name == "empty" else chance.randbytes(1000))
    (laptop.source / "link").symlink_to("folder")
    laptop.enrol()
    for step in range(3):
        if step:
            with (folder / f"file-{step}").open("ab") as file:
                file.write(chance.randbytes(5000))
            (folder / f"new-{step}").write_bytes(chance.randbytes(1000))
            next_second()
        laptop.succeed("backup")
        shutil.copytree(laptop.source, laptop.home / f"truth-{step}", symlinks=True)


def volumes(laptop: Laptop, word: str = "") -> list[str]:
    """Names of volumes with ``word`` in them."""
    return sorted(name for name in laptop.service.names() if ".vol" in name and word in name)


def archive(laptop: Laptop, names: Iterable[str]) -> None:
    laptop.service.thaws.archived.update(names)


def fetched(laptop: Laptop) -> set[str]:
    """The volumes that were sent."""
    return {name for name in laptop.service.sent if ".vol" in name}
