"""Restores that are killed, interrupted, begun twice, or whose target changes: the same command carries on."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fake_service import FakeService
from laptop import Laptop, descendants, next_second
from panicroom.exit_codes import ExitCode
from panicroom.restored_tree.working_folder import working_folder as folder_for
from restore.changing_trees import look

ON_ITS_WAY_BYTES = 256 * 1024
"""Of one download: what the client writes at a time."""

SPARE_BYTES = 1.1
"""At most so many times the bytes that are needed may be fetched."""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, gnupg: Path) -> Iterator[Laptop]:
    """A full set of about ten volumes of 1 MB and an increment; restores change neither."""
    laptop = Laptop(tmp_path_factory.mktemp("laptop"), gnupg, FakeService())
    laptop.source.mkdir()
    source = random.Random(7)
    for number in range(20):
        path = laptop.source / f"d{number % 3}" / f"file-{number:02}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source.randbytes(450_000))
    (laptop.source / "d1").chmod(0o555)
    (laptop.source / "link").symlink_to("/etc")
    (laptop.source / "large").write_bytes(source.randbytes(2_500_000))
    laptop.enrol()
    laptop.succeed("backup")
    (laptop.source / "d0" / "file-00").write_bytes(source.randbytes(450_000))
    next_second()
    laptop.succeed("backup")
    yield laptop
    laptop.service.close()


@pytest.fixture
def backed_up(stored: Laptop) -> Iterator[Laptop]:
    yield stored
    stored.service.on_get = lambda _name: None
    stored.service.archived.clear()
    for left in (*stored.home.glob("out*"), *stored.home.glob(".panicroom-restore-*"), stored.home / "new"):
        if left.exists():
            subprocess.run(["rm", "-rf", str(left)], check=True)


class Killer:
    """Kills a restore when so many volumes were asked for and some time has passed."""

    def __init__(self, laptop: Laptop, after_volumes: int, pause_seconds: float) -> None:
        self._laptop, self._pause = laptop, pause_seconds
        self._left, self._reached = after_volumes, threading.Event()
        laptop.service.on_get = self._on_get

    def _on_get(self, name: str) -> None:
        if ".vol" in name:
            self._left -= 1
            if self._left <= 0:
                self._reached.set()

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self._laptop.start(*arguments)
        while not self._reached.wait(0.05) and process.poll() is None:
            pass
        time.sleep(self._pause)
        if process.poll() is None:
            process.kill()
        _out, err = process.communicate(timeout=120)
        self._laptop.service.on_get = lambda _name: None
        return process.returncode, err


def fetched_too_much(laptop: Laptop) -> float:
    """The volumes' bytes that were fetched, by the bytes of those that were fetched at least once.

    A download that was cut off and carried on counts up to where it was carried on, and one that began anew without
    what was on its way: in a volume of usual size, that is a hundredth.
    """
    fetched = whole = 0
    for name, requests in laptop.service.sent.items():
        if ".vol" in name:
            whole += len(laptop.service.objects[f"system/{name}"].data)
            for (begin, written), after in zip(requests, [*requests[1:], None], strict=True):
                if after is None:
                    fetched += written
                else:
                    fetched += after[0] - begin if after[0] > begin else max(written - ON_ITS_WAY_BYTES, 0)
    return fetched / whole


def kill_and_carry_on(laptop: Laptop, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    out = laptop.home / f"out-{seed}"
    laptop.service.sent.clear()
    for _ in range(kills):
        killer = Killer(laptop, chance.randrange(1, 14), chance.uniform(0, 0.6))
        code, err = killer.run("restore", "--to", str(out))
        if code == 0:
            break  # it was done before
        assert code == -signal.SIGKILL, err
        if out.exists():  # it had its name already, and so has to be whole
            assert look(out) == look(laptop.source)
            return
    if not out.exists():
        laptop.succeed("restore", "--to", str(out))
    assert look(out) == look(laptop.source)
    share = fetched_too_much(laptop)
    print(f"seed {seed}: fetched {share:.3f} times what is needed")
    assert share <= SPARE_BYTES
    assert [path.name for path in laptop.home.iterdir() if path.name.startswith(".panicroom")] == []


def test_a_restore_killed_three_times_carries_on(backed_up: Laptop) -> None:
    kill_and_carry_on(backed_up, seed=1, kills=3)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 52))
def test_fifty_restores_killed_at_random_points(backed_up: Laptop, seed: int) -> None:
    kill_and_carry_on(backed_up, seed, kills=random.Random(seed).randrange(1, 4))


def working_folder(laptop: Laptop) -> Path:
    (folder,) = laptop.home.glob(".panicroom-restore-*")
    return folder


@contextmanager
def restore_between_two_files(laptop: Laptop, out: Path) -> Iterator[subprocess.Popen[str]]:
    """One that has restored files and cannot go on with others, since the last volumes do not come until the end."""
    go_on = threading.Event()

    def hold(name: str) -> None:
        if re.search(r"full\..*\.vol([6-9]|\d\d)\.", name):
            go_on.wait(100)

    laptop.service.on_get = hold
    process = laptop.start("restore", "--to", str(out))
    tree = folder_for(out).tree  # other tests have left theirs beside it
    while process.poll() is None and not any(tree.glob("*/file-*")):
        time.sleep(0.02)
    yield process
    go_on.set()
    laptop.service.on_get = lambda _name: None


def interrupt_between_two_files(laptop: Laptop, out: Path) -> tuple[int, str]:
    """Ctrl-C at such a moment."""
    with restore_between_two_files(laptop, out) as process:
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=90)
    return process.returncode, err


def test_ctrl_c_says_what_there_is_and_how_to_go_on_and_another_request_takes_it_over(
    backed_up: Laptop,
) -> None:
    """What an interrupted restore has left is taken over by one of other paths or another time, where it is equal;
    what somebody has changed in it meanwhile is put right."""
    out = backed_up.home / "out"
    code, err = interrupt_between_two_files(backed_up, out)
    assert code == ExitCode.INTERRUPTED, err
    (line,) = err.strip().splitlines()
    assert "the same command carries on" in line
    assert str(working_folder(backed_up)) in line
    assert not out.exists()

    tree = working_folder(backed_up) / "tree"
    files = sorted(path for path in tree.rglob("file-*") if path.is_file())
    assert files
    files[0].write_bytes(b"changed")
    (tree / "d0" / "not of the backup").write_text("x")
    (tree / "link").symlink_to(backed_up.source)
    first = backed_up.service.sealed()[0].rsplit(".", 1)[-1]
    backed_up.succeed("restore", "d0", "large", "--time", first, "--to", str(out))
    assert {path.name for path in out.iterdir()} == {"d0", "large"}
    expected, found = look(backed_up.source / "d0"), look(out / "d0")
    assert {path for path in expected if found.get(path) != expected[path]} <= {".", "file-00"}
    assert expected.keys() == found.keys()
    assert found["file-00"] != expected["file-00"]


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.15, 0.4])
def test_ctrl_c_at_any_moment_is_one_line_and_its_exit_code(backed_up: Laptop, seconds: float) -> None:
    """Also while the client is loaded, before it has read its command line. No volume comes: the end is never first."""
    gate = threading.Event()
    backed_up.service.on_get = lambda name: None if ".vol" not in name else (gate.wait(100), None)[1]
    process = backed_up.start("restore", "--to", str(backed_up.home / "out"))
    assert process.stderr is not None
    wait_until_loading(process)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=120)
    gate.set()
    assert (process.returncode, len(err.strip().splitlines())) == (ExitCode.INTERRUPTED, 1), err


def wait_until_loading(process: subprocess.Popen[str]) -> None:
    """Until Python has come to the client's own code: it then has an own answer to being ended."""
    caught = 1 << (signal.SIGTERM - 1)
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
        if int(mask, 16) & caught:
            return
        time.sleep(0.002)
    pytest.fail(f"it ended before the signal: {process.communicate()}")


