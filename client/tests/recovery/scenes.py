"""A machine with two jobs that is backed up, and a computer that has nothing but what the recovery sheet says."""

from __future__ import annotations

from pathlib import Path

from laptop import PASSPHRASE, Laptop
from trees import make_tree

CODE = "10924-HDEHH-F3JYH-1B2G9-5KZF8-N3050"
JOBS = ("system", "photos")


def make_backups(laptop: Laptop) -> None:
    """Of ``source`` and ``photos``, each in full and with an increment of the first."""
    laptop.service.jobs = JOBS
    photos = laptop.home / "photos"
    photos.mkdir()
    (photos / "harbour.raw").write_bytes(b"raw" * 1000)
    make_tree(laptop.source)
    sources = ["--source", f"system={laptop.source}", "--source", f"photos={photos}"]
    laptop.succeed("enrol", laptop.service.url, "one-time-code", *sources, "--yes", PASSPHRASE=PASSPHRASE)
    laptop.succeed("backup", "full", "system")
    laptop.succeed("backup", "full", "photos")


def sheet(laptop: Laptop, machine: str = "laptop") -> str:
    """The line of the sheet."""
    return f"{laptop.service.url}#{machine}"


def new_computer(laptop: Laptop, name: str = "new") -> Laptop:
    """With folders of its own, nothing in them, and the same service."""
    home = laptop.home / name
    home.mkdir()
    (home / "source").mkdir()
    laptop.service.jobs, laptop.service.recovery_code = JOBS, CODE
    return Laptop(home, laptop.gnupg, laptop.service, folder=home)


def everything_written(computer: Laptop) -> list[tuple[Path, bytes]]:
    """All files of the client on a computer."""
    folders = [computer.home / name for name in ("config", "state", "cache")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [(path, path.read_bytes()) for path in files]
