"""What is left out by itself, how file lists are read, and a source that goes away while it is read."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laptop import Laptop
from panicroom.duplicity_run import left_out
from panicroom.duplicity_run import source_watch as watch
from panicroom.duplicity_run.filelists import filelist_lines, plain_filelist
from panicroom.duplicity_run.left_out import exclude_pattern, left_out_folders
from panicroom.duplicity_run.source_watch import SourceMark, fault_of, mark_source
from panicroom.duplicity_run.sources import SourceSelection, survey
from panicroom.exit_codes import ExitCode, Problem
from panicroom.places import Places
from panicroom.settings import Settings
from test_commands import one_clear_line

MOUNTS = """\
sysfs /sys sysfs rw 0 0
proc /srv/chroot/proc proc rw 0 0
proc /srv/odd\\040name/proc proc rw 0 0
/dev/sda1 /home ext4 rw 0 0
systemd-1 /mnt/auto autofs rw 0 0
host:/x /mnt/auto nfs rw 0 0
/dev/sdb1 /mnt/disk ext4 rw 0 0
"""


def settings_below(folder: Path) -> Settings:
    places = Places(folder / "config", folder / "state", folder / "cache")
    return Settings("https://x", "laptop", "file", 25, 12, (), places)


def test_of_a_whole_machine_the_kernels_folders_and_our_own_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_out, "mounts_text", lambda: MOUNTS)
    found = left_out_folders(settings_below(tmp_path), Path("/"))
    assert {str(path) for path in found} == {
        *("/proc", "/sys", "/dev", "/srv/chroot/proc", "/srv/odd name/proc"),
        *(str(tmp_path.resolve() / name) for name in ("cache", "state")),
    }
    assert left_out_folders(settings_below(tmp_path), Path("/home")) == ()
    assert left_out_folders(settings_below(tmp_path), Path("/srv/odd name")) == (Path("/srv/odd name/proc"),)


@given(st.text(alphabet="ab[]*?!-^", min_size=1, max_size=8))
def test_the_pattern_of_a_folder_matches_it_what_is_below_and_nothing_else(name: str) -> None:
    from duplicity import globmatch

    class Entry:
        def __init__(self, path: str) -> None:
            self.uc_name = path

        def isdir(self) -> bool:
            return True

    match = globmatch.select_fn_from_glob(exclude_pattern(Path("/x") / name), 0)
    assert match(Entry(f"/x/{name}")) == 0
    assert match(Entry(f"/x/{name}/below")) == 0
    assert match(Entry(f"/x/{name}c")) is None
    assert match(Entry("/x/c")) is None


def test_duplicity_takes_the_whole_machine_as_a_source(tmp_path: Path) -> None:
    """Its literal patterns fail below the root, and its own walk has to agree with the count."""
    from duplicity import log, selection
    from duplicity.path import Path as DuplicityPath

    log.setup()
    select = selection.Select(DuplicityPath(b"/"))
    for folder in left_out_folders(settings_below(tmp_path), Path("/")):
        select.add_pattern(exclude_pattern(folder), 0)
    assert select.Select(DuplicityPath(b"/proc")) == 0
    assert select.Select(DuplicityPath(b"/etc")) == 1


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"- a\n- b\n", ["- a", "- b", ""]),
        (b"- a\r\n- b\r\n", ["- a", "- b", ""]),
        (b"- a\r- b\r", ["- a", "- b", ""]),
        (b"\xef\xbb\xbf- a\n", ["- a", ""]),
        ("- a\u2028b\u0085\n".encode(), ["- a\u2028b\u0085", ""]),
        (b"- a\x0bb\x1c\n", ["- a\x0bb\x1c", ""]),
        (b"- a\r\n- b\x1a", ["- a", "- b"]),
    ],
)
def test_a_file_list_is_read_whatever_editor_saved_it(tmp_path: Path, data: bytes, lines: list[str]) -> None:
    (tmp_path / "list").write_bytes(data)
    assert filelist_lines(tmp_path / "list") == lines
    copy = plain_filelist(tmp_path / "list", tmp_path)
    assert copy.read_bytes().decode().split("\n") == lines


@pytest.mark.parametrize(("data", "said"), [(b"- a\r\n- caf\xe9\n", "line 2"), (b"\xff\xfe-\0 \0", "line 1")])
def test_a_file_list_that_is_no_utf8_names_the_line(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "list").write_bytes(data)
    with pytest.raises(Problem, match=said):
        filelist_lines(tmp_path / "list")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device file")
def test_device_files_are_left_out_if_the_settings_ask_for_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    try:
        os.mknod(tmp_path / "null", 0o020666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this container may not make device files")
    assert survey(tmp_path, device_files=True).files == 2
    assert survey(tmp_path, device_files=False).files == 1


def test_other_file_systems_are_left_out_if_the_settings_ask_for_it() -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == Path("/dev").stat().st_dev:
        pytest.skip("there is no other file system to try")
    seen: list[str] = []
    selection = SourceSelection(Path("/dev"), None)
    survey(Path("/dev"), lambda path, _status: seen.append(path), selection, other_filesystems=False)
    assert not [path for path in seen if path.startswith("/dev/shm/")]


# ---------------------------------------------------------------- a source that goes away


@pytest.fixture
def marked(tmp_path: Path) -> SourceMark:
    (tmp_path / "source").mkdir()
    return mark_source(tmp_path / "source", files=30)


def test_a_source_that_is_as_it_was_can_be_sealed(marked: SourceMark) -> None:
    assert fault_of(marked, met_files=30) is None
    assert fault_of(marked, met_files=21) is None  # somebody deleted a few


def test_a_source_that_became_another_folder_cannot(marked: SourceMark) -> None:
    source = Path(marked.source)
    source.rename(source.with_name("elsewhere"))
    assert "went away" in str(fault_of(marked, 30))
    source.mkdir()
    assert "another folder" in str(fault_of(marked, 30))


def test_a_source_of_which_a_share_was_not_met_cannot(marked: SourceMark) -> None:
    assert "27 of 30 files" in str(fault_of(marked, met_files=3))
    assert fault_of(dataclasses.replace(marked, files=0), met_files=3) is None  # a resumed set


def test_a_disk_below_the_source_that_was_detached_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr(watch, "mounts_text", lambda: f"/dev/sdb1 {tmp_path}/disk ext4 rw 0 0\n")
    mark = mark_source(tmp_path, files=1)
    assert mark.mounts == ((f"{tmp_path}/disk", (tmp_path / "disk").stat().st_dev),)
    assert fault_of(mark, 1) is None
    gone = dataclasses.replace(mark, mounts=((f"{tmp_path}/disk", -1),))
    assert "detached" in str(fault_of(gone, 1))
    (tmp_path / "disk").rmdir()
    assert "detached" in str(fault_of(mark, 1))


def test_what_a_vanishing_source_left_is_not_the_newest_backup(laptop: Laptop) -> None:
    """The disk goes away between the count and duplicity's walk; later it is back."""
    for number in range(30):
        (laptop.source / f"{number}.raw").write_bytes(os.urandom(40_000))
    laptop.enrol()
    laptop.succeed("backup")
    away = laptop.home / "away"
    away.mkdir()

    def detach(method: str, path: str) -> int | None:
        if (method, path.rsplit("/", 1)[-1]) == ("POST", "runs"):
            for number in range(27):
                shutil.move(laptop.source / f"{number}.raw", away)
        return None

    laptop.service.trouble = detach
    ended = laptop.run("backup")
    one_clear_line(ended, ExitCode.SOURCE, "27 of 30 files", "last good one stays the newest")
    assert len(laptop.service.sealed()) == 1
    assert laptop.service.runs[-1]["exit_code"] == ExitCode.SOURCE
    laptop.service.trouble = lambda _method, _path: None
    for file in away.iterdir():
        shutil.move(file, laptop.source)
    laptop.succeed("backup")
    assert len(laptop.service.sealed()) == 2
    assert len(list(laptop.restore().iterdir())) == 30


def test_a_finished_backup_whose_manifest_is_gone_is_not_discarded(laptop: Laptop) -> None:
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    laptop.succeed("backup")
    objects = laptop.service.objects
    (manifest,) = [key for key in objects if ".manifest" in key]
    lost = objects.pop(manifest)
    before = laptop.service.names()
    one_clear_line(laptop.run("backup"), ExitCode.MANIFEST_GONE, "manifest", "owner")
    assert laptop.service.names() == before
    assert laptop.service.runs[-1]["exit_code"] == ExitCode.MANIFEST_GONE
    objects[manifest] = lost
    laptop.succeed("backup")
