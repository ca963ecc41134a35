"""A backup after its local manifests and signatures were lost, damaged, or do not open."""

from __future__ import annotations

import os
import re
import shutil

import pytest
from laptop import Laptop
from trees import differences, snapshot


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    """With a full backup and an increment."""
    laptop_of_file.enrol()
    for number in range(2):
        (laptop_of_file.source / f"file {number}").write_bytes(os.urandom(20_000 + number))
        laptop_of_file.succeed("backup")
    return laptop_of_file


def is_metadata(name: str) -> bool:
    return bool(re.search(r"manifest|sigtar", name))


@pytest.mark.parametrize("damage", ["empty", "cut", "zeros", "gone"])
def test_damaged_copies_are_fetched_again_before_duplicity_reads_them(backed_up: Laptop, damage: str) -> None:
    """As a power failure leaves them: the backup is an increment as ever, and all of it restores equal."""
    for path in list(backed_up.archive.iterdir()):
        data = path.read_bytes()
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(
                {"empty": b"", "cut": data[: len(data) // 2], "zeros": b"\0" * len(data)}[damage]
            )
    (backed_up.source / "file 1").write_bytes(os.urandom(30_000))
    requests = backed_up.service.download_requests
    said = backed_up.succeed("backup")
    assert "incremental backup done: 0 new, 1 changed" in said
    assert backed_up.service.download_requests - requests <= 4
    assert not differences(snapshot(backed_up.source), snapshot(backed_up.restore()))


def test_whole_copies_are_not_fetched(backed_up: Laptop) -> None:
    fetched: list[str] = []
    backed_up.service.on_get = fetched.append
    backed_up.succeed("backup")
    assert not [name for name in fetched if "sigtar" in name]


def test_a_set_that_does_not_open_is_named_and_a_full_backup_follows(backed_up: Laptop) -> None:
    """An increment of rubbish, stored without a proof as with AWS keys, stands in the way of any other."""
    shutil.rmtree(backed_up.home / "cache")
    newest = backed_up.service.sealed()[-1]
    for name in backed_up.service.names():
        if is_metadata(name) and newest.split(".to.")[-1] in name:
            stored = backed_up.service.objects[f"system/{name}"]
            stored.data = b"rubbish" * 40
            stored.metadata.pop("proof", None)
    ended = backed_up.run("backup")
    assert ended.returncode == 0, ended.stderr
    assert f"the set {newest} cannot be opened" in ended.stdout
    assert f"ops set quarantine laptop system {newest}" in ended.stdout
    assert "full backup done" in ended.stdout
    assert not differences(snapshot(backed_up.source), snapshot(backed_up.restore()))
