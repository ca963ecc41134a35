"""The comparison that the demonstration and the end-to-end tests rest on: it has to see everything."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.demo.compare_trees import count_files, differences, record_tree


@pytest.fixture
def original(tmp_path: Path) -> Path:
    root = tmp_path / "original"
    (root / "folder" / "inner").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "file").write_bytes(b"content")
    (root / "folder" / "inner" / "other").write_bytes(b"x" * 3_000_000)
    (root / "link").symlink_to("file")
    (root / "two\nlines").write_text("odd")
    os.utime(root / "file", (1_000_000_000, 1_000_000_000))
    return root


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    target = tmp_path / "copy"
    shutil.copytree(original, target, symlinks=True)
    return target


def found(original: Path, copy: Path) -> list[str]:
    return differences(record_tree(original), record_tree(copy))


def test_a_true_copy_has_no_difference(original: Path, copy: Path) -> None:
    assert found(original, copy) == []


def replace_link(root: Path, target: str) -> None:
    (root / "link").unlink()
    (root / "link").symlink_to(target)


def replace_with_folder(root: Path) -> None:
    (root / "file").unlink()
    (root / "file").mkdir()


def write_keeping_time(path: Path, content: bytes) -> None:
    status = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda root: write_keeping_time(root / "file", b"Content"), "file has another content"),
        (lambda root: (root / "file").chmod(0o600), "file has another mode: 600 instead of 644"),
        (lambda root: os.utime(root / "file", (1, 1_000_000_001)), "file has another modified: 1000000001"),
        (lambda root: replace_link(root, "folder"), "link has another content: folder instead of file"),
        (lambda root: (root / "two\nlines").unlink(), "two\nlines is missing"),
        (lambda root: (root / "empty").rmdir(), "empty is missing"),
        (lambda root: (root / "empty" / "new").write_text(""), "empty/new should not be there"),
        (replace_with_folder, "file is a folder instead of a file"),
        (lambda root: (root / "folder").chmod(0o700), "folder has another mode"),
    ],
)
def test_each_kind_of_damage_is_named(
    original: Path, copy: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    (original / "file").chmod(0o644)
    (copy / "file").chmod(0o644)
    damage(copy)
    assert any(text.startswith(sentence) for text in found(original, copy))


def test_a_socket_is_left_out_as_backups_leave_it_out(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(original)  # a socket's path has to be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert "socket" not in record_tree(original)


def test_files_are_counted_without_folders_and_links(original: Path) -> None:
    assert count_files(record_tree(original)) == 3
