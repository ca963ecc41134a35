"""``panicroom photos check``: rot is found, and nothing else is taken for it."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import json
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from fake_families import FakeFamilies
from laptop import Laptop
from panicroom.exit_codes import ExitCode, Problem
from panicroom.photos.check import CheckedJob, check_job, due_jobs_of, next_jobs
from panicroom.photos.check_report import found_lines, restore_commands, shell_word
from panicroom.photos.coverage import Coverage, as_job_check, cover_job, coverage_text, last_read_text
from panicroom.photos.file_hash import BLOCK_BYTES, FileHasher
from panicroom.photos.hashes import (
    FILE_NAME,
    HashedFile,
    HashStore,
    PassTimes,
    Verdict,
    held_hashes,
    judge,
    recall_hashes,
)
from panicroom.photos.walking import walk_through
from panicroom.places import Places
from panicroom.settings import JobSettings, Settings
from panicroom.terminal.plain_lines import PlainReporter

HOUR = 3600
SILENT = PlainReporter(io.StringIO())
MARCH = int(datetime(2026, 3, 3, 12, tzinfo=timezone.utc).timestamp())


# ---------------------------------------------------------------- the rule


def hashed(sha256: str = "good", **changes: object) -> HashedFile:
    seconds = 10**9
    file = HashedFile("a.raw", 80, MARCH * seconds, MARCH * seconds, sha256, MARCH + 2 * HOUR)
    return replace(file, **changes)  # type: ignore[arg-type]


LATER = MARCH + 90 * 24 * HOUR


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (hashed(read_at=LATER), Verdict.GOOD),
        (hashed("bad", read_at=LATER), Verdict.ROTTED),
        (hashed("other", read_at=LATER, ctime_ns=LATER * 10**9), Verdict.REWRITTEN),
        (hashed("other", read_at=LATER, mtime_ns=LATER * 10**9, ctime_ns=LATER * 10**9), Verdict.NEW),
        (hashed("other", read_at=LATER, size=81), Verdict.NEW),
    ],
)
def test_only_other_bytes_with_the_same_size_and_times_are_rot(now: HashedFile, verdict: Verdict) -> None:
    assert judge(hashed(), now)[0] is verdict
    assert judge(None, now) == (Verdict.NEW, now)


def test_a_file_that_was_written_shortly_before_it_was_read_may_have_been_written_again_at_the_same_time() -> (
    None
):
    young = hashed(read_at=MARCH + 60)
    assert judge(young, hashed("other", read_at=LATER)) == (Verdict.NEW, hashed("other", read_at=LATER))


def test_a_time_of_the_future_does_not_hide_rot() -> None:
    ahead = hashed(ctime_ns=(MARCH + 400 * 24 * HOUR) * 10**9)
    assert judge(ahead, replace(ahead, sha256="bad", read_at=LATER))[0] is Verdict.ROTTED


def rotted() -> HashedFile:
    return judge(hashed(), hashed("bad", read_at=LATER))[1]


def test_a_rotted_file_keeps_the_hash_of_its_good_bytes() -> None:
    assert rotted().sha256 == "good"
    assert (rotted().rotted, rotted().good_at) == ("bad", hashed().read_at)
    again = judge(rotted(), hashed("bad", read_at=LATER + HOUR))
    assert again == (Verdict.ROTTED, replace(rotted(), read_at=LATER + HOUR))


def test_a_rotted_file_that_rots_further_or_is_only_touched_stays_rotted() -> None:
    further = judge(rotted(), hashed("worse", read_at=LATER + HOUR))
    assert further[0] is Verdict.ROTTED
    assert further[1].sha256 == "good"
    touched = hashed("bad", read_at=LATER, mtime_ns=LATER * 10**9, ctime_ns=LATER * 10**9)
    verdict, kept = judge(rotted(), touched)
    assert (verdict, kept.sha256, kept.good_at) == (Verdict.ROTTED, "good", hashed().read_at)
    assert kept.was_written_since
    assert not rotted().was_written_since


def test_good_bytes_or_others_that_somebody_wrote_end_it() -> None:
    restored = hashed(read_at=LATER, mtime_ns=MARCH * 10**9, ctime_ns=LATER * 10**9)
    assert judge(rotted(), restored) == (Verdict.REPAIRED, restored)
    edited = hashed("edited", read_at=LATER, ctime_ns=LATER * 10**9, mtime_ns=LATER * 10**9)
    assert judge(rotted(), edited) == (Verdict.NEW, edited)


# ---------------------------------------------------------------- the store


def test_a_line_that_a_kill_has_torn_costs_that_file_only(tmp_path: Path) -> None:
    files = [hashed(path=f"{number}\n\udcff.raw") for number in range(3)]
    with held_hashes(tmp_path, "photos-2018") as store:
        for file in files:
            store.add(file)
    whole = (tmp_path / FILE_NAME).read_bytes()
    for cut in range(len(whole)):
        (tmp_path / FILE_NAME).write_bytes(whole[:cut])
        lines = whole[: cut + 1].count(b"\n") if whole[cut : cut + 1] == b"\n" else whole[:cut].count(b"\n")
        assert list(recall_hashes(tmp_path).files.values()) == files[:lines]
    with held_hashes(tmp_path, "photos-2018") as store:
        store.add(hashed(path="next"))
    assert set(recall_hashes(tmp_path).files) == {files[0].path, files[1].path, files[2].path, "next"}


def test_a_store_that_has_rotted_itself_takes_no_picture_for_rotten(tmp_path: Path) -> None:
    with held_hashes(tmp_path, "photos-2018") as store:
        store.add(hashed("00ff"))
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes().replace(b"00ff", b"00fe"))
    assert recall_hashes(tmp_path).files == {}
    path.write_bytes(b"\0" * 4096)
    assert recall_hashes(tmp_path).files == {}


def test_the_store_is_private_and_does_not_grow_with_each_pass(tmp_path: Path) -> None:
    for day in range(5):
        with held_hashes(tmp_path, "photos-2018") as store:
            store.begin_pass(MARCH + day, of_all=False)
            for number in range(1500):
                store.add(hashed(path=str(number), read_at=MARCH + day))
            store.end_pass(MARCH + day, gone=())
    path = tmp_path / FILE_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().count(b"\n") < 3600
    store = recall_hashes(tmp_path)
    assert (len(store.files), store.newest_pass.ended_at) == (1500, MARCH + 4)


def test_two_checks_of_a_job_at_once_are_refused(tmp_path: Path) -> None:
    already = pytest.raises(Problem, match="photos-2018 is being checked already")
    with held_hashes(tmp_path, "photos-2018"), already as refused, held_hashes(tmp_path, "photos-2018"):
        pass
    assert refused.value.exit_code == ExitCode.TRY_LATER


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held_hashes(tmp_path, "photos-2018") as store:
        store.add(hashed(path="first"))
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[: len(data) // 2])

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for failing in (half, full):
        with held_hashes(tmp_path, "photos-2018") as store:
            monkeypatch.setattr(os, "write", failing)
            with pytest.raises(Problem, match="is full") as problem:
                store.add(hashed(path="second"))
            monkeypatch.undo()
        assert problem.value.exit_code == ExitCode.SPACE
    with held_hashes(tmp_path, "photos-2018") as store:
        store.add(hashed(path="third"))
    assert set(recall_hashes(tmp_path).files) == {"first", "third"}


# ---------------------------------------------------------------- reading


def test_a_digest_is_that_of_the_whole_file(tmp_path: Path) -> None:
    hasher = FileHasher()
    for size in (0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 1):
        data = os.urandom(size)
        (tmp_path / "file").write_bytes(data)
        read = hasher.sha256(str(tmp_path / "file"))
        assert read is not None
        assert read[0] == hashlib.sha256(data).hexdigest()


def test_a_file_that_is_written_while_it_is_read_has_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(2 * BLOCK_BYTES))
    os.utime(path, (MARCH, MARCH))

    def write(_count: int) -> None:
        with path.open("r+b") as file:
            file.write(b"new")

    assert FileHasher(write).sha256(str(path)) is None


# ---------------------------------------------------------------- a job


class Pictures:
    """A job with a folder, in a clock of its own."""

    def __init__(self, top: Path) -> None:
        self.folder = top / "pictures" / "2018"
        self.folder.mkdir(parents=True)
        self.now = float(int(time.time()))
        places = Places(top / "config", top / "state", top / "cache")
        self.job = JobSettings("photos-2018", self.folder, family="photos")
        self.settings = Settings("http://127.0.0.1:9/api", "laptop", "file", 25, 4, (self.job,), places)

    @property
    def state(self) -> Path:
        return self.settings.job_state(self.job.job)

    def write(self, name: str, data: bytes = b"picture") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (MARCH, MARCH))
        return path

    def check(self, until: float | None = None) -> CheckedJob:
        """An hour after the last one."""
        self.now += HOUR
        return check_job(self.settings, self.job, SILENT, until=until, clock=lambda: self.now)

    def rot(self, path: Path) -> None:
        """Flips a bit. A test cannot do so without a new change time: so the store is told of that one."""
        data = bytearray(path.read_bytes())
        data[0] ^= 1
        path.write_bytes(bytes(data))
        os.utime(path, (MARCH, MARCH))
        self.forget_write(path)

    def forget_write(self, path: Path) -> None:
        name = os.fspath(path.relative_to(self.folder))
        with held_hashes(self.state, self.job.job) as store:
            store.add(replace(store.files[name], ctime_ns=path.stat().st_ctime_ns))

    def hashes(self) -> HashStore:
        return recall_hashes(self.state)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path)


def paths(found: CheckedJob) -> list[str]:
    return [file.path for file in found.rotted]


def test_a_flipped_bit_is_found_and_stays_reported_until_the_good_bytes_are_back(pictures: Pictures) -> None:
    bad, good = pictures.write("wedding/a.raw", b"the bride"), pictures.write("wedding/b.raw")
    assert pictures.check().exit_code == ExitCode.DONE
    pictures.rot(bad)
    for _time in range(2):
        found = pictures.check()
        assert (paths(found), found.exit_code) == (["wedding/a.raw"], ExitCode.ROTTED)
        assert found.coverage.rotted == 1
    bad.write_bytes(b"the bride")
    os.utime(bad, (MARCH, MARCH))
    assert cover_job(pictures.settings, pictures.job).rotted == 1  # until it was read
    found = pictures.check()
    assert (found.exit_code, found.repaired, paths(found)) == (ExitCode.DONE, ["wedding/a.raw"], [])
    assert good.read_bytes() == b"picture"


def test_a_rotted_file_that_is_replaced_is_reported_no_more(pictures: Pictures) -> None:
    path = pictures.write("a.raw")
    pictures.check()
    pictures.rot(path)
    assert paths(pictures.check()) == ["a.raw"]
    path.write_bytes(b"another picture")
    assert paths(pictures.check()) == []


def test_a_damaged_picture_of_a_renamed_session_stays_reported_with_the_name_that_the_backups_have(
    pictures: Pictures,
) -> None:
    path = pictures.write("wedding/a.raw", b"the bride")
    pictures.write("wedding/b.raw", b"the groom")  # of its size and time, and good
    pictures.check()
    pictures.rot(path)
    pictures.check()
    for name in ("Anna and Ben", "anna"):
        path = path.parent.rename(pictures.folder / name) / "a.raw"
        for _time in range(2):
            [file] = pictures.check().rotted
            assert (file.path, file.stored_as) == (f"{name}/a.raw", "wedding/a.raw")
    path.rename(pictures.folder / "c.raw")
    assert paths(pictures.check()) == ["c.raw"]
    pictures.write("c.raw", b"the bride")
    found = pictures.check()
    assert (found.repaired, paths(found)) == (["c.raw"], [])
    assert not any(file.rotted for file in pictures.hashes().files.values())


def test_a_damaged_picture_that_was_deleted_is_not_looked_for_in_a_copy_that_was_there_before(
    pictures: Pictures,
) -> None:
    path, copy = pictures.write("a.raw"), pictures.write("copies/a.raw")
    pictures.check()
    pictures.rot(path)
    pictures.check()
    path.unlink()
    assert paths(pictures.check()) == []
    assert copy.read_bytes() == b"picture"


def test_what_a_program_wrote_with_the_old_date_is_no_rot_and_is_named(pictures: Pictures) -> None:
    path = pictures.write("a.raw", b"caption 1")
    pictures.check()
    path.write_bytes(b"caption 2")
    os.utime(path, (MARCH, MARCH))
    found = pictures.check()
    assert (found.exit_code, found.rewritten) == (ExitCode.DONE, ["a.raw"])
    pictures.rot(path)
    assert paths(pictures.check()) == ["a.raw"]


def test_a_check_that_ran_out_of_time_goes_on_where_it_was(tmp_path: Path) -> None:
    parts = set()
    for seconds in range(10):
        pictures = Pictures(tmp_path / str(seconds))
        for number in range(3):
            pictures.write(f"{number}.raw", b"x" * (number + 1))
        ticks = itertools.count(pictures.now)
        until = pictures.now + seconds
        first = check_job(pictures.settings, pictures.job, SILENT, until=until, clock=lambda: next(ticks))  # noqa: B023
        parts.add(first.read_files)
        if not first.is_whole:
            rest = pictures.check()
            assert (first.read_files + rest.read_files, rest.is_whole) == (3, True)
        assert pictures.check().read_files == 3  # a new pass
    assert parts == {0, 1, 2, 3}


def test_odd_names_empty_files_links_pipes_and_sockets_are_looked_at(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [
        b"\xff\xfe.raw",
        "Hochzeit – é.raw".encode(),
        b"new\nline",
        b" blank ",
        b"-option",
        b"'quote\"\\",
    ]
    for name in names:
        pictures.write(os.fsdecode(name))
    pictures.write("empty", b"")
    (pictures.folder / "link").symlink_to("nowhere")
    os.mkfifo(pictures.folder / "pipe")
    monkeypatch.chdir(pictures.folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        found = pictures.check()
    assert found.exit_code == ExitCode.DONE
    assert found.read_files == found.coverage.files == found.coverage.hashed_files == len(names) + 3
    path = pictures.folder / os.fsdecode(names[0])
    pictures.rot(path)
    assert paths(pictures.check()) == [os.fsdecode(names[0])]


def failing(monkeypatch: pytest.MonkeyPatch, number: int, where: Callable[[str], bool]) -> None:
    real = os.open

    def opened(path: str, *more: object) -> int:
        if where(os.fspath(path)):
            raise OSError(number, os.strerror(number), path)
        return real(path, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", opened)


def test_a_file_that_the_disk_cannot_read_is_named_and_the_others_are_read(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.raw", "b.raw", "c.raw"):
        pictures.write(name)
    failing(monkeypatch, errno.EIO, lambda path: path.endswith("b.raw"))
    found = pictures.check()
    assert [(one.path, one.reason) for one in found.unreadable] == [("b.raw", "Input/output error")]
    assert (found.read_files, found.exit_code, found.is_whole) == (2, ExitCode.ROTTED, True)
    assert found.coverage.hashed_files == 2
    lines = found_lines(found, datetime.now().astimezone())
    assert lines[:3] == [
        "photos-2018: 1 file cannot be read:",
        "  b.raw: Input/output error",
        "To bring them back, type:",
    ]
    assert lines[3].startswith("  panicroom restore b.raw --job photos-2018 --to ")


def test_a_file_that_may_not_be_read_is_no_damage(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures.write("a.raw")
    failing(monkeypatch, errno.EACCES, lambda path: path.endswith("a.raw"))
    found = pictures.check()
    assert found.exit_code == ExitCode.SOURCE
    assert f"  chmod -R u+rX {pictures.folder}" in found_lines(found, datetime.now().astimezone())


def test_a_disk_that_fails_altogether_ends_the_check(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(15):
        pictures.write(f"{number:02}.raw")
    failing(monkeypatch, errno.EIO, lambda path: path.endswith(".raw") and path[-6:] > "02.raw")
    with pytest.raises(Problem, match=r"10 files .* in a row cannot be read") as problem:
        pictures.check()
    assert problem.value.exit_code == ExitCode.SOURCE
    monkeypatch.undo()
    assert len(pictures.hashes().files) == 3
    assert pictures.check().read_files == 12


def test_single_files_that_fail_do_not_end_it_however_many(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        pictures.write(f"{number:02}.raw")
    failing(monkeypatch, errno.EIO, lambda path: path.endswith(("1.raw", "3.raw", "5.raw", "7.raw", "9.raw")))
    assert len(pictures.check().unreadable) == 15


def test_a_disk_that_is_detached_ends_the_check_and_nothing_is_forgotten(pictures: Pictures) -> None:
    for number in range(3):
        pictures.write(f"{number}.raw")
    pictures.check()
    away = pictures.folder.with_name("away")
    reads: list[float] = []

    def clock() -> float:
        reads.append(0)
        if len(reads) == 5:  # in the middle
            pictures.folder.rename(away)
        return pictures.now + 2 * HOUR

    with pytest.raises(Problem, match="went away while it was read") as problem:
        check_job(pictures.settings, pictures.job, SILENT, clock=clock)
    assert problem.value.exit_code == ExitCode.SOURCE
    assert len(pictures.hashes().files) == 3
    with pytest.raises(Problem, match="is its disk attached"):
        pictures.check()
    assert cover_job(pictures.settings, pictures.job).hashed_files == 3
    away.rename(pictures.folder)
    pictures.now += 2 * HOUR
    assert pictures.check().is_whole


def test_a_deleted_file_is_forgotten_and_one_in_a_folder_that_cannot_be_read_is_not(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted = pictures.write("a.raw")
    pictures.write("b.raw")
    pictures.write("broken/c.raw")
    pictures.check()
    deleted.unlink()
    scan, look = os.scandir, os.lstat

    def scanned(path: str) -> object:
        if os.fspath(path).endswith("broken"):
            raise OSError(errno.EIO, "Input/output error")
        return scan(path)

    def looked(path: str, *more: object, **named: object) -> os.stat_result:
        if "broken/" in os.fspath(path):
            raise OSError(errno.EIO, "Input/output error")
        return look(path, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "scandir", scanned)
    monkeypatch.setattr(os, "lstat", looked)
    found = pictures.check()
    monkeypatch.undo()
    assert [one.path for one in found.unreadable] == ["broken/c.raw"]
    assert set(pictures.hashes().files) == {"b.raw", "broken/c.raw"}


def test_the_numbers_for_the_service_are_those_of_the_files_that_were_read_as_they_are(
    pictures: Pictures,
) -> None:
    pictures.write("a.raw", b"12345")
    bad = pictures.write("b.raw", b"123")
    pictures.check()
    pictures.rot(bad)
    pictures.check()
    pictures.write("c.raw", b"1234567")
    pictures.write("d.raw", b"12")
    pictures.check()
    pictures.write("c.raw", b"7654321")  # not read as it is now
    pictures.write("d.raw", b"21")
    told = as_job_check(pictures.settings, pictures.job, walk_through(pictures.settings, pictures.job))
    assert (told.files, told.bytes, told.hashed_files, told.hashed_bytes, told.rotted) == (4, 17, 2, 8, 1)
    since = datetime.fromtimestamp(pictures.now, timezone.utc)
    assert told.hashed_since == f"{since:%Y-%m-%dT%H:%M:%SZ}"
    assert ".raw" not in repr(told)


# ---------------------------------------------------------------- which job, and what is said


def test_an_interrupted_folder_comes_first_then_a_new_one_then_the_oldest(tmp_path: Path) -> None:
    jobs = [JobSettings(f"photos-{name}", tmp_path / name, family="photos") for name in "abcde"]
    for job in jobs[:4]:
        job.source.mkdir()
    passes = {
        "photos-a": PassTimes(100, 200),
        "photos-b": PassTimes(100, 150),
        "photos-c": PassTimes(),
        "photos-d": PassTimes(300, None),
        "photos-e": PassTimes(),  # its disk is not attached
    }
    order = next_jobs(jobs, passes, 400, of_all=False)
    assert [job.job[-1] for job in order] == ["d", "c", "b", "a", "e"]


def test_an_interrupted_check_of_all_goes_on_with_what_is_left(tmp_path: Path) -> None:
    jobs = [JobSettings(f"photos-{name}", tmp_path / name, family="photos") for name in "ab"]
    left = PassTimes(1000, None, of_all=True)
    passes = {"photos-a": left, "photos-b": PassTimes(1000, 1001, of_all=True)}
    names = [job.job for job in next_jobs(jobs, passes, 2000, of_all=True)]
    assert names == ["photos-a"]
    assert len(next_jobs(jobs, passes, 2000 + 61 * 86400, of_all=True)) == 2
    assert len(next_jobs(jobs, {**passes, "photos-a": PassTimes(1, 2)}, 2000, of_all=True)) == 2


def test_scheduled_backups_read_what_was_not_read_for_90_days(tmp_path: Path) -> None:
    jobs = [JobSettings(f"photos-{name}", tmp_path, family="photos") for name in "abc"]
    jobs.append(JobSettings("photos-d", tmp_path / "detached", family="photos"))
    now = 1000 * 86400
    passes = {
        "photos-a": PassTimes(now - 91 * 86400, now - 90 * 86400),
        "photos-b": PassTimes(now - 91 * 86400, now - 89 * 86400),
        "photos-c": PassTimes(now - 60, None),
        "photos-d": PassTimes(),
    }
    assert [job.job[-1] for job in due_jobs_of(jobs, passes, now)] == ["a", "c"]


def test_status_says_since_when_nothing_was_read() -> None:
    now = datetime.fromtimestamp(LATER, timezone.utc)
    assert last_read_text([PassTimes(LATER, None)], now).startswith("pictures were never read for damage")
    read = [PassTimes(1, LATER), PassTimes(1, MARCH)]
    assert last_read_text(read, now) == "pictures were read for damage since 3 March"
    assert last_read_text([*read, PassTimes()], now).endswith("3 March; 1 of 3 folders never")


def test_what_was_looked_at_is_said_in_one_line() -> None:
    now = datetime.fromtimestamp(LATER, timezone.utc)
    gb = 2**30
    whole, part, none = (
        Coverage(10, 80 * gb, 10, 80 * gb, MARCH),
        Coverage(10, 100 * gb, 1, 3 * gb, LATER),
        Coverage(5, 51 * gb),
    )
    text = coverage_text([whole, part, none], now)
    assert text == "83.0 GB of 231.0 GB read, 1 of 3 folders, since 3 March"
    assert coverage_text([none], now) == "nothing of 51.0 GB read yet"
    assert coverage_text([whole], now.replace(year=2027)).endswith("since 3 March 2026")


ODD = ["it's here", "new\nline", "\udcff.raw", "é – ü", "$HOME", "-x", "back\\slash\n'", "a\x1b[31m"]


@pytest.mark.parametrize("name", ODD)
def test_a_word_means_the_very_name_to_a_shell(name: str) -> None:
    assert shell_word(name).isprintable()
    said = subprocess.run(["bash", "-c", f"printf -- %s {shell_word(name)}"], capture_output=True, check=True)
    assert said.stdout == os.fsencode(name)


def test_the_command_restores_all_that_is_rotted_and_puts_it_over_the_bad_files() -> None:
    files = [replace(rotted(), path=name) for name in ("a b.raw", "-c.raw")]
    lines = restore_commands("photos-2018", Path("/p/2018"), files, Path("/r/photos-2018"))
    assert lines == [
        "panicroom restore 'a b.raw' ./-c.raw --job photos-2018 --to /r/photos-2018",
        "cp -Rp /r/photos-2018/. /p/2018/",
    ]


def test_what_was_renamed_since_is_restored_by_its_old_name_and_copied_to_the_new_one() -> None:
    renamed = replace(rotted(), path="anna/a.raw", stored_as="wedding/a.raw")
    [line, copy] = restore_commands("photos-2018", Path("/p"), [renamed], Path("/r"))
    assert line == "panicroom restore wedding/a.raw --job photos-2018 --time 2026-03-03T14:00:00Z --to /r"
    assert copy == "cp -Rp /r/wedding/a.raw /p/anna/a.raw"


def test_what_was_written_since_is_restored_as_of_the_time_when_it_was_good() -> None:
    touched = replace(rotted(), ctime_ns=LATER * 10**9)
    [line, _copy] = restore_commands("photos-2018", Path("/p"), [touched], Path("/r"))
    assert line == "panicroom restore a.raw --job photos-2018 --time 2026-03-03T14:00:00Z --to /r"


# ---------------------------------------------------------------- typed


@pytest.fixture
def photographer(laptop: Laptop) -> Laptop:
    """With the years 2018 and 2019, each a job, and with no family's backup yet."""
    laptop.enrol()
    jobs = ("photos-2018", "photos-2019")
    laptop.service.jobs = ("system", *jobs)
    laptop.service.families = FakeFamilies(("photos",), job_of=dict.fromkeys(jobs, "photos"))
    with (laptop.home / "config" / "panicroom.toml").open("a") as file:
        file.write(f'\n[families.photos]\nsource = "{laptop.home}/pictures"\n')
        for year in (2018, 2019):
            folder = laptop.home / "pictures" / str(year)
            folder.mkdir(parents=True)
            (folder / "a.raw").write_bytes(os.urandom(1000))
            file.write(f'[jobs.photos-{year}]\nsource = "{folder}"\nfamily = "photos"\nfull_when = "never"\n')
    return laptop


