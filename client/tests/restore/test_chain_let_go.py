"""The oldest chain is no longer there: the service has let it go, and the laptop was not told."""

from __future__ import annotations

import os
import shutil

import pytest
from laptop import Laptop, next_second
from panicroom.exit_codes import ExitCode


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    laptop = laptop_of_file
    laptop.enrol()
    for number, kind in enumerate(("full", "incremental", "full")):
        (laptop.source / "letter").write_bytes(f"{number}".encode() * 1000)
        (laptop.source / f"photo-{number}").write_bytes(os.urandom(5_000))
        laptop.succeed("backup", kind)
        next_second()
    return laptop


@pytest.fixture(params=["with its cache", "without a cache"])
def newer_chain_only(request: pytest.FixtureRequest, laptop: Laptop, made_once: Laptop) -> Laptop:
    """Of a full set, an increment and a full set, the service lists the last one."""
    laptop.take_over(made_once)
    for one in laptop.service.sealed()[:2]:
        times = one.partition(".")[2]
        laptop.service.lose(times)
    assert len(laptop.service.sealed()) == 1
    if "without" in request.param:
        shutil.rmtree(laptop.home / "cache")
    return laptop


def times(laptop: Laptop) -> list[str]:
    return [name.rsplit(".", 1)[-1] for name in laptop.service.sealed()]


def test_a_time_before_the_oldest_is_refused_with_what_there_is(
    newer_chain_only: Laptop, made_once: Laptop
) -> None:
    """Plain duplicity would restore the next newer one, without a word."""
    (there,) = times(newer_chain_only)
    for gone in times(made_once)[:2]:
        for command in (
            ("restore", "--to", str(newer_chain_only.home / "out")),
            ("restore", "letter", "--to", str(newer_chain_only.home / "out")),
            ("restore", "--plain", "--to", str(newer_chain_only.home / "out")),
            ("restore", "--nearest", "--to", str(newer_chain_only.home / "out")),
            ("restore", "--dry-run", "--to", str(newer_chain_only.home / "out")),
            ("files",),
            ("verify",),
            ("verify", "--quick"),
        ):
            ended = newer_chain_only.run(*command, "--time", gone)
            assert ended.returncode == ExitCode.NOT_FOUND, (command, ended.stderr)
            assert "the oldest is of" in ended.stderr, command
            assert f"--time {there}" in ended.stderr, command
    assert not (newer_chain_only.home / "out").exists()


def test_what_is_left_is_listed_restored_and_continued(newer_chain_only: Laptop) -> None:
    laptop = newer_chain_only
    (there,) = times(laptop)
    assert [line for line in laptop.succeed("versions").splitlines() if there in line]
    laptop.succeed("restore", "--to", str(laptop.home / "out"))
    assert (laptop.home / "out" / "letter").read_bytes() == b"2" * 1000
    (laptop.source / "letter").write_bytes(b"3" * 1000)
    said = laptop.run("backup")
    assert said.returncode == ExitCode.DONE, said.stderr
    assert "orphan" not in said.stdout + said.stderr
    first, second = laptop.service.sealed()
    assert second.startswith(f"inc.{there}"), (first, second)
    laptop.succeed("restore", "--to", str(laptop.home / "again"))
    assert (laptop.home / "again" / "letter").read_bytes() == b"3" * 1000
    kept = {path.name for path in laptop.archive.rglob("*duplicity-*")}
    assert kept, "duplicity's own cache"
    assert not [name for name in kept if there not in name], "nothing of the chain that went"
