"""Killed backups: what a resumed set, the increment after it and all later ones restore to.

A story kills the client at some points of its uploads, changes the source behind its back, runs ``backup``
(which carries on and makes an increment), edits, backs up again, and in the end restores every set.
A handful runs always; the soak runs every point for itself, and kills at random.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faulty_proxy import FaultyProxy
from laptop import Laptop, descendants, next_second
from panicroom.names import parse_name, set_time
from panicroom.transfer.journal import Journal
from trees import Tree, differences, make_tree, snapshot

RANDOM_STORIES = 50

Point = Callable[[str, str], bool]

POINTS: dict[str, Point] = {
    "first volume on its way": lambda name, phase: ".vol1." in name and phase == "store",
    "first volume stored": lambda name, phase: ".vol1." in name and phase == "end",
    "second volume on its way": lambda name, phase: ".vol2." in name and phase == "store",
    "fourth volume on its way": lambda name, phase: ".vol4." in name and phase == "store",
    "fifth volume on its way": lambda name, phase: ".vol5." in name and phase == "store",
    "signatures on their way": lambda name, phase: "signatures" in name and phase == "begin",
    "signatures stored": lambda name, phase: "signatures" in name and phase == "end",
    "manifest on its way": lambda name, phase: "manifest" in name and phase == "store",
    "manifest stored, answer lost": lambda name, phase: "manifest" in name and phase == "end",
    "statistics on their way": lambda name, phase: "jsonstat" in name and phase == "begin",
}


def after_uploads(count: int, phase: str) -> Point:
    """The point at which the ``count``-th upload reaches ``phase``."""
    left = [count]

    def point(_name: str, now: str) -> bool:
        left[0] -= now == phase
        return left[0] <= 0

    return point


class Story:
    """One laptop through several interrupted backups, with what was on disk at each set's time."""

    def __init__(self, laptop: Laptop, seed: int = 1) -> None:
        self.laptop = laptop
        self.seed = seed
        self.expected: dict[str, Tree] = {}
        self.interrupted: dict[str, tuple[Tree, Tree, Tree, set[str]]] = {}
        make_tree(laptop.source, files=60, kilobytes=75, large_kilobytes=3500, seed=seed)
        laptop.enrol()

    def back_up(self) -> None:
        """An undisturbed backup."""
        next_second()  # duplicity compares whole seconds
        self.laptop.succeed("backup")
        self.expected[self.laptop.service.sealed()[-1]] = snapshot(self.laptop.source)

    def rewrite_all(self) -> None:
        """Gives the next increment as many volumes as a full."""
        chance = random.Random(self.seed)
        for path in [*sorted(self.laptop.source.rglob("file-*")), self.laptop.source / "d1" / "large"]:
            if path.is_file() and not path.is_symlink():
                path.write_bytes(chance.randbytes(path.stat().st_size))

    def interrupt(self, *kills: tuple[Point, str], settle: bool = True) -> str:
        """Kills as many backups, changes the source after the first kill, and lets one finish; its output."""
        service, source = self.laptop.service, self.laptop.source
        known = service.sealed()
        earlier = self.expected[known[-1]] if known else {}
        before = snapshot(source)
        killed_at = 0.0
        for point, how in kills:
            kill_backup(self.laptop, point, how, settle)
            if not killed_at:
                killed_at = time.time()
                change_behind_its_back(source, self.seed)
        touched = touched_since(source, killed_at, before)
        now = snapshot(source)
        out = self.laptop.succeed("backup")
        fresh = service.sealed()[len(known) :]
        self.expected[fresh[-1]] = now
        for name in fresh[:-1]:
            if set_time(name).timestamp() > killed_at:
                self.expected[name] = now
            else:
                self.interrupted[name] = before, now, earlier, touched
        return out

    def edit(self) -> None:
        """Small changes inside of files, which the next increment stores as differences."""
        next_second()
        source = self.laptop.source
        for path in sorted(source.rglob("file-*"))[:6]:
            if path.is_file() and not path.is_symlink():
                with path.open("r+b") as file:
                    file.seek(1000)
                    file.write(os.urandom(500))
        (source / f"after-{len(self.expected)}").write_text("after")

    def restore_all(self) -> None:
        """Every set's time restores to what was on disk then, but for what the README names."""
        for name, (before, now, earlier, touched) in self.interrupted.items():
            restored = snapshot(self.laptop.restore(name.rsplit(".", 1)[-1]))
            assert unnamed_differences(before, now, earlier, restored, touched) == [], name
        for name, tree in self.expected.items():
            restored = snapshot(self.laptop.restore(name.rsplit(".", 1)[-1]))
            assert differences(tree, restored) == [], name
        shutil.rmtree(self.laptop.home / "cache")  # and from the bucket alone
        assert differences(snapshot(self.laptop.source), snapshot(self.laptop.restore())) == []