def state_of(laptop: Laptop, year: int) -> Path:
    return laptop.home / "state" / "laptop" / f"photos-{year}"


def make_old(laptop: Laptop, year: int, path: Path) -> None:
    """As if the file had these times when it was read, two hours after it was written."""
    status = path.stat()
    with held_hashes(state_of(laptop, year), "job") as store:
        times = {"mtime_ns": status.st_mtime_ns, "ctime_ns": status.st_ctime_ns}
        read_at = status.st_ctime_ns // 10**9 + 2 * HOUR
        store.add(replace(store.files[path.name], **times, read_at=read_at))


def has_rotted(laptop: Laptop, year: int, path: Path) -> None:
    """The file is damaged, a check has found it, and no time says so."""
    laptop.succeed("photos", "check", f"photos-{year}")
    times = path.stat()
    path.write_bytes(b"x" * times.st_size)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    make_old(laptop, year, path)
    assert laptop.run("photos", "check", f"photos-{year}").returncode == ExitCode.ROTTED


def test_a_full_backup_does_not_replace_the_good_bytes_unless_somebody_means_it(photographer: Laptop) -> None:
    full = ("backup", "full", "photos-2019")
    photographer.succeed(*full)
    has_rotted(photographer, 2019, photographer.home / "pictures" / "2019" / "a.raw")
    for words in (full, (*full, "--dry-run")):
        ended = photographer.run(*words)
        assert ended.returncode == ExitCode.ROTTED
        assert "1 picture is damaged on the disk (a.raw), and a full backup would store" in ended.stderr
        assert "panicroom backup full photos-2019 --yes" in ended.stderr
    assert photographer.service.runs[-1]["exit_code"] == ExitCode.ROTTED, "its owner gets to know"
    photographer.succeed("backup", "photos-2019")
    assert [name.split(".")[0] for name in photographer.service.sealed("photos-2019")] == ["full", "inc"]
    photographer.succeed(*full, "--yes")
    assert len(photographer.service.sealed("photos-2019")) == 3