def test_progress_ends_at_the_total(backed_up: Laptop) -> None:
    said = backed_up.succeed("restore", "--json", "--to", str(backed_up.home / "out"))
    begun, *progressed, restored = [json.loads(line) for line in said.splitlines()]
    assert (begun["event"], restored["event"]) == ("begun", "restored")
    assert progressed[-1]["received_bytes"] == progressed[-1]["received_total_bytes"] > 10_000_000


def test_the_same_restore_twice_at_once(backed_up: Laptop) -> None:
    out, gate, reached = backed_up.home / "out", threading.Event(), threading.Event()

    def hold(name: str) -> None:
        if ".vol2." in name:
            reached.set()
            gate.wait(60)

    backed_up.service.on_get = hold
    first = backed_up.start("restore", "--to", str(out))
    assert reached.wait(100)
    second = backed_up.run("restore", "--to", str(out))
    assert second.returncode == ExitCode.TRY_LATER
    assert "another restore into" in second.stderr
    gate.set()
    _out, err = first.communicate(timeout=120)
    assert first.returncode == 0, err
    assert look(out) == look(backed_up.source)


def test_something_put_into_the_target_meanwhile_is_left_alone(backed_up: Laptop) -> None:
    out = backed_up.home / "out"

    def put(_name: str) -> None:
        out.mkdir(exist_ok=True)
        (out / "mine").write_text("x")

    backed_up.service.on_get = put
    ended = backed_up.run("restore", "--to", str(out))
    assert ended.returncode == ExitCode.TARGET, ended.stderr
    assert "restored and proved" in ended.stderr
    assert (out / "mine").read_text() == "x"
    assert look(working_folder(backed_up) / "tree") == look(backed_up.source)