def kill_backup(laptop: Laptop, point: Point, how: str, settle: bool = True) -> None:
    """Runs ``backup`` and kills ``all`` of it, the ``client`` alone, or its ``duplicity`` alone when an
    upload reaches the point for the first time; ``settle``: what was sent before has arrived by then."""
    done = threading.Event()
    holder: list[subprocess.Popen[str]] = []
    started = threading.Event()

    def on_put(name: str, phase: str) -> None:
        if not done.is_set() and point(name, phase):
            done.set()
            started.wait()
            if settle:
                wait_for_confirmations(laptop, name)
            children = descendants(holder[0].pid)
            victims = {
                "all": [holder[0].pid, *children],
                "client": [holder[0].pid],
                "duplicity": children[:1],
            }
            for pid in victims[how]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    laptop.service.on_put = on_put
    holder.append(laptop.start("backup"))
    started.set()
    out, err = holder[0].communicate(timeout=60)
    laptop.service.on_put = lambda _name, _phase: None
    if settle:  # a kill at random may come too late
        assert done.is_set(), f"the point was never reached\n{out}\n{err}"
        assert holder[0].returncode != 0
    wait_for_orphans(laptop)


def wait_for_confirmations(laptop: Laptop, name: str) -> None:
    """Lets the volumes before ``name`` arrive: uploads go side by side, a test must know what is there."""
    parsed = parse_name(name)
    assert parsed is not None
    journal = Journal(laptop.home / "state" / "laptop" / "system" / "journal.jsonl")
    give_up_at = time.monotonic() + 60
    while True:
        state = journal.read()
        confirmed = {state.volumes[known].volume for known in state.stored if known in state.volumes}
        if confirmed >= set(range(1, parsed.volume or 1)):
            return
        assert time.monotonic() < give_up_at, f"{name} is on its way, and confirmed are only {confirmed}"
        time.sleep(0.02)


def wait_for_orphans(laptop: Laptop) -> None:
    """The lock is free when the last process that inherited it has ended: at once, or an orphan goes on."""
    with (laptop.home / "state" / "laptop" / "system" / "lock").open("r+") as lock:
        give_up_at = time.monotonic() + 60
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                assert time.monotonic() < give_up_at, "an orphan goes on"
                time.sleep(0.05)
            else:
                return