def test_status_names_the_command_for_damaged_pictures(photographer: Laptop) -> None:
    has_rotted(photographer, 2018, photographer.home / "pictures" / "2018" / "a.raw")
    assert "1 picture is damaged on the disk: panicroom photos check --list" in photographer.succeed("status")


def test_a_check_takes_the_folder_that_was_not_looked_at_the_longest(photographer: Laptop) -> None:
    for year in (2018, 2019):
        said = photographer.succeed("photos", "check")
        assert f"photos-{year} check" in said
    assert "2 of 2 folders, since" in said


def test_the_damage_is_shown_with_its_command_and_listed_afterwards(photographer: Laptop) -> None:
    photographer.succeed("photos", "check", "--all")
    path = photographer.home / "pictures" / "2019" / "a.raw"
    path.write_bytes(b"x" * 1000)
    make_old(photographer, 2019, path)
    ended = photographer.run("photos", "check", "photos-2019")
    assert ended.returncode == ExitCode.ROTTED
    command = next(line.strip() for line in ended.stdout.splitlines() if "panicroom restore" in line)
    words = shlex.split(command)
    assert words[:5] == ["panicroom", "restore", "a.raw", "--job", "photos-2019"]
    assert path.read_bytes() == b"x" * 1000  # nothing is written to the pictures
    listed = photographer.run("photos", "check", "--list")
    assert listed.returncode == ExitCode.ROTTED
    assert command in listed.stdout
    as_json = photographer.run("photos", "check", "photos-2019", "--json")
    found = next(line for line in map(json.loads, as_json.stdout.splitlines()) if line["event"] == "checked")
    assert [file["path"] for file in found["rotted"]] == ["a.raw"]


