"""What lies in chains before the newest one: other times, files that only they still have, another passphrase."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from laptop import Laptop, next_second
from panicroom.exit_codes import ExitCode


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    laptop = laptop_of_file
    (laptop.source / "letter").write_bytes(b"one" * 1000)
    (laptop.source / "other").write_bytes(os.urandom(1_500_000))
    laptop.enrol()
    laptop.succeed("backup")
    (laptop.source / "letter").write_bytes(b"two" * 1000)
    next_second()
    laptop.succeed("backup")
    laptop.succeed("passphrase", "change", "--yes", NEW_PASSPHRASE="another")
    (laptop.source / "letter").write_bytes(b"three" * 1000)
    next_second()
    laptop.succeed("backup")
    return laptop


@pytest.fixture
def two_chains(laptop: Laptop, made_once: Laptop) -> Laptop:
    """A full set and an increment under one passphrase, and a full set under another."""
    laptop.take_over(made_once)
    return laptop


def times(laptop: Laptop) -> list[str]:
    return [name.rsplit(".", 1)[-1] for name in laptop.service.sealed()]


def test_a_time_before_a_change_of_the_passphrase_needs_no_passphrase_by_hand(two_chains: Laptop) -> None:
    """With the cache and without; in listings, in a proved restore and in a plain one. A wrong one is still wrong."""
    _first, second, third = times(two_chains)
    for number in range(2):
        out = two_chains.home / f"out-{number}"
        two_chains.succeed("restore", "--to", str(out), "--time", second)
        assert (out / "letter").read_bytes() == b"two" * 1000
        shutil.rmtree(two_chains.home / "cache")
    two_chains.succeed("restore", "--plain", "--to", str(two_chains.home / "plain"), "--time", second)
    assert (two_chains.home / "plain" / "letter").read_bytes() == b"two" * 1000
    assert [item["set"] for item in json.loads(two_chains.succeed("versions", "letter", "--json"))] == (
        two_chains.service.sealed()
    )
    assert two_chains.run("verify", "--time", second).returncode == ExitCode.DIFFERENT
    two_chains.succeed("restore", "--to", str(two_chains.home / "newest"), "--time", third)

    shutil.rmtree(two_chains.home / "cache")
    without_older = {name: text for name, text in two_chains.secrets.items() if "before" not in name}
    (two_chains.home / "config" / "secrets.json").write_text(json.dumps(without_older))
    ended = two_chains.run("restore", "--to", str(two_chains.home / "no"), "--time", second)
    assert ended.returncode == ExitCode.PASSPHRASE, ended.stderr


def test_a_file_that_is_lost_in_the_newest_chain_is_had_from_the_one_before(two_chains: Laptop) -> None:
    two_chains.service.lose(two_chains.service.sealed()[-1], ".vol")
    second = times(two_chains)[1]

    def restored(to: str, *more: str) -> dict[str, dict[str, object]]:
        ended = two_chains.run("restore", "--json", "--to", str(two_chains.home / to), *more)
        assert ended.returncode == ExitCode.RESTORE_INCOMPLETE, ended.stderr
        return {item["path"]: item for item in json.loads(ended.stdout.splitlines()[-1])["differing"]}

    named = restored("out")
    assert {path: item["newest"] for path, item in named.items()} == {"letter": second, "other": second}
    assert not any(item["restored"] for item in named.values())
    named = restored("nearest", "--nearest")
    assert all(item["restored"] for item in named.values())
    assert (two_chains.home / "nearest" / "letter").read_bytes() == b"two" * 1000
    assert (two_chains.home / "nearest" / "other").read_bytes() == (two_chains.source / "other").read_bytes()

    # Damage in the older chain, too: it costs the file that needs the volume its newer version, and no other file.
    increment = next(name for name in two_chains.service.names() if "-inc." in name and ".vol" in name)
    stored = two_chains.service.objects[f"system/{increment}"]
    stored.data = stored.data[:-1] + bytes([stored.data[-1] ^ 1])
    named = restored("damaged", "--nearest")
    first, second, _third = times(two_chains)
    assert {path: item["newest"] for path, item in named.items()} == {"letter": first, "other": second}
    assert all(item["restored"] for item in named.values())
    assert (two_chains.home / "damaged" / "letter").read_bytes() == b"one" * 1000
