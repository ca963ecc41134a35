"""Whether a photo job has changed is decided by a look at its files: no change may be missed."""

from __future__ import annotations

import contextlib
import dataclasses
import mmap
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from panicroom.photos import walking
from panicroom.photos.walk import (
    FileSeen,
    RememberedWalk,
    Walk,
    WalkScope,
    is_steady,
    is_unchanged,
    recall_walk,
    remember_walk,
)
from panicroom.photos.walking import steady_walk, walk_through
from panicroom.places import Places
from panicroom.settings import JobSettings, Settings

SECOND = 10**9
BEGAN = 1_700_000_000 * SECOND
OLD = FileSeen(10, BEGAN - 90 * SECOND, BEGAN - 60 * SECOND, 5)


def walk_of(files: dict[str, FileSeen], began_ns: int = BEGAN, scope: WalkScope | None = None) -> Walk:
    return Walk(scope or WalkScope("/pile/2018"), files, began_ns)


def seen(**facts: int) -> FileSeen:
    return dataclasses.replace(OLD, **facts)


# ---------------------------------------------------------------- the rules


@pytest.mark.parametrize("fact", ["size", "mtime_ns", "ctime_ns", "inode"])
def test_a_file_that_differs_in_one_fact_is_a_change(fact: str) -> None:
    before = {"a": OLD, "b": seen(inode=6)}
    now = {**before, "a": seen(**{fact: getattr(OLD, fact) + 1000})}
    assert is_unchanged(walk_of(before), walk_of(before))
    assert not is_unchanged(walk_of(before), walk_of(now))


def test_a_file_that_came_or_went_is_a_change() -> None:
    assert not is_unchanged(walk_of({"a": OLD}), walk_of({"a": OLD, "b": seen(inode=6)}))
    assert not is_unchanged(walk_of({"a": OLD, "b": seen(inode=6)}), walk_of({"a": OLD}))
    assert not is_unchanged(walk_of({"a": OLD}), walk_of({"b": OLD}))


@pytest.mark.parametrize("scope", [WalkScope("/elsewhere"), WalkScope("/pile/2018", "another list")])
def test_another_source_or_another_file_list_is_a_change(scope: WalkScope) -> None:
    assert not is_unchanged(walk_of({"a": OLD}), walk_of({"a": OLD}, scope=scope))


def test_on_a_disk_that_makes_inodes_up_they_say_nothing() -> None:
    scope = WalkScope("/pile/2018", keeps_inodes=False)
    before, now = {"a": OLD, "b": seen(inode=6)}, {"a": OLD, "b": seen(inode=7)}
    assert is_unchanged(walk_of(before, scope=scope), walk_of(now, scope=scope))
    assert not is_unchanged(walk_of(before), walk_of(now))


def test_where_all_inodes_are_new_the_disk_was_attached_again() -> None:
    before = {"a": OLD, "b": seen(inode=6)}
    assert is_unchanged(walk_of(before), walk_of({"a": seen(inode=15), "b": seen(inode=16)}))


def test_two_files_of_one_size_and_time_whose_names_were_swapped_are_a_change() -> None:
    """On a disk whose change times do not move with a name, as FAT's do not."""
    before = {"a": OLD, "b": seen(inode=6)}
    assert not is_unchanged(walk_of(before), walk_of({"a": seen(inode=6), "b": OLD}))


@pytest.mark.parametrize(
    ("file", "steady"),
    [
        (OLD, True),
        (seen(ctime_ns=BEGAN - SECOND), False),
        (seen(mtime_ns=BEGAN - SECOND), False),
        (seen(mtime_ns=BEGAN + SECOND), False),
        (seen(mtime_ns=BEGAN + 86_400 * SECOND), True),
        (seen(ctime_ns=BEGAN + 86_400 * SECOND), False),
    ],
    ids=["long ago", "just written", "just dated", "dated now", "camera ahead", "disk ahead"],
)
def test_a_file_that_was_just_written_may_be_written_again_without_another_time(
    file: FileSeen, steady: bool
) -> None:
    assert is_steady(walk_of({"a": OLD, "b": file})) is steady