def test_a_check_that_is_killed_goes_on_where_it_was(photographer: Laptop) -> None:
    folder = photographer.home / "pictures" / "2018"
    for number in range(400):
        (folder / f"{number:03}.raw").write_bytes(b"x" * 1000)
    with (folder / "large.raw").open("wb") as file:
        file.truncate(2 * 2**30)
    for number in (signal.SIGKILL, signal.SIGINT):
        known = len(recall_hashes(state_of(photographer, 2018)).files)
        process = photographer.start("photos", "check", "photos-2018")
        while len(recall_hashes(state_of(photographer, 2018)).files) == known and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode == (-number if number == signal.SIGKILL else ExitCode.INTERRUPTED)
    before = recall_hashes(state_of(photographer, 2018))
    assert before.newest_pass.is_open
    assert before.files
    photographer.succeed("photos", "check", "photos-2018")
    after = recall_hashes(state_of(photographer, 2018))
    assert not after.newest_pass.is_open
    assert len(after.files) == 402
    for path, file in before.files.items():
        assert after.files[path].read_at == file.read_at  # not read again


def test_two_checks_typed_at_once(photographer: Laptop) -> None:
    with held_hashes(state_of(photographer, 2018), "photos-2018"):
        ended = photographer.run("photos", "check", "photos-2018")
    assert ended.returncode == ExitCode.TRY_LATER
    assert "photos-2018 is being checked already" in ended.stderr


