"""With the speed patches duplicity writes what it writes without them, and one setting turns them off."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laptop import PASSPHRASE, Laptop
from odd_files import change_odd_files, change_odd_files_again, make_odd_files
from panicroom.duplicity_run.speed import patches, volumes_ahead
from panicroom.duplicity_run.speed.earlier_signatures import _newest_of_each
from panicroom.duplicity_run.speed.use import Use

BEGAN_AT = 1_800_000_000

PROGRAM = """
import os, sys
from duplicity import backend, util
from duplicity import __main__ as duplicity_main
def only_local():
    from duplicity.backends import localbackend
backend.import_backends = only_local
end = lambda: None
if os.environ["PATCHED"] == "yes":
    from panicroom.duplicity_run.speed import patches
    end = patches.install()
sys.argv[0] = "duplicity"
code = 0
try:
    duplicity_main.dup_run()
except SystemExit as ended:
    code = ended.code
end()
util.release_lockfile()
sys.stdout.flush()
os._exit(code or 0)
"""


class Target:
    """duplicity with or without the patches, its target, and what it wrote there, decrypted."""

    def __init__(self, folder: Path, gnupg: Path, patched: bool) -> None:
        self._folder, self._patched = folder, patched
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GNUPGHOME": str(gnupg),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PASSPHRASE": PASSPHRASE,
            "PATCHED": "yes" if patched else "no",
        }
        folder.mkdir()

    def back_up(self, kind: str, source: Path, number: int) -> str:
        """Returns duplicity's statistics, without times and sizes of what gpg wrote."""
        command = [sys.executable, "-c", PROGRAM, kind, "--volsize", "1", "--name", "odd"]
        command += [
            "--current-time",
            str(BEGAN_AT + number * 1000),
            "--archive-dir",
            str(self._folder / "cache"),
        ]
        command += [str(source), f"file://{self._folder}/target"]
        ended = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert (patches.USED in ended.stdout) == self._patched
        passing = ("Time", patches.USED, "TotalDestinationSizeChange", "DEBUG", "Last full")
        return "\n".join(
            line for line in ended.stdout.splitlines() if not any(word in line for word in passing)
        )

    def written(self) -> dict[str, bytes]:
        """Files by name; the volumes of a set as one, since gpg's pace decides where duplicity ends each of them."""
        found: dict[str, bytes] = {}
        for path in sorted((self._folder / "target").iterdir(), key=_in_order):
            name, content = path.name, self._decrypted(path)
            if ".vol" in name:
                name, content = name.split(".vol")[0], _entries_only(content)
            elif name.endswith("manifest.gpg"):
                content = content[content.index(b"Filelist") :].split(b"Volume ")[0]
            found[name] = found.get(name, b"") + content
        return found

    def _decrypted(self, path: Path) -> bytes:
        command = ["gpg", "--batch", "--pinentry-mode=loopback", "--passphrase", PASSPHRASE, "-d", str(path)]
        return subprocess.run(command, env=self._environment, capture_output=True, check=True).stdout


def _in_order(path: Path) -> tuple[str, int]:
    name, _, volume = path.name.partition(".vol")
    return name, int(volume.split(".")[0]) if volume else 0


def _entries_only(volume: bytes) -> bytes:
    """A tar file without the empty blocks at its end."""
    at = 0
    while at < len(volume) and volume[at]:
        size = int(volume[at + 124 : at + 135], 8)
        at += 512 + size + -size % 512
    return volume[:at]


STEPS: tuple[tuple[str, Callable[[Path], None]], ...] = (
    ("full", make_odd_files),
    ("incremental", change_odd_files),
    ("incremental", change_odd_files_again),
    ("incremental", lambda _root: None),
)


def test_an_odd_tree_and_its_changes_are_written_alike(tmp_path: Path, gnupg: Path) -> None:
    """Volumes, signatures and lists of files, through a full backup and three increments."""
    stock, patched = (Target(tmp_path / name, gnupg, name == "patched") for name in ("stock", "patched"))
    source = tmp_path / "source"
    source.mkdir()
    for number, (kind, change) in enumerate(STEPS):
        change(source)
        assert stock.back_up(kind, source, number) == patched.back_up(kind, source, number)
    assert stock.written() == patched.written()
    assert len(stock.written()) == 3 * len(STEPS)


