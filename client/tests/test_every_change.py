"""Every change counts: what duplicity's comparison by time, mode and owner misses is found and stored."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from altered_client import altered
from laptop import Laptop, next_second
from panicroom.duplicity_run.child.every_change import EveryChange
from panicroom.duplicity_run.file_identity import ChangeRule, PathSet, fits_signature, signature_bytes
from panicroom.duplicity_run.known_files import KnownFiles, adopt, known_files_path
from panicroom.duplicity_run.plan import Search
from panicroom.exit_codes import ExitCode
from panicroom.transfer.checked_set import CheckedSet
from trees import differences, snapshot

PROGRAM = Path(__file__).with_name("duplicity_chain.py")


def chain_differences(work: Path, seed: int, sets: int, **environment: str) -> list[str]:
    work.mkdir()
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), str(work), str(seed), str(sets)],
        env={"PATH": os.environ["PATH"], "HOME": str(work), "TZ": "UTC", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: list[str] = json.loads(ended.stdout)
    return found


def test_after_each_set_of_a_changing_folder_a_restore_is_the_disk(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    assert chain_differences(tmp_path / "work", seed, 5) == [], f"seed {seed}"


def test_the_files_of_the_set_before_alone_show_every_change(tmp_path: Path) -> None:
    """No clock counts: what was set back with a disk's image is found too."""
    seed = random.randrange(2**32)
    assert chain_differences(tmp_path / "work", seed, 5, KNOWN="1") == [], f"seed {seed}"


def test_duplicity_alone_misses_changes_that_this_test_makes(tmp_path: Path) -> None:
    """The test above can fail."""
    assert chain_differences(tmp_path / "work", 1, 5, STOCK="1") != []


@pytest.mark.soak
@pytest.mark.parametrize("by", [{"MARGIN": "0"}, {"MARGIN": "1200"}, {"KNOWN": "1"}], ids=str)
@pytest.mark.parametrize("seed", range(100))
def test_many_chains(tmp_path: Path, seed: int, by: dict[str, str]) -> None:
    assert chain_differences(tmp_path / "work", seed, 6, **by) == []


def rewrite(path: Path, content: bytes) -> None:
    """An edit that keeps the modification time, as many programs make them."""
    was = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def back_up_three_files(laptop: Laptop) -> Laptop:
    for name in ("a", "b", "c"):
        (laptop.source / name).write_bytes(name.encode() * 2000)
    laptop.enrol()
    next_second()  # the set begins in a later second than the files, however quick this machine is
    laptop.succeed("backup")
    return laptop


@pytest.fixture
def story(laptop: Laptop) -> Laptop:
    """A laptop with a full backup of three files."""
    return back_up_three_files(laptop)


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    return back_up_three_files(laptop_of_file)


@pytest.fixture
def copied_story(laptop: Laptop, made_once: Laptop) -> Laptop:
    """The same, but to the next backup all three files may have changed."""
    laptop.take_over(made_once)
    return laptop


def with_client(laptop: Laptop, alteration: str) -> Laptop:
    """The same laptop with another command."""
    return dataclasses.replace(laptop, command=altered(laptop.home / "bin", alteration))


def restores_equal(laptop: Laptop) -> None:
    assert differences(snapshot(laptop.source), snapshot(laptop.restore())) == []


def test_changes_that_keep_the_time_are_stored_counted_and_reported(story: Laptop) -> None:
    """A like size, another size, and another file moved onto the name; the fourth line of the report."""
    rewrite(story.source / "a", b"A" * 2000)
    rewrite(story.source / "b", b"B" * 100)
    other = story.home / "other"
    other.write_bytes(b"C" * 2000)
    was = (story.source / "c").stat()
    os.utime(other, ns=(was.st_atime_ns, was.st_mtime_ns))
    other.rename(story.source / "c")
    assert ", 3 changed, 0 deleted; nothing was stored" in story.succeed("backup", "--dry-run")
    out = story.succeed("backup")
    assert ", 3 changed, 0 deleted" in out
    assert "system: read again: 3, changed: 3" in out
    statistics = story.service.runs[-1]["statistics"]
    assert (statistics["ReadAgainFiles"], statistics["ReadAgainChangedFiles"]) == (3, 3)
    restores_equal(story)
    # They are still young, so they are read once more; nothing is stored.
    out = story.succeed("backup", "--json")
    done = json.loads(out.splitlines()[-1])
    assert (done["read_again"], done["read_again_changed"], done["changed"]) == (3, 0, 0)


def test_a_file_that_was_not_touched_for_long_is_not_read(copied_story: Laptop) -> None:
    client = with_client(copied_story, "without_margin()")
    next_second()
    client.succeed("backup")
    next_second()
    assert "read again" not in client.succeed("backup")


def test_a_file_dated_ahead_is_read_until_two_sets_have_had_it(laptop: Laptop) -> None:
    """Its times prove nothing; without this every backup would read it until they have come."""
    for name in ("a", "b"):
        (laptop.source / name).write_text(name)
    laptop.enrol()
    client = with_client(laptop, "clock_ahead(-3000); altered_client.without_margin()")
    assert "3 new" in client.succeed("backup")
    next_second()
    assert "read again: 2, changed: 0" in client.succeed("backup")
    next_second()
    rewrite(laptop.source / "b", b"B")
    assert "read again: 1, changed: 1" in client.succeed("backup")
    restores_equal(laptop)