def test_what_cannot_be_checked_is_refused_in_words(photographer: Laptop) -> None:
    assert "system is no folder of pictures" in photographer.run("photos", "check", "system").stderr
    assert "no job 'photos-1999'" in photographer.run("photos", "check", "photos-1999").stderr
    assert "is no duration" in photographer.run("photos", "check", "--for", "soon").stderr
    (photographer.home / "pictures" / "2018").rename(photographer.home / "elsewhere")
    ended = photographer.run("photos", "check", "--for", "30s")
    assert ended.returncode == ExitCode.SOURCE
    assert "photos-2019 check" in ended.stdout  # the other is read all the same


def test_status_shows_it_to_somebody_with_pictures(photographer: Laptop) -> None:
    assert "never read for damage" in photographer.succeed("status")
    photographer.succeed("photos", "check", "--all")
    assert "pictures were read for damage since" in photographer.succeed("status")


def test_the_commands_that_are_said_bring_the_picture_back(photographer: Laptop) -> None:
    path = photographer.home / "pictures" / "2019" / "it's a.raw"
    path.write_bytes(b"the bride" * 10000)
    os.utime(path, (MARCH, MARCH))
    photographer.succeed("backup", "photos-2019")
    photographer.succeed("photos", "check", "photos-2019")
    path.write_bytes(b"the groom" * 10000)
    os.utime(path, (MARCH, MARCH))
    make_old(photographer, 2019, path)
    said = photographer.run("photos", "check", "photos-2019", HOME=str(photographer.home))
    assert said.returncode == ExitCode.ROTTED
    commands = [line.strip() for line in said.stdout.splitlines() if line.startswith(("  panicroom", "  cp"))]
    search = f"{photographer.command.parent}:{os.environ['PATH']}"
    for command in commands:
        typed = subprocess.run(
            ["sh", "-c", command],
            env=photographer.environment(PATH=search, HOME=str(photographer.home)),
            capture_output=True,
            check=False,
        )
        assert typed.returncode == 0, (command, typed.stderr)
    assert path.read_bytes() == b"the bride" * 10000
    assert "good again: it's a.raw" in photographer.succeed("photos", "check", "photos-2019")


