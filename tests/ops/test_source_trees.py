"""The trees that the demonstration backs up, and what it does to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.demo.compare_trees import differences, record_tree
from ops.demo.source_trees import PHOTO_SIZES_MB, change_tree, copy_tree, make_library_tree, make_photo_tree
from ops.errors import OpsError


def test_photos_lie_in_year_and_session_and_are_as_large_as_raw_files() -> None:
    assert all(session.count("/") == 1 and session[:4].isdigit() for session in PHOTO_SIZES_MB)
    assert all(20 <= size <= 80 for sizes in PHOTO_SIZES_MB.values() for size in sizes)


def test_photos_cannot_be_compressed_and_are_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_photo_tree(tmp_path / name, {"2025/session": (1, 2)})
    one, two = record_tree(tmp_path / "one"), record_tree(tmp_path / "two")
    assert {path: entry.content for path, entry in one.items()} == {
        path: entry.content for path, entry in two.items()
    }
    assert one["2025/session/DSC_0002.NEF"].size == 2 * 2**20


def test_the_library_has_what_backups_get_wrong(tmp_path: Path) -> None:
    make_library_tree(tmp_path / "library")
    tree = record_tree(tmp_path / "library")
    assert tree["link to nowhere"].kind == "link"
    assert tree["an empty folder"].kind == "folder"
    assert tree["private.key"].mode == "400"
    assert "two\nlines" in tree
    assert "json/__init__.py" in tree
    assert not [path for path in tree if "__pycache__" in path or "site-packages" in path]


def test_changing_a_tree_changes_adds_moves_and_deletes(tmp_path: Path) -> None:
    make_library_tree(tmp_path / "library")
    before = record_tree(tmp_path / "library")
    counts = change_tree(tmp_path / "library")
    sentences = differences(before, record_tree(tmp_path / "library"))
    assert min(counts.values()) > 0
    assert sum("has another content" in text for text in sentences) == counts["changed"]
    assert sum("is missing" in text for text in sentences) == counts["deleted"] + counts["moved"]


def test_a_persons_folder_is_copied_and_only_read(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    make_photo_tree(source, {"2025/session": (1,)})
    (source / "link").symlink_to("2025")
    before = record_tree(source)
    copy_tree(source, tmp_path / "copy")
    change_tree(tmp_path / "copy")
    assert differences(before, record_tree(source)) == []
    copy_tree(source, tmp_path / "second copy")
    assert differences(before, record_tree(tmp_path / "second copy")) == []


def test_an_empty_source_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(OpsError, match="no folder with anything in it"):
        copy_tree(tmp_path / "empty", tmp_path / "copy")