def test_one_setting_turns_them_all_off(laptop: Laptop) -> None:
    (laptop.source / "file").write_bytes(b"content")
    laptop.enrol()
    settings = laptop.home / "config" / "panicroom.toml"
    settings.write_text(settings.read_text().replace("speed_up = true", "speed_up = false"))
    laptop.succeed("backup")
    assert uses_in(laptop) == []


def uses_in(laptop: Laptop) -> list[dict[str, int]]:
    """Of each run of duplicity: how often each speed-up was used, as the log says."""
    log = (laptop.home / "state" / "panicroom.log").read_text()
    lines = re.findall(f"{patches.USED}(.*)", log)
    return [{name: int(times) for name, times in re.findall(r"([\w-]+) (\d+)", line)} for line in lines]


def test_each_is_at_work_in_a_real_backup(laptop: Laptop) -> None:
    """One was dead for a week once, put in behind an endless loop; all other tests were green."""
    (laptop.source / "film").write_bytes(os.urandom(3_000_000))
    for number in range(20):
        (laptop.source / f"letter-{number}").write_text("Dear Ben")
    laptop.enrol()
    laptop.succeed("backup")
    files = len(laptop.service.objects)
    (laptop.source / "letter-3").write_text("Dear Ann")
    laptop.succeed("backup")
    full, increment = uses_in(laptop)
    assert set(full) == set(increment) == set(patches.PATCHES)
    assert (full["gpg-ahead"], full["small-files"]) == (files - 1, 20)
    assert full["scan"] >= 21
    assert increment["signatures"] >= 21
    assert all(full[name] or increment[name] for name in patches.PATCHES)


def test_another_version_of_duplicity_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import duplicity

    def fail() -> Use:
        raise AssertionError("put in")

    monkeypatch.setattr(duplicity, "__version__", "3.2.2")
    monkeypatch.setattr(patches, "PATCHES", {"any": fail})
    patches.install()()


class Entry:
    def __init__(self, index: tuple[bytes, ...], file: int) -> None:
        self.index, self.file = index, file


INDEXES = st.lists(st.lists(st.sampled_from([b"a", b"b", b"a-"]), max_size=3).map(tuple), unique=True).map(
    sorted
)


