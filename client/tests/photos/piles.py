"""A laptop with a pile of pictures by year, and what its backups have stored."""

from __future__ import annotations

import os
import random
from pathlib import Path

from fake_service import CODE
from laptop import PASSPHRASE, Laptop

MB = 2**20


def make_pictures(folder: Path, files: int = 2, size: int = 30_000, seed: int = 1) -> None:
    """Of different sizes and times, as a camera has made them."""
    source = random.Random(f"{folder.name!a}{seed}")
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        path = folder / f"IMG_{seed}{number:03}.raw"
        path.write_bytes(source.randbytes(size + number))
        taken = 1_500_000_000 + 1000 * number + source.randrange(10**8)
        os.utime(path, (taken, taken))


def pile(laptop: Laptop, *folders: str) -> Path:
    """The folder with the pictures, some in each of ``folders``."""
    top = laptop.home / "Pictures"
    for number, folder in enumerate(folders):
        make_pictures(top / folder, seed=number)
    top.mkdir(exist_ok=True)
    return top


def enrol(laptop: Laptop, *words: str) -> None:
    """A machine that has a family and no other job."""
    laptop.service.jobs = tuple(laptop.service.families.job_of)
    laptop.service.families.names = ("photos",)
    sources = words or ("--source", f"photos={laptop.home / 'Pictures'}")
    laptop.succeed("enrol", laptop.service.url, CODE, *sources, "--yes", PASSPHRASE=PASSPHRASE)


def settings_text(laptop: Laptop) -> str:
    return (laptop.home / "config" / "panicroom.toml").read_text()


def sets(laptop: Laptop) -> dict[str, list[str]]:
    """The kinds of the finished sets of each job."""
    return {job: [name.split(".")[0] for name in laptop.service.sealed(job)] for job in laptop.service.jobs}


def volume_bytes(laptop: Laptop, job: str, kind: str) -> int:
    """Stored in volumes of sets of that kind, ``full`` or ``inc``."""
    return sum(
        len(stored.data)
        for key, stored in laptop.service.objects.items()
        if key.startswith(f"{job}/") and f"-{kind}." in key and ".vol" in key
    )
