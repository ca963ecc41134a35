"""A pile of pictures that is backed up: a family of three photo jobs, a year each."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

from fake_service import CODE
from laptop import PASSPHRASE, Laptop

YEARS = ("2017", "2018", "2019")
JOBS = tuple(f"photos-{year}" for year in YEARS)

SESSIONS = {
    "2017": {"2017-01-01 fog": 3, "2017-06-01 sea": 1},
    "2018": {"2018-05-12 wedding": 4, "2018-08-01 harbour": 2},
    "2019": {"2019-02-03 snow": 2},
}
"""Pictures of 400 KB in each; beside its sessions each year has one more, ``loose.raw``."""


def make_pile(laptop: Laptop, sessions: dict[str, dict[str, int]] = SESSIONS) -> None:
    """Below ``pile``, with volumes of 1 MB, in full."""
    chance = random.Random(7)
    jobs = tuple(f"photos-{year}" for year in sessions)
    laptop.service.jobs = jobs
    for year, of_year in sessions.items():
        for session, pictures in of_year.items():
            folder = laptop.home / "pile" / year / session
            folder.mkdir(parents=True)
            for number in range(pictures):
                (folder / f"{number:03}.raw").write_bytes(chance.randbytes(400_000))
        (laptop.home / "pile" / year / "loose.raw").write_bytes(chance.randbytes(1000))
    sources = [f"photos-{year}={laptop.home / 'pile' / year}" for year in sessions]
    words = [word for source in sources for word in ("--source", source)]
    laptop.succeed("enrol", laptop.service.url, CODE, *words, "--yes", PASSPHRASE=PASSPHRASE)
    settings = laptop.home / "config" / "panicroom.toml"
    text = settings.read_text().replace("volume_mb = 25", "volume_mb = 1")
    settings.write_text(text)
    for job in jobs:
        laptop.succeed("backup", "full", job)
    text = re.sub(r"(?m)^\[jobs\.photos-.*\]$", r"\g<0>" + '\nfamily = "photos"', text)
    settings.write_text(f'{text}\n[families.photos]\nsource = "{laptop.home / "pile"}"\n')


def archive_jobs(laptop: Laptop, jobs: Iterable[str] = JOBS) -> None:
    """Their volumes are in an archive class."""
    for job in jobs:
        laptop.service.thaws.archived.update(name for name in laptop.service.names(job) if ".vol" in name)
