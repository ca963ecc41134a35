"""Looking into the backup: what was in it when, whether it is right, and duplicity itself."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

from laptop import Laptop
from panicroom.restore.files import parse_listing

ODD = "odd 'name'\nnext ünï"


def back_up_twice(laptop: Laptop) -> Path:
    """Two sets, the second with one file more; the folder of the letters."""
    folder = laptop.source / "letters"
    folder.mkdir()
    (folder / "first").write_text("first")
    (laptop.source / ODD).write_text("odd")
    laptop.enrol()
    laptop.succeed("backup")
    time.sleep(1.1)
    (folder / "second").write_text("second")
    laptop.succeed("backup")
    return folder


def test_files_lists_what_is_in_the_backup_now_and_then(laptop: Laptop) -> None:
    folder = back_up_twice(laptop)
    lines = laptop.succeed("files").splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [
        "letters/",
        "letters/first",
        "letters/second",
        "odd 'name'?next ünï",
    ]
    found = json.loads(laptop.succeed("files", "--json"))
    assert [item["path"] for item in found] == ["letters", "letters/first", "letters/second", ODD]
    assert [item["kind"] for item in found] == ["folder", "file", "file", "file"]

    then = laptop.service.sealed()[0].rsplit(".", 1)[-1]
    said = laptop.succeed("files", "--time", then, str(folder))
    assert [line.split("  ", 1)[1] for line in said.splitlines()] == ["letters/", "letters/first"]
    missing = laptop.run("files", "nothing")
    assert missing.returncode == 25
    assert len(missing.stderr.splitlines()) == 1


def test_verify_finds_what_differs(laptop: Laptop) -> None:
    folder = back_up_twice(laptop)
    assert "are equal" in laptop.succeed("verify")
    (folder / "first").write_text("FIRST")
    differs = laptop.run("verify")
    assert differs.returncode == 15
    assert "letters/first" in differs.stdout


def test_duplicity_can_look_at_everything_and_change_nothing(laptop: Laptop) -> None:
    back_up_twice(laptop)
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


def test_a_listing_keeps_names_whole() -> None:
    text = (
        "INFO 10 20261122T205000Z '.' dir\n. Sun Nov 22 20:50:00 2026 .\n\n"
        "INFO 10 20261122T205001Z 'a\\nb\\x27c \\xfc' reg\n. Sun a\n. b\n\n"
    )
    (item,) = parse_listing(text)
    assert item.path == "a\nb'c ü"
    assert item.changed_at == "2026-11-22T20:50:01Z"
