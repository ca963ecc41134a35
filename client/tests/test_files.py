"""Looking into the backup: what was in it when, whether it is right, and duplicity itself."""

from __future__ import annotations

import json
import os
import re
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from laptop import Laptop, next_second

ODD = "odd 'name'\nnext ünï"


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    """Two sets, the second with one file more."""
    folder = laptop_of_file.source / "letters"
    folder.mkdir()
    (folder / "first").write_text("first")
    (laptop_of_file.source / ODD).write_text("odd")
    laptop_of_file.enrol()
    laptop_of_file.succeed("backup")
    next_second()
    (folder / "second").write_text("second")
    laptop_of_file.succeed("backup")
    return laptop_of_file


@pytest.fixture
def letters(laptop: Laptop, made_once: Laptop) -> Path:
    """The folder of the letters in a source of two sets."""
    laptop.take_over(made_once)
    return laptop.source / "letters"


def test_files_lists_what_is_in_the_backup_now_and_then(laptop: Laptop, letters: Path) -> None:
    listed = laptop.run("files", TZ="Asia/Kolkata")
    lines = listed.stdout.splitlines()
    assert [line[30:] for line in lines] == [
        "letters/",
        "letters/first",
        "letters/second",
        "odd 'name'?next ünï",
    ]
    changed_at = datetime.fromtimestamp((letters / "second").stat().st_mtime, timezone(timedelta(hours=5.5)))
    assert lines[2].startswith(f"{changed_at:%Y-%m-%d %H:%M}   512 bytes  ")
    assert re.fullmatch(r"3 files, 1\.5 KB, as of .* \(the newest backup\)", listed.stderr.strip())
    found = json.loads(laptop.succeed("files", "--json"))
    assert [item["path"] for item in found] == ["letters", "letters/first", "letters/second", ODD]
    assert [item["kind"] for item in found] == ["folder", "file", "file", "file"]
    assert [item["size_bytes"] for item in found] == [None, 512, 512, 512]

    then = laptop.service.sealed()[0].rsplit(".", 1)[-1]
    said = laptop.succeed("files", "--time", then, str(letters))
    assert [line[30:] for line in said.splitlines()] == ["letters/", "letters/first"]


@pytest.mark.usefixtures("letters")
def test_a_path_that_is_not_there_is_met_with_those_that_may_be_meant(laptop: Laptop) -> None:
    for command, wanted, meant in (
        ("files", "Letters/First", "letters/first"),
        ("files", "letters/fist", "letters/first"),
        ("versions", "second", "letters/second"),
    ):
        missing = laptop.run(command, wanted)
        assert missing.returncode == 25
        assert missing.stderr.endswith(f"has no {wanted}; did you mean {meant}?\n")
        assert len(missing.stderr.splitlines()) == 1
    assert "did you mean" not in laptop.run("files", "completely-different").stderr


@pytest.mark.usefixtures("letters")
def test_names_are_found_by_a_word_or_a_pattern_in_any_capitals(laptop: Laptop) -> None:

    def found(*arguments: str) -> list[str]:
        return [item["path"] for item in json.loads(laptop.succeed("files", "--json", *arguments))]

    assert found("--find", "FIRST") == ["letters/first"]
    assert found("--find", "S*") == ["letters/second"]
    assert found("letters", "--find", "ec") == ["letters/second"]
    nothing = laptop.run("files", "--find", "xyz")
    assert (nothing.returncode, len(nothing.stderr.splitlines())) == (25, 1)


@pytest.mark.usefixtures("letters")
def test_a_time_before_the_first_backup_is_refused_by_every_command(laptop: Laptop) -> None:
    for command in ("files", "verify", "verify --quick"):
        refused = laptop.run(*command.split(), "--time", "2001-01-01")
        assert refused.returncode == 25, refused.stdout
        assert "the oldest is of" in refused.stderr
        nonsense = laptop.run(*command.split(), "--time", "2020-02-30")
        assert nonsense.returncode == 2


def test_versions_are_the_backups_in_which_a_path_changed(laptop: Laptop, letters: Path) -> None:
    next_second()
    (letters / "second").write_bytes(bytes(2000))
    laptop.succeed("backup")
    next_second()
    (letters / "second").unlink()
    laptop.succeed("backup")
    full, *increments = laptop.service.sealed()

    def versions(*arguments: str) -> list[tuple[str, int, int, int, int]]:
        keys = ("set", "new", "changed", "deleted", "size_bytes")
        return [
            tuple(item[key] for key in keys)
            for item in json.loads(laptop.succeed("versions", "--json", *arguments))
        ]

    assert versions("letters/second") == [
        (increments[0], 1, 0, 0, 512),
        (increments[1], 0, 1, 0, 2048),
        (increments[2], 0, 0, 1, 0),
    ]
    assert [item[0] for item in versions()] == [full, *increments]
    assert versions("letters/first") == [(full, 1, 0, 0, 512)]
    lines = laptop.succeed("versions", "letters/second").splitlines()
    assert lines[1].endswith("1 file, 2.0 KB; 0 new, 1 changed, 0 deleted")
    stamp = lines[1].split("  ")[1]
    assert "letters/second" in laptop.succeed("files", "--time", stamp)


