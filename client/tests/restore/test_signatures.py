"""The signatures of a set, with duplicity's own reader as the authority."""

from __future__ import annotations

import gzip
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from duplicity import diffdir, librsync, statistics
from duplicity.path import Path as DuplicityPath
from duplicity.selection import Select
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from panicroom.duplicity_files.signatures import SignaturesUnreadable, read_signatures

KINDS = {"reg": "file", "dir": "folder", "sym": "link", "fifo": "pipe"}
SIZES = (0, 1, 511, 512, 513, 100_000, 262_144, 300_001)
names = st.binary(min_size=1, max_size=130).filter(
    lambda name: (
        not {b"/", b"\0"} & {name[at : at + 1] for at in range(len(name))} and name not in (b".", b"..")
    )
)


def signed(tree: Path, before: bytes | None = None) -> bytes:
    """The signatures that duplicity writes of a tree, as a full set or as an increment on ``before``."""
    select = Select(DuplicityPath(os.fsencode(tree)))
    select.set_iter()
    earlier = iter(()) if before is None else diffdir.sigtar2path_iter(io.BytesIO(before))
    written = io.BytesIO()
    diffdir.stats = statistics.StatsDeltaProcess()
    for path in diffdir.get_delta_iter(select, earlier, written):
        if path.isreg():
            file = path.open("rb")
            while file.read(2**16):
                pass
            file.close()
    return written.getvalue()


def packed(tmp_path: Path, tar: bytes) -> Path:
    path = tmp_path / "signatures.sigtar.gz"
    path.write_bytes(gzip.compress(tar))
    return path


def agree(path: Path, tar: bytes) -> None:
    ours = list(read_signatures(path, with_contents=True))
    theirs = list(diffdir.sigtar2path_iter(io.BytesIO(tar)))
    assert [item.path for item in ours] == [item.index for item in theirs]
    for entry, known in zip(ours, theirs, strict=True):
        assert (entry.kind == "deleted") == (known.difftype == "deleted")
        if entry.kind == "deleted":
            continue
        assert entry.kind == KINDS[known.type]
        assert (entry.mode, entry.modified_at) == (known.mode & 0o7777, known.getmtime())
        assert entry.link == (known.symtext if known.issym() else b"")


def test_entries_are_those_that_duplicity_reads(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "folder" / ("deep" * 30)).mkdir(parents=True)
    for number, size in enumerate(SIZES):
        (tree / "folder" / f"file {number}").write_bytes(os.urandom(size))
    (tree / os.fsdecode(b"no text \xff\n")).write_bytes(b"odd")
    (tree / "link").symlink_to("x" * 150)
    os.mkfifo(tree / "pipe")
    (tree / "folder" / "file 0").chmod(0o4751)
    full = signed(tree)
    agree(packed(tmp_path, full), full)
    (tree / "link").unlink()
    (tree / "folder" / "file 1").write_bytes(b"longer than before")
    os.utime(tree / "folder" / "file 1", (10**9, 10**9))
    increment = signed(tree, full)
    agree(packed(tmp_path, increment), increment)
    kinds = {item.path: item.kind for item in read_signatures(packed(tmp_path, increment))}
    assert kinds[b"link",] == "deleted"
    assert kinds[b"folder", b"file 1"] == "file"
    assert (b"folder", b"file 2") not in kinds


def test_a_size_is_that_of_the_file_rounded_up_to_a_block(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for size in SIZES:
        (tree / str(size)).write_bytes(os.urandom(size))
    for entry in read_signatures(packed(tmp_path, signed(tree))):
        if entry.kind == "file":
            size = int(entry.path[0])
            assert entry.block_bytes == diffdir.get_block_size(size)
            assert size <= entry.size_bytes < size + entry.block_bytes


def test_the_signature_is_the_one_of_librsync(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(os.urandom(70_000))
    (entry,) = [
        item for item in read_signatures(packed(tmp_path, signed(tree)), with_contents=True) if item.path
    ]
    generator = librsync.SigGenerator(diffdir.get_block_size(70_000))
    generator.update((tree / "file").read_bytes())
    assert entry.signature == generator.getsig()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(names, min_size=1, max_size=5, unique=True))
def test_any_name_comes_back(tmp_path_factory: pytest.TempPathFactory, found: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("names")
    tree = folder / "tree"
    tree.mkdir()
    for name in found:
        (tree / os.fsdecode(name)).write_bytes(name)
    tar = signed(tree)
    agree(packed(folder, tar), tar)
    assert {item.path for item in read_signatures(packed(folder, tar))} == {(), *((name,) for name in found)}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"\0" * len(data),
        lambda data: data[:-9],
        lambda data: gzip.compress(b"no tar at all" * 100),
        lambda data: data[: len(data) // 2] + b"\0" * 40 + data[len(data) // 2 + 40 :],
    ],
)
def test_a_file_that_is_cut_or_of_something_else_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(os.urandom(50_000))
    path = packed(tmp_path, signed(tree))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SignaturesUnreadable):
        list(read_signatures(path))


def test_modes_are_without_the_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for entry in read_signatures(packed(tmp_path, signed(tmp_path / "tree"))):
        assert stat.S_IFMT(entry.mode) == 0