@given(st.lists(INDEXES, min_size=1, max_size=6))
def test_of_each_path_the_newest_entry_counts(files: list[list[tuple[bytes, ...]]]) -> None:
    """As duplicity's own merging has it, in its order."""
    from duplicity import diffdir

    def readers() -> list[Iterator[Any]]:
        return [iter([Entry(index, number) for index in file]) for number, file in enumerate(files)]

    ours = [(entry.index, entry.file) for entry in _newest_of_each(readers())]
    assert ours == [(entry.index, entry.file) for entry in diffdir.combine_path_iters(readers())]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda packed: packed[:1500],
    "a changed header": lambda packed: b"x" + packed[1:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_signatures_are_an_error_and_no_shorter_list(damage: str) -> None:
    """A path that is missing from the signatures would pass for a new file."""
    program = """
import io, sys, tarfile
from panicroom.duplicity_run.speed import earlier_signatures
from duplicity import diffdir
earlier_signatures.install()
try:
    for path in diffdir.sigtar2path_iter(io.BytesIO(bytes.fromhex(sys.stdin.read()))):
        print(path.index, path.difftype, path.stat.st_size)
except tarfile.ReadError as error:
    sys.exit(str(error))
"""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("signature/a", "signature/b"):
            entry = tarfile.TarInfo(name)
            entry.size = 600
            archive.addfile(entry, io.BytesIO(bytes(600)))
    for content, code in ((packed.getvalue(), 0), (DAMAGE[damage](packed.getvalue()), 1)):
        ended = subprocess.run(
            [sys.executable, "-c", program], input=content.hex(), capture_output=True, text=True, check=False
        )
        assert ended.returncode == code, ended.stderr
        assert code or ended.stdout.splitlines() == [
            "(b'a',) signature 600",
            "(b'b',) signature 600",
        ]


@pytest.mark.parametrize("takes_session_keys", [True, False])
def test_a_restore_gives_gpg_the_keys_of_volumes_where_it_takes_them(
    laptop: Laptop, tmp_path: Path, takes_session_keys: bool
) -> None:
    (laptop.source / "file").write_bytes(os.urandom(2_500_000))
    laptop.enrol()
    laptop.succeed("backup")
    real, called, folder = shutil.which("gpg"), tmp_path / "called", tmp_path / "bin"
    folder.mkdir()
    hidden = "" if takes_session_keys else "| grep -v session-key"
    (folder / "gpg").write_text(
        f"""#!/bin/sh
echo "$*" >> {called}
case "$*" in --dump-options) {real} "$@" {hidden};; *) exec {real} "$@";; esac
"""
    )
    (folder / "gpg").chmod(0o755)
    out = laptop.home / "out"
    laptop.succeed("restore", "--to", str(out), PATH=f"{folder}:{os.environ['PATH']}")
    assert (out / "file").read_bytes() == (laptop.source / "file").read_bytes()
    decrypted = [line for line in called.read_text().splitlines() if "--decrypt" in line]
    assert len(decrypted) >= 3
    assert {"--override-session-key-fd" in line for line in decrypted} == {takes_session_keys}
    assert {"--passphrase-fd" in line for line in decrypted} == {not takes_session_keys}


@pytest.mark.parametrize("without", ["", volumes_ahead.NAME])
def test_a_restore_opens_each_volume_while_the_one_before_is_read(laptop: Laptop, without: str) -> None:
    (laptop.source / "film").write_bytes(os.urandom(5_000_000))
    laptop.enrol()
    laptop.succeed("backup")
    volumes = sum(".vol" in name for name in laptop.service.names())
    out = laptop.home / "out"
    laptop.succeed("restore", "--to", str(out), PANICROOM_WITHOUT=without)
    assert (out / "film").read_bytes() == (laptop.source / "film").read_bytes()
    assert volumes >= 4
    assert uses_in(laptop)[-1] == {volumes_ahead.NAME: 0 if without else volumes - 1}


class Opener:
    """Opens "volumes", which are numbers, and remembers which."""

    def __init__(self, *unreadable: int) -> None:
        self.opened: list[int] = []
        self._unreadable = unreadable
        self.ahead = volumes_ahead.VolumesAhead(self._open)

    def _open(self, volume: int) -> str:
        self.opened.append(volume)
        if volume in self._unreadable:
            raise SystemExit(volume)
        return f"volume {volume}"

    def has_opened(self, *volumes: int) -> bool:
        """Whether in the end just these were opened."""
        give_up_at = time.monotonic() + 10
        while len(self.opened) < len(volumes) and time.monotonic() < give_up_at:
            time.sleep(0.01)
        return self.opened == list(volumes)


def test_one_volume_of_a_set_is_opened_ahead_and_no_more() -> None:
    opener = Opener()
    reading = opener.ahead.of_set([1, 2, 3])
    assert next(reading) == "volume 1"
    assert opener.has_opened(1, 2)
    assert next(reading) == "volume 2"
    assert opener.has_opened(1, 2, 3)
    assert list(reading) == ["volume 3"]
    assert opener.has_opened(1, 2, 3)
    assert opener.ahead.times == 2


def test_of_many_sets_read_by_turns_few_volumes_wait_open() -> None:
    """A gpg waits behind each of them."""
    opener = Opener()
    sets = [opener.ahead.of_set([number, number + 100, number + 200]) for number in range(20)]
    for turn in range(3):
        assert [next(reading) for reading in sets] == [
            f"volume {100 * turn + number}" for number in range(20)
        ]
        assert len(opener.opened) <= 20 * (turn + 1) + 4
    assert sorted(opener.opened) == [number + 100 * turn for turn in range(3) for number in range(20)]


def test_a_volume_that_cannot_be_opened_fails_in_its_turn() -> None:
    """What lies before it is restored first, as if nothing were opened ahead."""
    opener = Opener(2)
    reading = opener.ahead.of_set([1, 2, 3])
    assert next(reading) == "volume 1"
    assert opener.has_opened(1, 2)
    with pytest.raises(SystemExit):
        next(reading)
    assert opener.has_opened(1, 2)