def test_a_set_made_without_the_search_is_searched_behind_once(story: Laptop) -> None:
    """An adopted chain: what it missed since its full backup is found, and the next set reads nothing again."""
    next_second()
    rewrite(story.source / "b", b"B" * 4)
    rewrite(story.source / "a", b"A" * 2000)
    assert "0 new, 0 changed" in with_client(story, "without_search()").succeed("backup")
    new = with_client(story, "without_margin()")
    next_second()
    assert "read again: 2, changed: 2" in new.succeed("backup")
    restores_equal(story)
    assert "read again" not in new.succeed("backup")


def test_in_another_source_everything_is_read_once(story: Laptop) -> None:
    """A copy with the old times may be older than the last set, and differ from what the chain has."""
    client = with_client(story, "without_margin()")
    moved = story.home / "moved"
    subprocess.run(["cp", "-a", str(story.source), str(moved)], check=True)
    rewrite(moved / "b", b"B" * 2000)
    next_second()
    client.succeed("backup")
    settings = story.home / "config" / "panicroom.toml"
    settings.write_text(settings.read_text().replace(str(story.source), str(moved)))
    assert "read again: 3, changed: 1" in client.succeed("backup")
    assert differences(snapshot(moved), snapshot(story.restore())) == []


def test_a_job_can_leave_change_times_out(copied_story: Laptop) -> None:
    """For folders where each snapshot moves the change times of all files by a hard link."""
    client = with_client(copied_story, "without_margin()")
    settings = copied_story.home / "config" / "panicroom.toml"
    settings.write_text(
        settings.read_text().replace("# check_change_time = true", "check_change_time = false")
    )
    for path in copied_story.source.iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
    client.succeed("backup")
    next_second()
    client.succeed("backup")
    os.link(copied_story.source / "a", copied_story.home / "link")
    rewrite(copied_story.source / "b", b"B" * 9000)  # another size shows without
    assert "read again: 1, changed: 1" in client.succeed("backup")
    settings.write_text(settings.read_text().replace("check_change_time = false", "check_change_time = true"))
    assert "read again: 3, changed: 0" in client.succeed("backup")


def test_a_clock_that_was_set_back_stops_a_backup_that_would_lose_the_one_before(
    copied_story: Laptop,
) -> None:
    """By less than what the service takes for wrong. The increment would end before the one that it builds on: neither
    would be restored, and nobody would know."""
    rewrite(copied_story.source / "a", b"first edit")
    with_client(copied_story, "clock_ahead(300)").succeed("backup")
    sets = copied_story.service.sealed()
    ended = copied_story.run("backup")
    assert ended.returncode == ExitCode.CLOCK
    assert "the newest backup is dated 5 minutes ahead of this machine's clock" in ended.stderr
    assert copied_story.service.sealed() == sets


def test_a_clock_that_was_set_back_by_a_moment_is_waited_for(copied_story: Laptop) -> None:
    rewrite(copied_story.source / "a", b"first edit")
    with_client(copied_story, "clock_ahead(12)").succeed("backup")
    rewrite(copied_story.source / "a", b"second edit")
    copied_story.succeed("backup")
    assert len(copied_story.service.sealed()) == 3
    restores_equal(copied_story)


def set_up_failure(laptop: Laptop, failures: dict[str, int]) -> Laptop:
    return with_client(laptop, f"failing_disk({failures!r})")


def test_a_file_that_could_not_be_read_stays_as_it_was_and_is_tried_until_it_can_be(
    copied_story: Laptop,
) -> None:
    next_second()
    rewrite(copied_story.source / "b", b"B" * 2000)
    failing = set_up_failure(copied_story, {"b": 1000})
    for _run in range(2):
        next_second()
        said = failing.succeed("backup")
        assert f"1 could not be read: {copied_story.source / 'b'}" in said
        assert copied_story.service.runs[-1]["files_skipped"] == 1
    assert (copied_story.restore() / "b").read_bytes() == b"b" * 2000
    next_second()  # its change time is older than the last set by now
    said = with_client(copied_story, "without_margin()").succeed("backup")
    assert "read again: 1, changed: 1" in said
    assert "no files were skipped" in said
    restores_equal(copied_story)


def test_the_beginning_of_a_file_is_never_stored_for_the_whole(laptop: Laptop) -> None:
    """Reading breaks off in the first block, or when volumes hold some of it: the set goes on without the files."""
    for number in range(12):
        (laptop.source / f"file-{number:02}").write_bytes(os.urandom(300_000))
    for name in ("file-06", "file-08"):
        (laptop.source / name).write_bytes(os.urandom(3_000_000))
    laptop.enrol()
    failing = set_up_failure(laptop, {"file-04": 0, "file-06": 2_500_000, "file-08": 2_500_000})
    said = failing.succeed("backup")
    unread = ["file-04", "file-06", "file-08"]
    assert f"3 could not be read: {', '.join(str(laptop.source / name) for name in unread)}" in said
    expected = snapshot(laptop.source)
    for name in unread:
        del expected[name]
    assert differences(expected, snapshot(laptop.restore())) == []
    assert "3 new" in with_client(laptop, "without_margin()").succeed("backup")
    restores_equal(laptop)


