"""The folder that a restore writes: nothing leads out of it, and what is wrong with it is found."""

from __future__ import annotations

import dataclasses
import io
import os
import stat
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from duplicity import diffdir, librsync
from panicroom.duplicity_files.contents import signature_digest
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.exit_codes import Problem
from panicroom.restored_tree.file_proof import WRONG_CONTENT, FileProver, ProofJournal
from panicroom.restored_tree.finishing import finish_tree
from panicroom.restored_tree.tree import Tree
from panicroom.restored_tree.working_folder import WorkingFolder

PATH = (b"folder", b"file")
NOBODY = 65534
"""The number of the user who may do nothing."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "working" / "tree"


def signature(content: bytes) -> bytes:
    generator = librsync.SigGenerator(diffdir.get_block_size(len(content)))
    generator.update(content)
    return bytes(generator.getsig())


def entry_of(content: bytes) -> tuple[SignatureEntry, bytes]:
    """A file's entry and digest, as its set's signatures have them."""
    block = diffdir.get_block_size(len(content))
    blocks = -(-len(content) // block)
    user, group = (os.getuid(), ""), (os.getgid(), "")
    entry = SignatureEntry(PATH, "file", 0o640, 1_500_000_000, blocks * block, block, user=user, group=group)
    return entry, signature_digest(signature(content))


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 65_536, 65_537, 1_000_001])
def test_a_file_that_is_equal_is_proved_and_gets_its_attributes(root: Path, size: int) -> None:
    content = os.urandom(size)
    Tree(root).make_file(PATH, io.BytesIO(content))
    entry, digest = entry_of(content)
    journal = ProofJournal(root.parent / "proved")
    assert FileProver(root, journal).prove(PATH, entry, digest) is None
    status = (root / "folder" / "file").stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert status.st_mtime == 1_500_000_000
    assert journal.read()[PATH].digest == digest


@pytest.mark.parametrize("change", ["flipped", "cut", "longer", "one byte shorter"])
def test_a_file_that_differs_in_one_byte_is_found(root: Path, change: str) -> None:
    content = os.urandom(100_000)
    changed = {
        "flipped": content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
        "cut": content[:50_000],
        "longer": content + b"x",
        "one byte shorter": content[:-1],
    }[change]
    Tree(root).make_file(PATH, io.BytesIO(changed))
    journal = ProofJournal(root.parent / "proved")
    assert FileProver(root, journal).prove(PATH, *entry_of(content)) == WRONG_CONTENT
    assert journal.read() == {}


def test_a_link_in_the_way_is_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    tree = Tree(root)
    tree.make_folder(())
    (root / "folder").symlink_to(outside)
    with pytest.raises(OSError, match="folder"):
        tree.make_file(PATH, io.BytesIO(b"evil"))
    with pytest.raises(OSError, match="folder"):
        tree.make_folder((b"folder", b"sub"))
    (root / "file").symlink_to(outside / "file")
    with pytest.raises(FileExistsError):
        tree.make_file((b"file",), io.BytesIO(b"evil"))
    entry = SignatureEntry((b"file",), "file", 0o777)
    with pytest.raises(OSError, match="link"):
        tree.set_attributes((b"file",), entry, None)
    tree.remove((b"folder",))
    assert list(outside.iterdir()) == []


def test_what_cannot_be_read_leaves_no_file(root: Path) -> None:
    class Failing:
        def read(self, _length: int) -> bytes:
            raise ValueError("damaged")

    tree = Tree(root)
    with pytest.raises(ValueError, match="damaged"):
        tree.make_file(PATH, Failing())
    assert list((root / "folder").iterdir()) == []


def test_paths_longer_than_the_kernel_takes_are_written_and_removed(root: Path) -> None:
    deep = (b"d" * 200,) * 30
    tree = Tree(root)
    tree.make_file((*deep, b"file"), io.BytesIO(b"deep"))
    assert tree.status((*deep, b"file")).st_size == 4
    assert len(list(tree.walk())) == 31
    tree.remove(deep[:1])
    assert list(root.iterdir()) == []


def test_two_names_that_the_file_system_takes_for_one_are_named(root: Path) -> None:
    """A file system that folds case or composes letters differently gives one inode for both; so does a hard link."""
    content = b"content"
    entry, digest = entry_of(content)
    Tree(root).make_file(PATH, io.BytesIO(content))
    journal = ProofJournal(root.parent / "proved")
    FileProver(root, journal).prove(PATH, entry, digest)
    os.link(root / "folder" / "file", root / "folder" / "FILE")
    other = (b"folder", b"FILE")
    folder = SignatureEntry((b"folder",), "folder", 0o755, 5, user=entry.user, group=entry.group)
    top = dataclasses.replace(folder, path=())
    entries = {(): top, (b"folder",): folder, other: entry, PATH: entry}
    tree = Tree(root)
    proved = journal.read()
    failed = finish_tree(tree, entries, {PATH: proved[PATH], other: proved[PATH]})
    assert set(failed) <= {PATH, other}
    assert any("for the same" in reason for reason in failed.values())


def test_a_file_touched_after_its_proof_is_found(root: Path) -> None:
    content = b"content"
    entry, digest = entry_of(content)
    Tree(root).make_file(PATH, io.BytesIO(content))
    journal = ProofJournal(root.parent / "proved")
    FileProver(root, journal).prove(PATH, entry, digest)
    (root / "folder" / "file").write_bytes(b"CONTENT")
    os.utime(root / "folder" / "file", (1_500_000_000, 1_500_000_000))
    folder = SignatureEntry((b"folder",), "folder", 0o755, 5, user=entry.user, group=entry.group)
    top = dataclasses.replace(folder, path=())
    failed = finish_tree(Tree(root), {(): top, (b"folder",): folder, PATH: entry}, journal.read())
    assert failed == {PATH: "it was changed meanwhile"}


@pytest.mark.parametrize("moved", range(3))
def test_a_restore_into_a_mounted_disk_that_is_killed_as_it_ends_carries_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    """Folders too, which are in the target and not empty; what somebody else has put there is left alone."""
    folder = WorkingFolder(tmp_path, tmp_path / ".panicroom-restore-1")
    for name in ("a", "b", "c"):
        (folder.tree / name).mkdir(parents=True)
        (folder.tree / name / "file").write_text(name)
    rename = Path.rename
    left = [None] * moved

    def killed(path: Path, target: Path) -> Path:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        folder.finish()
    monkeypatch.undo()
    (tmp_path / "somebody's").touch()
    with pytest.raises(Problem, match="is not an empty folder"):
        folder.prepare_target()
    (tmp_path / "somebody's").unlink()
    folder.prepare_target()
    assert sorted(path.name for path in folder.tree.iterdir()) == ["a", "b", "c"]
    (folder.tree / "a" / "file").write_text("restored anew")
    folder.finish()
    assert {path.name: (path / "file").read_text() for path in tmp_path.iterdir()} == {
        "a": "restored anew",
        "b": "b",
        "c": "c",
    }


def as_ordinary_user(work: Callable[[Path], None]) -> None:
    """Calls it with a folder of its own, in a process that is not root's."""
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid() != 0:
            work(Path(name))
            return
        os.chown(name, NOBODY, NOBODY)
        process = os.fork()
        if process == 0:
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                work(Path(name))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


