"""One session out of a year of pictures asks for at most one volume more than its size needs."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from pathlib import Path

import pytest
from panicroom.duplicity_files.contents import SetContents, read_contents
from panicroom.duplicity_files.manifest import parse_manifest
from panicroom.duplicity_files.stored_sets import chains
from panicroom.restore.plan import make_plan
from panicroom.wire import ListedFile

MB = 2**20


def year_of_pictures(folder: Path, chance: random.Random) -> dict[str, int]:
    """Bytes by session: some of a single picture, some over many volumes."""
    sizes = {}
    for day in range(60):
        session = folder / f"2018-{1 + day // 5:02}-{1 + day % 5:02} session"
        session.mkdir(parents=True)
        pictures = [chance.randint(1000, 900_000) for _ in range(chance.choice([1, 1, 2, 4, 8]))]
        for number, size in enumerate(pictures):
            (session / f"{number:03}.raw").write_bytes(chance.randbytes(size))
        sizes[session.name] = sum(pictures)
    return sizes


def set_of(source: Path, work: Path) -> SetContents:
    """The year as plain duplicity stores it, in volumes of 1 MB."""
    target = work / "target"
    command = Path(sys.executable).with_name("duplicity")
    options = [
        "--no-encryption",
        "--volsize",
        "1",
        "--archive-dir",
        str(work / "archive"),
        "--no-compression",
    ]
    prefixes = [
        "--file-prefix-archive",
        "data_",
        "--file-prefix-manifest",
        "meta_",
        "--file-prefix-signature",
        "meta_",
    ]
    prefixes += ["--file-prefix-jsonstat", "meta_"]
    subprocess.run(
        [command, "full", *options, *prefixes, str(source), f"file://{target}"],
        check=True,
        capture_output=True,
    )
    files = {path.name: path for path in target.iterdir()}
    listing = [
        ListedFile(name, path.stat().st_size, "e", "2026-11-29T00:00:00Z", "DEEP_ARCHIVE")
        for name, path in files.items()
    ]
    stored = chains(listing).chains[0].sets[0]
    signatures = next(path for name, path in files.items() if "signatures" in name)
    manifest = next(path for name, path in files.items() if "manifest" in name)
    return read_contents(stored, signatures).with_manifest(parse_manifest(manifest.read_bytes()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_session_asks_for_at_most_one_volume_more_than_its_size_needs(tmp_path: Path, seed: int) -> None:
    sizes = year_of_pictures(tmp_path / "2018", random.Random(seed))
    contents = set_of(tmp_path / "2018", tmp_path)
    numbers = sorted(contents.stored)
    volume = min(contents.stored[number].size for number in numbers[:-1])
    assert len(numbers) > 20
    for session, size in sizes.items():
        asked = make_plan([contents], [(session.encode(),)]).volumes()
        assert math.ceil(size / MB) <= len(asked) <= math.ceil(size / volume) + 1, session