def test_what_an_earlier_walk_saw_the_same_is_not_being_written_whatever_its_times_are() -> None:
    file = seen(ctime_ns=BEGAN + 86_400 * SECOND)
    earlier = walk_of({"a": file}, BEGAN - 2 * SECOND)
    assert is_steady(walk_of({"a": file}), earlier)
    assert not is_steady(walk_of({"a": dataclasses.replace(file, ctime_ns=file.ctime_ns + 1)}), earlier)
    assert not is_steady(walk_of({"a": file, "b": file}), earlier)


names = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=12)
files = st.builds(FileSeen, *(st.integers(-(2**62), 2**62) for _ in range(4)))


@given(
    st.dictionaries(names, files, max_size=6), st.booleans(), st.sampled_from([None, "2026-11-30T00:00:00Z"])
)
def test_a_walk_is_remembered_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, found: dict[str, FileSeen], settles: bool, newest: str | None
) -> None:
    state = tmp_path_factory.getbasetemp() / "walks"
    remembered = RememberedWalk(walk_of({"\udce9": OLD, **found}), settles, newest)
    remember_walk(state, remembered)
    assert recall_walk(state) == remembered
    assert (state / "walk").stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("damage", [b"", b"x", b"{}"])
def test_a_walk_that_cannot_be_read_is_none(tmp_path: Path, damage: bytes) -> None:
    assert recall_walk(tmp_path) is None
    remember_walk(tmp_path, RememberedWalk(walk_of({"a": OLD}), settles=True))
    (tmp_path / "walk").write_bytes(damage or (tmp_path / "walk").read_bytes()[:-3])
    assert recall_walk(tmp_path) is None


# ---------------------------------------------------------------- real files


def settings_below(folder: Path) -> Settings:
    places = Places(folder / "config", folder / "state", folder / "cache")
    return Settings("https://x", "laptop", "file", 25, 12, (), places)


class _Folder:
    """A job's folder in which a test edits files of the same few sizes and times, so that they are easily mistaken."""

    SIZES, TIMES = (3, 4), (1_500_000_000, 1_500_000_001)

    def __init__(self, base: Path) -> None:
        shutil.rmtree(base, ignore_errors=True)
        self.settings, self.source = settings_below(base), base / "2018"
        self.source.mkdir(parents=True)
        self.job = JobSettings("photos-2018", self.source, family="photos")
        for number in range(4):
            self.write(number, number, number % 2, number % 2)

    def path(self, number: int) -> Path:
        return self.source / f"{number % 5}.raw"

    def write(self, number: int, byte: int, size: int, time: int) -> None:
        """In place, with its time set back."""
        path = self.path(number)
        path.write_bytes(bytes([byte % 256]) * self.SIZES[size])
        os.utime(path, (self.TIMES[time], self.TIMES[time]))

    def replace(self, number: int, byte: int, size: int, time: int) -> None:
        """By a new file, as programs save."""
        fresh = self.source.parent / "fresh"
        fresh.write_bytes(bytes([byte % 256]) * self.SIZES[size])
        os.utime(fresh, (self.TIMES[time], self.TIMES[time]))
        fresh.replace(self.path(number))

    def swap(self, number: int, other: int, _size: int, _time: int) -> None:
        one, two = self.path(number), self.path(other)
        if one != two and one.exists() and two.exists():
            one.rename(self.source / "between")
            two.rename(one)
            (self.source / "between").rename(two)

    def rename(self, number: int, other: int, _size: int, _time: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path(number).rename(self.path(other))

    def link(self, number: int, other: int, _size: int, _time: int) -> None:
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            os.link(self.path(number), self.path(other))

    def delete(self, number: int, _other: int, _size: int, _time: int) -> None:
        if len(list(self.source.iterdir())) > 1:
            self.path(number).unlink(missing_ok=True)

    def copy(self, number: int, other: int, _size: int, _time: int) -> None:
        """With its times, as ``cp -p``."""
        with contextlib.suppress(FileNotFoundError, shutil.SameFileError):
            shutil.copy2(self.path(number), self.path(other))

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.source.iterdir()}

    def walk(self) -> Walk:
        return walk_through(self.settings, self.job)


