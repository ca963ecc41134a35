"""One session out of a year of pictures asks for at most one volume more than its size needs."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panicroom.duplicity_files.contents import SetContents, read_contents
from panicroom.duplicity_files.manifest import parse_manifest
from panicroom.duplicity_files.stored_sets import chains
from panicroom.restore.plan import make_plan
from panicroom.wire import ListedFile
from restore.test_plan import backup_set, index

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


HEADER, VOLUME = 512, 16 * 1024
"""Bytes of the model: what an entry takes beside its content, and what a volume has before the next one begins."""

NAMES = ("a", "a b", "a-b", "aa", "A", "b")
"""Some sort otherwise as parts of a path than as text: ``a-b/x`` comes before ``a/x`` there."""

PICTURES = st.tuples(
    st.sampled_from(NAMES), st.sampled_from(["", "raw/", "raw/best/"]), st.integers(0, 30)
).map(lambda parts: "{}/{}{:02}.raw".format(*parts))


def stored_in_order(sizes: Mapping[str, int]) -> tuple[SetContents, dict[str, set[int]], dict[str, int]]:
    """As duplicity stores files: in the order of their paths' parts, in volumes that are full but for the last one. The
    volumes that have something of each file, and the bytes of each session, headers included."""
    kinds = {str(folder): "folder" for path in sizes for folder in Path(path).parents if str(folder) != "."}
    entries = sorted([*kinds, *sizes], key=index)
    ranges, held, bytes_of = dict[int, tuple[str, str]](), dict[str, set[int]](), dict[str, int]()
    number, used = 1, 0
    for path in entries:
        left = HEADER + sizes.get(path, 0)
        session = path.partition("/")[0]
        bytes_of[session] = bytes_of.get(session, 0) + left
        while left:
            if used == VOLUME:
                number, used = number + 1, 0
            part = min(left, VOLUME - used)
            left, used = left - part, used + part
            ranges[number] = (ranges.get(number, (path, ""))[0], path)
            held.setdefault(path, set()).add(number)
    contents = backup_set(0, {"": "folder", **kinds, **dict.fromkeys(sizes, "file")}, ranges)
    return contents, {path: held[path] for path in sizes}, bytes_of


@given(st.dictionaries(PICTURES, st.integers(0, 5 * VOLUME), min_size=1, max_size=80))
def test_whatever_a_year_is_like_a_session_asks_for_its_volumes_and_at_most_one_more_than_its_size_needs(
    sizes: dict[str, int],
) -> None:
    contents, held, bytes_of = stored_in_order(sizes)
    for session, stored_bytes in bytes_of.items():
        plan = make_plan([contents], [index(session)])
        asked = set(plan.by_set(plan.needs).get(0, []))
        assert asked == set().union(*(held[path] for path in sizes if path.startswith(f"{session}/")))
        assert len(asked) <= math.ceil(stored_bytes / VOLUME) + 1