def test_a_scheduled_backup_reads_pictures_and_does_not_fail_for_what_it_finds(photographer: Laptop) -> None:
    path = photographer.home / "pictures" / "2018" / "a.raw"
    photographer.succeed("photos", "check", "photos-2018")
    path.write_bytes(b"x" * 1000)
    make_old(photographer, 2018, path)
    with held_hashes(state_of(photographer, 2018), "job") as store:
        store.end_pass(MARCH, ())
    (photographer.source / "letter").write_text("dear")
    said = photographer.succeed("backup", "--scheduled")
    assert "a.raw (good on" in said
    assert "a.raw (good on" not in photographer.succeed(
        "backup", "--scheduled"
    )  # not before 90 days are over
    assert recall_hashes(state_of(photographer, 2019)).files


def test_the_service_is_told_by_the_check_and_again_by_each_backup(photographer: Laptop) -> None:
    photographer.succeed("backup", "photos")
    time.sleep(2.1)  # what was written so shortly before a backup is looked at again
    photographer.succeed("backup", "photos")
    path = photographer.home / "pictures" / "2019" / "a.raw"
    told = photographer.service.families.checks
    photographer.succeed("photos", "check", "--all")
    assert {job: check["hashed_files"] for job, check in told.items()} == {"photos-2018": 1, "photos-2019": 1}
    make_old(photographer, 2019, path)
    with held_hashes(state_of(photographer, 2019), "job") as store:
        store.add(replace(store.files["a.raw"], sha256="0" * 64))  # as if these were the good bytes
    assert photographer.run("photos", "check", "photos-2019").returncode == ExitCode.ROTTED
    assert (told["photos-2019"]["rotted"], told["photos-2018"]["rotted"]) == (1, 0)
    told.clear()
    photographer.succeed("backup", "photos")
    assert (told["photos-2019"]["rotted"], told["photos-2019"]["hashed_bytes"]) == (1, 1000)
    assert "a.raw" not in json.dumps(photographer.service.families.requests)