EDITS = st.tuples(
    st.sampled_from(["write", "replace", "swap", "rename", "link", "delete", "copy"]),
    *(st.integers(0, 4), st.integers(0, 4), st.integers(0, 1), st.integers(0, 1)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(EDITS, max_size=6))
def test_after_any_edits_a_folder_that_counts_as_unchanged_has_the_same_files(
    tmp_path: Path, edits: list[tuple[str, int, int, int, int]]
) -> None:
    folder = _Folder(tmp_path / "job")
    before, contents = folder.walk(), folder.contents()
    for name, *numbers in edits:
        edit: Callable[[int, int, int, int], None] = getattr(folder, name)
        edit(*numbers)
    if is_unchanged(before, folder.walk()):
        assert folder.contents() == contents


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(EDITS, max_size=3),
    during=st.lists(EDITS, max_size=3),
    after=st.lists(EDITS, max_size=3),
)
def test_what_is_edited_while_a_backup_reads_is_seen_the_next_time(
    tmp_path: Path,
    before: list[tuple[str, int, int, int, int]],
    during: list[tuple[str, int, int, int, int]],
    after: list[tuple[str, int, int, int, int]],
) -> None:
    """The walk that stands for a backup is the one before it; what it read is from any time since. A file that came and
    went meanwhile may be in the backup beside all others."""
    folder = _Folder(tmp_path / "job")

    def edit(edits: list[tuple[str, int, int, int, int]]) -> None:
        for name, *numbers in edits:
            getattr(folder, name)(*numbers)

    edit(before)
    walk = folder.walk()
    edit(during)
    backed_up = folder.contents()
    edit(after)
    if is_unchanged(walk, folder.walk()):
        assert folder.contents().items() <= backed_up.items()


def test_a_folder_without_changes_is_unchanged(tmp_path: Path) -> None:
    folder = _Folder(tmp_path / "job")
    assert is_unchanged(folder.walk(), folder.walk())


def test_a_card_that_was_just_copied_is_waited_for(tmp_path: Path) -> None:
    folder, waited = _Folder(tmp_path / "job"), list[float]()
    walk, steady = steady_walk(folder.settings, folder.job, waited.append)
    assert (steady, waited) == (True, [2.0])
    assert is_unchanged(walk, folder.walk())


def test_a_file_that_goes_on_being_written_settles_nothing(tmp_path: Path) -> None:
    folder = _Folder(tmp_path / "job")

    def write(_seconds: float) -> None:
        folder.write(1, 77, 0, 0)

    _walk, steady = steady_walk(folder.settings, folder.job, write)
    assert not steady


def test_a_page_that_a_program_has_mapped_moves_the_times_again_after_the_walk(tmp_path: Path) -> None:
    """The kernel moves them when a page is written to first, and not while it waits to be written back."""
    folder = _Folder(tmp_path / "job")
    path = folder.path(1)
    walks: list[Walk] = []

    def look() -> None:
        walks.append(steady_walk(folder.settings, folder.job, lambda _seconds: None)[0])

    if not _writes_twice(path, lambda: os.sync()):
        pytest.skip("this file system does not follow mapped pages")
    _writes_twice(path, look)
    assert not is_unchanged(walks[0], folder.walk())


def _writes_twice(path: Path, between: Callable[[], None]) -> bool:
    """By a mapping; whether the second time has moved the change time."""
    path.write_bytes(b"x" * 4096)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[0] = 1
        before = path.stat().st_ctime_ns
        between()
        mapped[1] = 2
        mapped.flush()
    return path.stat().st_ctime_ns != before


@pytest.mark.parametrize(("kind", "keeps"), [("ext4", True), ("vfat", False), ("exfat", False)])
def test_the_kind_of_the_disk_says_whether_it_has_inodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, keeps: bool
) -> None:
    folder = _Folder(tmp_path / "job")
    device = folder.source.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = f"36 35 {number} / / rw shared:1 - {kind} /dev/sda1 rw\n37 35 0:99 / /proc rw - proc proc rw\n"
    monkeypatch.setattr(walking, "mounts_text", lambda _: mounts)
    assert folder.walk().scope.keeps_inodes is keeps


def test_another_file_list_makes_another_walk(tmp_path: Path) -> None:
    folder = _Folder(tmp_path / "job")
    listed = tmp_path / "list"
    listed.write_text("- **/nothing\n")
    job = dataclasses.replace(folder.job, filelist=listed)
    before = walk_through(folder.settings, job)
    listed.write_text("- **/nothing\n- **/else\n")
    assert not is_unchanged(before, walk_through(folder.settings, job))