def test_the_duplicity_of_a_killed_restore_is_gone_before_the_next_one_begins(backed_up: Laptop) -> None:
    """Both would write the same downloads and files, and each remove what the other still reads."""
    out = backed_up.home / "out-orphan"
    log = backed_up.home / "state" / "panicroom.log"
    with restore_between_two_files(backed_up, out) as killed:
        orphan = descendants(killed.pid)[0]
        os.kill(orphan, signal.SIGSTOP)
        try:
            killed.kill()
            killed.communicate(timeout=60)
            begun = log.read_text().count(" duplicity restore ")
            following = backed_up.start("restore", "--to", str(out))
            with pytest.raises(subprocess.TimeoutExpired):
                following.wait(4)
            assert log.read_text().count(" duplicity restore ") == begun
        finally:
            os.kill(orphan, signal.SIGCONT)  # else it would stay, stopped, when this test fails
    _out, err = following.communicate(timeout=100)
    assert following.returncode == 0, err
    assert look(out) == look(backed_up.source)


def test_nothing_is_made_before_the_first_volume_can_be_read(backed_up: Laptop) -> None:
    out = backed_up.home / "new" / "out"
    backed_up.service.archived.update(name for name in backed_up.service.names() if ".vol" in name)
    ended = backed_up.run("restore", "--to", str(out), "--yes")
    assert ended.returncode == ExitCode.TRY_LATER, ended.stderr
    assert not out.parent.exists()
    backed_up.service.archived.clear()
    backed_up.succeed("restore", "--to", str(out))
    assert look(out) == look(backed_up.source)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk of one's own takes the rights of root, and Linux")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], capture_output=True, check=False)


def test_a_target_disk_that_is_too_small_is_named_with_the_bytes(backed_up: Laptop, small_disk: Path) -> None:
    """Before anything is fetched where that can be known; else when it is full, and the restore carries on then."""
    ended = backed_up.run("restore", "--to", str(small_disk))
    assert ended.returncode == ExitCode.SPACE
    assert f"the disk of {small_disk} is full" in ended.stderr
    assert "MB are free" in ended.stderr
    assert list(small_disk.iterdir()) == []

    # Enough at first; somebody else takes it while it is restored.
    filler = small_disk / "filler"
    backed_up.service.on_get = lambda name: filler.write_bytes(bytes(4 * 2**20)) and None
    to = small_disk / "d0"
    ended = backed_up.run("restore", "d0", "--to", str(to))
    assert ended.returncode == ExitCode.SPACE, ended.stderr
    assert f"the disk of {to} is full" in ended.stderr
    assert "carries on" in ended.stderr
    backed_up.service.on_get = lambda _name: None
    filler.unlink()
    backed_up.succeed("restore", "d0", "--to", str(to))
    assert look(to / "d0") == look(backed_up.source / "d0")


def test_a_mounted_disk_as_target_is_filled_in_place(backed_up: Laptop, small_disk: Path) -> None:
    backed_up.succeed("restore", "d0", "--to", str(small_disk))
    assert [path.name for path in small_disk.iterdir()] == ["d0"]
    assert look(small_disk / "d0") == look(backed_up.source / "d0")


def test_an_existing_empty_folder_and_a_link_to_one(backed_up: Laptop, tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "to-real"
    real.mkdir()
    link.symlink_to(real)
    backed_up.succeed("restore", "--to", str(link))
    assert link.is_symlink()
    assert look(real) == look(backed_up.source)