def change_behind_its_back(source: Path, seed: int) -> None:
    """Changes, adds, deletes and moves files early and late in the order of the backup; every second time
    also the large file, of which a volume may hold only the beginning."""
    next_second()
    chance = random.Random(seed)
    files = sorted(path for path in source.rglob("file-*") if path.is_file() and not path.is_symlink())
    chance.shuffle(files)
    for path in files[:3]:
        path.write_bytes(chance.randbytes(200_000))
    for path in files[3:5]:
        path.unlink()
    files[5].rename(source / "d0" / f"aa-moved-{seed}")
    os.utime(files[6], (1_000_000_000, 1_000_000_000))
    status = files[7].stat()
    with files[7].open("r+b") as file:  # the same size, and a time long past
        file.write(b"X" * 1000)
    os.utime(files[7], ns=(status.st_atime_ns, status.st_mtime_ns - 50_000_000_000))
    for path in files[8:11]:  # the same size and time: only the change time shows it
        status = path.stat()
        path.write_bytes(chance.randbytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    (source / "d0" / f"0-new-{seed}").write_bytes(chance.randbytes(50_000))
    (source / f"zz-new-{seed}").write_bytes(chance.randbytes(50_000))
    (source / "d1").chmod(0o711)
    if seed % 2:
        with (source / "d1" / "large").open("r+b") as file:
            file.write(b"Y" * 5000)
            file.seek(3_000_000)
            file.write(b"Z" * 5000)
    outside = source.parent / f"outside-{seed}"
    outside.mkdir()
    (outside / "old-file").write_bytes(b"old")
    outside.rename(source / f"0-moved-in-{seed}")
    (source / "d2" / f"folder-{seed}").mkdir()


def unnamed_differences(
    before: Tree, now: Tree, earlier: Tree, restored: Tree, touched: set[str]
) -> list[str]:
    """How the resumed set differs from what was on disk when it began, beyond what the README names: files
    ``touched`` in between may be missing, or as in the set before; folders may be as they are now."""
    said = []
    for path in sorted(before.keys() | restored.keys()):
        was, found = before.get(path), restored.get(path)
        if found == was or (path in touched and found in (None, earlier.get(path))):
            continue
        if found == now.get(path) and found is not None and found.kind == "folder":
            continue
        said.append(f"{path!r}: {found} instead of {was}")
    return said


def touched_since(source: Path, moment: float, before: Tree) -> set[str]:
    """What the kernel says was touched (content, mode, name, number of links), and what is gone."""
    gone = {path for path in before if not os.path.lexists(source / path)}
    return gone | {
        str(path.relative_to(source)) for path in source.rglob("*") if path.lstat().st_ctime >= moment - 0.01
    }


@pytest.mark.soak
def test_a_full_and_an_increment_killed_in_mid_upload(laptop: Laptop) -> None:
    """Both are carried on with, and nothing restores to what was never there."""
    story = Story(laptop)
    assert "carrying on with the full" in story.interrupt((POINTS["fourth volume on its way"], "client"))
    story.seed = 2
    story.edit()
    story.back_up()
    story.rewrite_all()
    assert "carrying on with the incremental" in story.interrupt((POINTS["fourth volume on its way"], "all"))
    story.edit()
    story.back_up()
    story.restore_all()


@pytest.mark.soak
def test_a_backup_killed_again_while_it_is_carried_on_with(laptop: Laptop) -> None:
    """Several interruptions in a row, the last before the manifest is stored, still end well."""
    story = Story(laptop, seed=4)
    out = story.interrupt(
        (POINTS["fourth volume on its way"], "all"),
        (POINTS["fifth volume on its way"], "duplicity"),
        (POINTS["signatures stored"], "all"),
    )
    assert "carrying on with the full" in out
    story.edit()
    story.back_up()
    story.restore_all()


def test_a_kill_between_the_stored_manifest_and_duplicitys_next_line(laptop: Laptop) -> None:
    """The set counts as done, and the job is not jammed."""
    story = Story(laptop, seed=3)
    out = story.interrupt((POINTS["manifest stored, answer lost"], "all"))
    assert "carrying on" not in out
    assert [path.name for path in laptop.archive.iterdir() if "next" in path.name] == []
    story.restore_all()


def test_what_a_gpg_that_was_started_early_has_left_is_no_manifest(laptop: Laptop) -> None:
    """Also by the name that earlier clients gave it, which duplicity reads as a manifest's."""
    laptop.enrol()
    (laptop.source / "file").write_text("1")
    laptop.succeed("backup")
    (manifest,) = laptop.archive.glob("*.manifest")
    (laptop.archive / f"{manifest.name}.gpg.next").write_bytes(b"\x8c\x0d\x04\x09")
    (laptop.archive / f"next-{manifest.name}.gpg").write_bytes(b"\x8c\x0d\x04\x09")
    laptop.succeed("backup")
    assert [path.name for path in laptop.archive.iterdir() if "next" in path.name] == []


@pytest.mark.soak
@pytest.mark.parametrize("incremental", [False, True], ids=["full", "increment"])
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_every_point(laptop: Laptop, point: str, incremental: bool) -> None:
    story = Story(laptop, seed=len(point))
    if incremental:
        story.back_up()
        story.rewrite_all()
    story.interrupt((POINTS[point], "all"))
    story.edit()
    story.back_up()
    story.restore_all()


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(RANDOM_STORIES))
def test_kills_at_random(laptop: Laptop, seed: int) -> None:
    story_of_random_kills(Story(laptop, seed=seed), random.Random(seed))


@pytest.fixture
def faulty(laptop: Laptop, request: pytest.FixtureRequest) -> Iterator[FaultyProxy]:
    """A bad network between the laptop and all that it calls."""
    proxy = FaultyProxy(laptop.service.root, seed=getattr(request, "param", 1))
    laptop.service.public_root = proxy.root
    yield proxy
    proxy.close()


def test_a_kill_on_a_network_that_fails_one_request_in_five(laptop: Laptop, faulty: FaultyProxy) -> None:
    story = Story(laptop, seed=6)
    story.interrupt((POINTS["fourth volume on its way"], "all"), settle=False)
    story.edit()
    story.back_up()
    story.restore_all()
    assert sum(faulty.faults.values()) > faulty.requests / 20, "it was no network to test on"
    assert laptop.service.second_runs == 0


@pytest.mark.soak
@pytest.mark.parametrize(("seed", "faulty"), [(n, n) for n in range(RANDOM_STORIES)], indirect=["faulty"])
def test_kills_at_random_on_a_network_that_fails_one_request_in_five(
    laptop: Laptop, faulty: FaultyProxy, seed: int
) -> None:
    story_of_random_kills(Story(laptop, seed=seed), random.Random(1000 + seed))
    assert laptop.service.second_runs == 0


def story_of_random_kills(story: Story, chance: random.Random) -> None:
    """Kills, an edit, a backup; then an increment as large as a full one, killed as well; and all restored."""

    def kills() -> list[tuple[Point, str]]:
        return [
            (
                after_uploads(
                    chance.randint(1, 5 if number else 12), chance.choice(["begin", "store", "end"])
                ),
                chance.choice(["all", "client", "duplicity"]),
            )
            for number in range(chance.randint(1, 3))
        ]

    story.interrupt(*kills(), settle=False)
    story.seed += 1000
    story.edit()
    story.back_up()
    story.rewrite_all()
    story.interrupt(*kills(), settle=False)
    story.edit()
    story.back_up()
    story.restore_all()
