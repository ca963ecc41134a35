"""``files``, ``versions`` and ``cost`` say what is archived, and fetch no volume for that."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

import pytest
from laptop import Laptop
from panicroom.duplicity_files.manifest import VolumeRange
from panicroom.duplicity_files.signatures import SignatureEntry
from panicroom.exit_codes import ExitCode
from panicroom.reading.archived_files import ArchivedFiles, ArchivedRanges
from panicroom.reading.history import SetEntries
from panicroom.stored.times import parse_time
from thaw.scenes import archive, fetched, make_backups, volumes


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_backups(laptop_of_file)
    return laptop_of_file


def listed(laptop: Laptop, *words: str) -> dict[str, bool]:
    return {
        item["path"]: item["archived"]
        for item in json.loads(laptop.succeed("files", "--json", *words))
        if item["kind"] == "file"
    }


def test_files_marks_what_needs_a_thaw_and_counts_it(backed_up: Laptop) -> None:
    said = backed_up.run("files", "folder")
    assert "*" not in said.stdout
    assert "thaw" not in said.stderr
    archive(backed_up, volumes(backed_up, "full."))
    marks = listed(backed_up)
    assert {path for path, archived in marks.items() if not archived} == {"folder/new-1", "folder/new-2"}
    said = backed_up.run("files", "folder", "--time", "now")
    assert "15 of 17 files need a thaw (*): panicroom cost folder --time now" in said.stderr
    assert re.search(r"KB \* folder/file-1$", said.stdout, re.MULTILINE)
    assert re.search(r"KB   folder/new-1$", said.stdout, re.MULTILINE)
    assert fetched(backed_up) == set()


def test_a_file_needs_a_thaw_where_one_volume_of_it_does(backed_up: Laptop) -> None:
    """Of a full set with some of its volumes archived the manifest knows which; a thaw asks for the same."""
    some = volumes(backed_up, "full.")[2:5]
    archive(backed_up, [*some, *volumes(backed_up, ".vol1.")[-1:]])
    for path, archived in listed(backed_up).items():
        plan = json.loads(backed_up.succeed("restore", path, "--dry-run", "--json"))
        assert (plan["thaw"] is not None) == archived, path
    assert fetched(backed_up) == set()


def test_versions_count_what_needs_a_thaw(backed_up: Laptop) -> None:
    archive(backed_up, volumes(backed_up, "full."))
    found = json.loads(backed_up.succeed("versions", "--json"))
    assert [item["files"] - item["archived"] for item in found] == [0, 1, 2]
    found = json.loads(backed_up.succeed("versions", "folder/file-1", "--json"))
    assert [item["archived"] for item in found] == [1, 1]
    first, *_ = backed_up.succeed("versions", "folder").splitlines()
    assert first.endswith("; 15 need a thaw")
    assert fetched(backed_up) == set()


def test_cost_shows_what_keeping_and_bringing_back_cost_and_starts_nothing(backed_up: Laptop) -> None:
    said = backed_up.succeed("cost", "folder/new-1")
    assert "Keeping them: $0.0012 a month" in said
    assert "fetching costs $0.00, without a thaw" in said
    archive(backed_up, volumes(backed_up))
    said = backed_up.succeed("cost")
    assert said.splitlines()[0].startswith("22 files (at most ")
    assert re.search(r"^  bulk +\$0\.\d\d ", said, re.MULTILINE), said
    found = json.loads(backed_up.succeed("cost", "folder/file-1", "--json"))
    assert found["files"] == 1
    assert found["month_usd"] == 0.0012
    assert found["thaw"]["archived"] == found["volumes"]
    assert backed_up.service.thaws.asked == []
    assert fetched(backed_up) == set()
    ended = backed_up.run("cost", "folder/none")
    assert ended.returncode == ExitCode.NOT_FOUND
    assert "folder/none: no such path in the backup at that time" in ended.stderr


def entries(name: str, kind: str, *paths: tuple[str, str]) -> SetEntries:
    time = parse_time("2026-11-22", datetime.now(timezone.utc))
    found = [SignatureEntry((path.encode(),), entry_kind, 0o644) for path, entry_kind in paths]  # type: ignore[arg-type]
    return SetEntries(name, time, kind, 0, found)  # type: ignore[arg-type]


def volume(first: str, last: str) -> VolumeRange:
    return VolumeRange(1, (first.encode(),), (last.encode(),), None, None, {})


def test_a_difference_needs_what_the_file_before_needs_and_a_new_file_does_not() -> None:
    ranges = ArchivedRanges.of([volume("d", "f"), volume("b", "c")])
    found = ArchivedFiles({"full": ranges, "inc2": None})
    sets = [
        entries("full", "full", ("a", "file"), ("b", "file"), ("d", "file"), ("f", "file"), ("g", "file")),
        entries("inc1", "incremental", ("a", "file"), ("b", "file"), ("d", "deleted"), ("f", "folder")),
        entries("inc2", "incremental", ("d", "file"), ("g", "file")),
        entries("inc3", "incremental", ("d", "deleted"), ("f", "file")),
        entries("other", "full", ("b", "file")),
    ]
    after = []
    for item in found.follow(sets):
        list(item.entries)
        after.append("".join(sorted(path[0].decode() for path in found.files)))
    assert after == ["bdf", "b", "bdg", "bg", ""]