@pytest.mark.usefixtures("letters")
def test_a_full_backup_is_compared_with_what_was_before_it(laptop: Laptop) -> None:
    next_second()
    laptop.succeed("backup", "full")
    assert len(laptop.succeed("versions").splitlines()) == 2
    (laptop.source / "letters" / "first").unlink()
    next_second()
    laptop.succeed("backup", "full")
    (newest,) = laptop.succeed("versions", "letters").splitlines()[2:]
    assert "0 new, 0 changed, 1 deleted" in newest


@pytest.mark.usefixtures("letters")
def test_reading_works_on_a_disk_without_hard_links(laptop: Laptop, without_links: dict[str, str]) -> None:
    for command in ("files", "verify", "versions"):
        laptop.succeed(command, **without_links)


def test_a_quick_verify_finds_each_kind_of_difference_and_downloads_no_volume(
    laptop: Laptop, letters: Path
) -> None:
    for name in ("content", "mode", "gone", "kind"):
        (letters / name).write_text(name)
    (letters / "link").symlink_to("first")
    (letters / "empty").touch()
    laptop.succeed("backup")
    fetched: list[str] = []
    laptop.service.on_get = fetched.append
    assert "are equal" in laptop.succeed("verify", "--quick")
    assert not [name for name in fetched if ".vol" in name]

    before = (letters / "content").stat()
    (letters / "content").write_text("CONTENT")
    os.utime(letters / "content", ns=(before.st_atime_ns, before.st_mtime_ns))
    (letters / "mode").chmod(0o600)
    (letters / "gone").unlink()
    (letters / "kind").unlink()
    (letters / "kind").mkdir()
    (letters / "link").unlink()
    (letters / "link").symlink_to("second")
    (letters / "new").write_text("new")
    differs = laptop.run("verify", "--quick")
    assert differs.returncode == 15
    found = dict(line.removeprefix("letters/").split(": ", 1) for line in differs.stdout.splitlines())
    assert found == {
        "content": "its content is another",
        "mode": "its mode is another",
        "gone": "it is not in the source",
        "kind": "it is a file in the backup",
        "link": "the link leads elsewhere",
        "new": "it is not in the backup",
    }


@pytest.mark.usefixtures("letters")
def test_offline_every_command_gives_up_with_one_line(laptop: Laptop) -> None:
    laptop.service.close()
    offline = [laptop.start(command) for command in ("files", "versions", "verify")]
    for process in offline:
        _out, err = process.communicate(timeout=100)
        assert (process.returncode, len(err.splitlines())) == (75, 1)


def test_verify_finds_what_differs(laptop: Laptop, letters: Path) -> None:
    assert "are equal" in laptop.succeed("verify")
    (letters / "first").write_text("FIRST")
    differs = laptop.run("verify")
    assert differs.returncode == 15
    assert "letters/first" in differs.stdout


@pytest.mark.usefixtures("letters")
def test_duplicity_can_look_at_everything_and_change_nothing(laptop: Laptop) -> None:
    before = dict(laptop.service.objects)
    status = laptop.succeed("duplicity", "--", "collection-status")
    assert "Chain start time" in status
    assert "Full" in status
    refused = laptop.run("duplicity", "--", "full", str(laptop.source), "TARGET")
    assert refused.returncode != 0
    laptop.run("duplicity", "--", "remove-older-than", "now", "--force", "TARGET")
    assert laptop.service.objects == before


def test_what_duplicity_says_comes_while_it_works(laptop: Laptop) -> None:
    """A verify of hours tells of each difference as it is found."""
    for number in range(3):
        (laptop.source / f"file-{number}").write_bytes(os.urandom(1_500_000))
    laptop.enrol()
    laptop.succeed("backup")
    (laptop.source / "file-0").write_bytes(b"changed")
    gate = threading.Event()
    laptop.service.on_get = lambda name: None if ".vol4." not in name else (gate.wait(30), None)[1]
    verify = laptop.start("verify")
    assert verify.stdout is not None
    assert "file-0" in verify.stdout.readline()
    assert verify.poll() is None
    gate.set()
    verify.communicate(timeout=60)
    assert verify.returncode == 15
