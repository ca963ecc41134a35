"""Volumes that are absent, cut, flipped or swapped: what can be had is there, the rest is named, nothing is wrong."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_service import now_text
from laptop import Laptop, next_second
from panicroom.duplicity_run.child import restoring
from panicroom.exit_codes import ExitCode
from restore.changing_trees import look


def volumes(laptop: Laptop, kind: str) -> list[str]:
    return sorted(name for name in laptop.service.names() if f"duplicity-{kind}." in name and ".vol" in name)


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    source = laptop_of_file.source
    folder = source / "folder"
    folder.mkdir()
    for number in range(8):
        (folder / f"file-{number}").write_bytes(os.urandom(350_000))
    (source / "link").symlink_to("folder")
    laptop_of_file.enrol()
    for step in range(3):
        if step:
            for number in (step, step + 3):
                with (folder / f"file-{number}").open("ab") as file:
                    file.write(os.urandom(5000))
            (folder / f"new-{step}").write_bytes(os.urandom(1000))
            next_second()
        laptop_of_file.succeed("backup")
        shutil.copytree(source, laptop_of_file.home / f"truth-{step}", symlinks=True)
    return laptop_of_file


@pytest.fixture
def truths(laptop: Laptop, made_once: Laptop) -> list[Path]:
    """A full set of several volumes and two increments; copies of the source as of each."""
    laptop.take_over(made_once)
    return [laptop.home / f"truth-{step}" for step in range(3)]


def absent(laptop: Laptop, names: list[str]) -> None:
    del laptop.service.objects[f"system/{names[0]}"]


def cut(laptop: Laptop, names: list[str]) -> None:
    change(laptop, names[0], lambda data: data[: len(data) // 2])


def flipped(laptop: Laptop, names: list[str]) -> None:
    change(laptop, names[0], lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])


def swapped(laptop: Laptop, names: list[str]) -> None:
    objects = laptop.service.objects
    first, second = (f"system/{name}" for name in names[:2])
    objects[first], objects[second] = objects[second], objects[first]


def change(laptop: Laptop, name: str, how: Callable[[bytes], bytes]) -> None:
    stored = laptop.service.objects[f"system/{name}"]
    laptop.service.objects[f"system/{name}"] = dataclasses.replace(stored, data=how(stored.data))


def check_named_exactly(laptop: Laptop, truth: Path, to: Path, *more: str) -> dict[str, dict[str, object]]:
    """Restores; asserts that what is named, and only that, is not as in ``truth``. What was named, by path."""
    ended = laptop.run("restore", "--to", str(to), "--json", *more)
    assert ended.returncode == ExitCode.RESTORE_INCOMPLETE, ended.stdout + ended.stderr
    report = json.loads(ended.stdout.splitlines()[-1])
    named = {item["path"]: item for item in report["differing"]}
    expected, found = look(truth), look(to)
    assert set(named) == {path for path in expected if found.get(path) != expected[path]}
    assert found.keys() <= expected.keys()
    assert str(len(named)) in ended.stderr
    return named


def test_damage_in_the_full_set_and_in_an_increment(laptop: Laptop, truths: list[Path]) -> None:
    """Each kind of damage in turn, then two at once; the last files of all can be had as of an older time."""
    whole = dict(laptop.service.objects)
    full, increments = volumes(laptop, "full"), volumes(laptop, "inc")
    assert len(full) >= 3
    damages: list[tuple[Callable[[Laptop, list[str]], None], list[str]]] = [
        (absent, full[1:]),
        (cut, full[1:]),
        (flipped, full),
        (swapped, full),
        (flipped, increments[-1:]),
        (absent, increments),
    ]
    for number, (damage, names) in enumerate(damages):
        laptop.service.objects.clear()
        laptop.service.objects.update(whole)
        damage(laptop, names)
        named = check_named_exactly(laptop, truths[2], laptop.home / f"out-{number}")
        assert 0 < len(named) < 9
    # The increment of the first change is gone: what it changed can be had as of before.
    named = check_named_exactly(laptop, truths[2], laptop.home / "out", "--nearest")
    assert named["folder/file-1"]["restored"]
    older = laptop.home / "out" / "folder" / "file-1"
    assert older.read_bytes() == (truths[0] / "folder" / "file-1").read_bytes()
    assert "new-1" not in {path.name for path in older.parent.iterdir()}


def test_a_set_of_rubbish_is_named_with_the_line_that_hides_it(laptop: Laptop, truths: list[Path]) -> None:
    """The newest set, without a proof of origin, cannot be opened: what does not need it is restored."""
    newest = laptop.service.sealed()[-1]
    manifest = f"system/meta_duplicity-{newest}.manifest.gpg"
    stored = laptop.service.objects[manifest]
    without_proof = {name: text for name, text in stored.metadata.items() if name != "proof"}
    laptop.service.objects[manifest] = dataclasses.replace(stored, metadata=without_proof)
    for name in laptop.service.names():
        if newest in name or newest.removeprefix("inc.") in name:
            change(laptop, name, lambda data: os.urandom(len(data)))
    shutil.rmtree(laptop.home / "cache")
    out = laptop.home / "out"
    ended = laptop.run("restore", "--to", str(out))
    assert ended.returncode == ExitCode.RESTORE_INCOMPLETE, ended.stderr
    assert f"python -m ops set quarantine laptop system {newest}" in ended.stderr
    assert look(out) == look(truths[1])


def test_a_newest_set_without_its_signatures_does_not_pass_for_restored(
    laptop: Laptop, truths: list[Path]
) -> None:
    newest = laptop.service.sealed()[-1].removeprefix("inc.")
    (name,) = (name for name in laptop.service.names() if newest in name and "sigtar" in name)
    del laptop.service.objects[f"system/{name}"]
    out = laptop.home / "out"
    ended = laptop.run("restore", "--to", str(out))
    assert ended.returncode == ExitCode.RESTORE_INCOMPLETE, ended.stderr
    assert "signatures are not stored" in ended.stderr
    assert look(out) == look(truths[1])
    planned = json.loads(laptop.succeed("restore", "--to", str(out), "--dry-run", "--json"))
    assert not planned["newest"], "the newest backup is the one that cannot be opened"
    # Without a proof, and only if it is asked for:
    laptop.succeed("restore", "--plain", "--to", str(laptop.home / "plain"))
    assert look(laptop.home / "plain") == look(truths[2])


def test_a_newest_set_that_the_bucket_has_lost_is_an_error_unless_a_time_is_given(
    laptop: Laptop, truths: list[Path]
) -> None:
    laptop.service.lose(laptop.service.sealed()[-1].removeprefix("inc."))
    laptop.service.newest_known = now_text(3600)
    out = laptop.home / "out"
    ended = laptop.run("restore", "--to", str(out))
    assert ended.returncode == ExitCode.NOT_FOUND
    (line,) = ended.stderr.splitlines()
    time_there = line.rsplit("--time ", 1)[-1]
    assert not out.exists()
    laptop.succeed("restore", "--to", str(out), "--time", time_there)
    assert look(out) == look(truths[1])


def test_what_ends_a_round_at_a_damaged_volume_is_not_hidden_by_an_error_at_closing() -> None:
    """Else duplicity goes on without the volume, and the one before it is taken for damaged."""

    class Broken(io.BytesIO):
        def close(self) -> None:
            raise ValueError("TarFile is closed")

    with pytest.raises(SystemExit), restoring._closing(Broken()):
        raise SystemExit(int(ExitCode.START_AGAIN))
    with pytest.raises(restoring._UnreadableData), restoring._closing(Broken()):
        pass