@pytest.mark.skipif(
    os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists(), reason="root reads everything"
)
def test_what_cannot_be_listed_or_opened_stays_as_in_the_set_before(copied_story: Laptop) -> None:
    """duplicity would record a closed folder, and all in it, as deleted."""
    closed = copied_story.source / "folder"
    (closed / "deep").mkdir(parents=True)
    (closed / "deep" / "file").write_text("in the depth")
    copied_story.succeed("backup")
    before = snapshot(copied_story.source)
    closed.chmod(0)
    (copied_story.source / "a").chmod(0)
    (copied_story.source / "b").unlink()
    rights = "-dac_override,-dac_read_search"
    unprivileged = (
        ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"] if os.geteuid() == 0 else []
    )
    ended = subprocess.run(
        [*unprivileged, str(copied_story.command), "backup", "--accept-smaller"],
        env=copied_story.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "0 changed, 1 deleted" in ended.stdout
    assert "2 could not be read" in ended.stdout
    del before["b"]
    before["."] = snapshot(copied_story.source)["."]  # it can be listed, and without b its time is another
    restored = snapshot(copied_story.restore())
    assert {path: restored.get(path) for path in before} == before


@pytest.mark.parametrize(
    ("change", "modification", "expected"),
    [(999, 0, False), (1000, 0, True), (0, 1000, True), (0, 2000, True), (0, 3201, False), (9999, 0, True)],
)
def test_which_times_have_a_file_read_again(change: int, modification: int, expected: bool) -> None:
    status = os.stat_result([0] * 7 + [0, modification, change])
    assert ChangeRule(since=1000, now=2000).may_have_changed(status) is expected


@pytest.mark.parametrize(
    ("built_on", "since"), [("20261122T205000Z", 1795380600 - 1200), ("20261122T205001Z", 0)]
)
def test_the_memory_of_a_set_counts_only_where_duplicity_builds_on_that_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built_on: str, since: int
) -> None:
    """A newer set that cannot be opened is left out of the chain, and so is what it knew of unread files."""
    from duplicity import dup_time

    memory = tmp_path / "changes.json"
    CheckedSet(f"full.{built_on}", "/home").store(memory)
    monkeypatch.setattr(dup_time, "prevtime", 1795380600)
    change = EveryChange.of(Search(unread_file=str(memory)), lambda _path, _error: None)
    assert change.rule.since == since


def test_the_known_files_are_those_of_one_set_of_one_python(tmp_path: Path) -> None:
    path = known_files_path(tmp_path)
    known = KnownFiles.of(1000, [5, -3, 2**62], [5], None)
    known.store(path)
    assert KnownFiles.load(path, 1000) is None
    adopt(path, resumed=False)
    assert KnownFiles.load(path, 1000) == known
    assert KnownFiles.load(path, 1001) is None
    assert [known.holds(item) for item in (-3, 5, 2**62, 0, 2**63)] == [True, True, True, False, False]
    path.write_bytes(path.read_bytes()[:-1])
    assert KnownFiles.load(path, 1000) is None
    adopt(path, resumed=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("later", "settled"), [(1199, set()), (1200, {5})])
def test_a_file_dated_ahead_is_settled_after_the_margin(later: int, settled: set[int]) -> None:
    first = KnownFiles.of(1000, [5, 6, 7], [5, 6], None)
    second = KnownFiles.of(1000 + later, [5, 8, 9], [5, 8], first)
    assert second.settled == settled
    assert KnownFiles.of(5000, [5], [5], second).settled == {5}


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 100_000, 5_000_000])
def test_the_length_of_a_signature_shows_another_size(size: int) -> None:
    """librsync's own signature, of duplicity's block lengths."""
    from duplicity import diffdir, librsync

    generator = librsync.SigGenerator(diffdir.get_block_size(size))
    for start in range(0, size, 2**16):
        generator.update(bytes(min(2**16, size - start)))
    signature = generator.getsig()
    assert len(signature) == signature_bytes(size, diffdir.get_block_size(size), 8)
    assert fits_signature(size, len(signature), signature)
    assert not fits_signature(size + diffdir.get_block_size(size), len(signature), signature)
    assert not fits_signature(size, len(signature), b"no signature")


def test_a_path_is_held_by_itself_or_by_a_folder_above_it() -> None:
    paths = PathSet(frozenset({b"a/b", b"c"}))
    assert paths.holds((b"a", b"b"))
    assert paths.holds((b"a", b"b", b"d"))
    assert not paths.holds((b"a",))
    assert not paths.holds((b"a", b"bb"))
    assert not PathSet().holds(())
    assert PathSet(frozenset({b""})).holds((b"x",))
