"""Trees that are no pleasure to back up: odd names, odd kinds, files that change or go while they are read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import threading
import time
import unicodedata
from pathlib import Path

import pytest
from laptop import COMMAND, Laptop, next_second

ODD_NAMES = [
    b"new\nline",
    b"not utf-8 \xff\xfe",
    b"not utf-8 \xfd\xfc",
    b"latin-1 caf\xe9",
    b"x" * 255,
    "ü".encode() * 127,
    unicodedata.normalize("NFC", "é composed").encode(),
    unicodedata.normalize("NFD", "é composed").encode(),
    "emoji 🙂 and 漢字".encode(),
    b"-dash",
    b"--option=x",
    b" leading and trailing ",
    b"tab\tand\x01control\x7f",
    b"\\back\\slash",
    b"'single' \"double\" `back` $HOME",
    b"[glob] *?{a,b}",
    b"#comment",
    b"~tilde",
    b"...",
    b"colon: and | pipe; and & more",
    b"percent %s %d {} %%",
    b"\r",
]


NOT_TEXT = os.fsdecode(b"not text \xff\xfe")


def odd_tree(root: Path) -> None:
    for number, name in enumerate(ODD_NAMES):
        (root / os.fsdecode(name)).write_bytes(b"content %d" % number * 50)
    folder = root / NOT_TEXT / "new\nline"
    for _ in range(12):  # paths longer than a tar header has room for, with the same names in them
        folder.mkdir(parents=True)
        (folder / f"{NOT_TEXT}\n").write_bytes(b"in the depth")
        folder /= NOT_TEXT + "d" * 30
    with (root / "sparse").open("wb") as file:
        file.truncate(3_000_000)
        file.seek(1_000_000)
        file.write(b"island")
    (root / "empty file").touch()
    (root / "empty folder").mkdir()
    (root / "dangling").symlink_to("nowhere/at all")
    (root / "loop").symlink_to("loop")
    (root / "to folder").symlink_to("empty folder")
    (root / "to no text").symlink_to(NOT_TEXT)
    (root / "first name").write_bytes(b"one file")
    os.link(root / "first name", root / "second name")
    os.mkfifo(root / "fifo", 0o640)
    (root / "setuid").write_bytes(b"")
    (root / "setuid").chmod(0o4755)
    (root / "closed folder").mkdir()
    (root / "closed folder" / "in it").write_bytes(b"read only")
    (root / "closed folder").chmod(0o555)
    os.utime(root / "empty file", (0, 0))
    os.utime(root / "setuid", (2**33, 2**33))


def look(root: Path) -> dict[str, tuple[object, ...]]:
    """What is there, by path; sockets and pipes by their kind, as nobody can read them."""
    found: dict[str, tuple[object, ...]] = {}
    for path in root.rglob("*"):
        status = path.lstat()
        kind, mode = stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode)
        key = repr(str(path.relative_to(root)))
        if stat.S_ISLNK(status.st_mode):
            found[key] = kind, str(path.readlink())
        elif stat.S_ISREG(status.st_mode):
            found[key] = kind, mode, int(status.st_mtime), hashlib.sha256(path.read_bytes()).digest()
        else:
            found[key] = kind, mode
    return found


def test_a_tree_of_odd_names_and_kinds_comes_back_identically(laptop: Laptop) -> None:
    odd_tree(laptop.source)
    unbound = socket.socket(socket.AF_UNIX)
    unbound.bind(str(laptop.source / "socket"))
    unbound.close()
    laptop.enrol()
    said = laptop.succeed("backup")
    assert "1 socket left out" in said
    expected = look(laptop.source)
    del expected["'socket'"]
    assert look(laptop.restore()) == expected
    # Names are names: none is taken for a second one, a pattern or an option by the increment either.
    for path in laptop.source.iterdir():
        if path.is_file() and not path.is_symlink():
            path.write_bytes(b"changed " + os.fsencode(path.name))
    expected = look(laptop.source)
    del expected["'socket'"]
    laptop.succeed("backup")
    assert look(laptop.restore()) == expected
    assert laptop.run("verify").returncode == 0


def test_one_file_of_an_odd_name_can_be_asked_for(laptop: Laptop) -> None:
    (laptop.source / "new\nline").write_text("content")
    (laptop.source / NOT_TEXT).write_text("no text")
    (laptop.source / "[a]*?").write_text("glob")
    (laptop.source / "other").write_text("other")
    laptop.enrol()
    laptop.succeed("backup")
    out = laptop.home / "out"
    laptop.succeed("restore", "--to", str(out), "--", "new\nline", NOT_TEXT, "[a]*?")
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "new\nline": "content",
        NOT_TEXT: "no text",
        "[a]*?": "glob",
    }
    listed = {item["path"] for item in json.loads(laptop.succeed("files", "--json"))}
    assert listed == {"new\nline", NOT_TEXT, "[a]*?", "other"}
    assert len(laptop.succeed("files").splitlines()) == 4


class Stalled:
    """A backup whose second volume does not get away until ``go``: by then duplicity has read no further than the
    spool lets it."""

    def __init__(self, laptop: Laptop) -> None:
        self.laptop = laptop
        self._gate, reached = threading.Event(), threading.Event()

        def hold(name: str, phase: str) -> None:
            if ".vol2." in name and phase == "begin":
                reached.set()
                self._gate.wait(60)

        laptop.service.on_put = hold
        self._process = laptop.start("backup")
        assert reached.wait(100)
        time.sleep(1.5)  # the spool fills up

    def go(self) -> str:
        self._gate.set()
        out, err = self._process.communicate(timeout=60)
        self.laptop.service.on_put = lambda _name, _phase: None
        assert self._process.returncode == 0, err
        return out


def test_files_that_change_grow_shrink_or_go_while_they_are_read(laptop: Laptop) -> None:
    """The backup finishes, says what it skipped, and has the rest; the next one has everything."""
    for number in range(40):
        (laptop.source / f"file-{number:02}").write_bytes(os.urandom(400_000))
    for word in ("grows", "shrinks", "changes"):
        # The second volume ends in their middle, or they are still to come.
        (laptop.source / f"file-05-{word}").write_bytes(os.urandom(2_500_000))
        (laptop.source / f"file-35-{word}").write_bytes(os.urandom(400_000))
    laptop.enrol()
    settings = laptop.home / "config" / "panicroom.toml"
    settings.write_text(re.sub(r"(?m)^upload_threads = \d+$", "upload_threads = 1", settings.read_text()))
    stalled = Stalled(laptop)
    for number in ("05", "35"):
        with (laptop.source / f"file-{number}-grows").open("ab") as file:
            file.write(os.urandom(300_000))
        os.truncate(laptop.source / f"file-{number}-shrinks", 100_000)
        (laptop.source / f"file-{number}-changes").write_bytes(os.urandom(300_000))
    for number in (36, 37, 38):
        (laptop.source / f"file-{number}").unlink()
    said = stalled.go()
    assert "3 could not be read: " in said
    assert "file-36, " in said
    expected, restored = look(laptop.source), look(laptop.restore())
    in_flux = {key for key in expected if "-05-" in key or "-35-" in key}
    assert {key: restored[key] for key in expected.keys() - in_flux} == {
        key: expected[key] for key in expected.keys() - in_flux
    }
    next_second()
    laptop.succeed("backup")
    assert look(laptop.restore()) == look(laptop.source)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv takes root's privileges away")
def test_what_cannot_be_read_is_named_and_the_rest_is_stored(laptop: Laptop) -> None:
    (laptop.source / "open").write_text("content")
    (laptop.source / "closed\nfile").write_text("secret")
    (laptop.source / "closed folder").mkdir()
    (laptop.source / "closed folder" / "inside").write_text("secret")
    (laptop.source / "closed\nfile").chmod(0)
    laptop.enrol()
    (laptop.source / "closed folder").chmod(0)
    rights = "-dac_override,-dac_read_search"
    as_nobody_special = (
        ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"] if os.geteuid() == 0 else []
    )
    ended = subprocess.run(
        [*as_nobody_special, str(COMMAND), "backup", "--json"],
        env=laptop.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    skipped = sorted(event["path"] for event in events if event["event"] == "skipped")
    assert skipped == [str(laptop.source / "closed\nfile"), str(laptop.source / "closed folder")]
    assert events[-1]["event"] == "done"
    assert sorted(events[-1]["skipped"]) == skipped
    assert laptop.service.runs[-1]["files_skipped"] == 2
    (laptop.source / "closed folder").chmod(0o700)
    restored = laptop.restore()
    assert (restored / "open").read_text() == "content"
    assert not (restored / "closed\nfile").exists()