@pytest.mark.parametrize("within", [False, True], ids=["beside the target", "on a mounted disk"])
def test_read_only_folders_get_their_place_without_the_rights_of_root(within: bool) -> None:
    def work(home: Path) -> None:
        target = home / "target"
        target.mkdir()
        folder = WorkingFolder(target, (target if within else home) / ".panicroom-restore-1")
        (folder.tree / "photos").mkdir(parents=True)
        (folder.tree / "photos" / "file").touch()
        (folder.tree / "photos").chmod(0o555)
        folder.tree.chmod(0o555)
        folder.finish()
        for path in (target, target / "photos"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o555
            path.chmod(0o755)
        assert list(home.iterdir()) == [target]
        assert [path.name for path in target.rglob("*")] == ["photos", "file"]

    as_ordinary_user(work)


def test_what_somebody_has_put_into_the_target_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    folder = WorkingFolder(tmp_path, tmp_path / ".panicroom-restore-1")
    folder.tree.mkdir(parents=True)
    (folder.tree / "file").write_text("restored")
    (tmp_path / "file").write_text("somebody's")
    with pytest.raises(Problem, match="file is there already"):
        folder.finish()
    assert (tmp_path / "file").read_text() == "somebody's"
    assert (folder.tree / "file").read_text() == "restored"


def test_a_torn_line_of_the_journal_counts_as_not_written(tmp_path: Path) -> None:
    (tmp_path / "proved").write_text('["66", "00", 1, 2, 3, 4, 5]\n["6', encoding="ascii")
    assert list(ProofJournal(tmp_path / "proved").read()) == [(b"f",)]
