"""No set is sealed without one of its files, whatever has gone wrong on the way."""

from __future__ import annotations

import dataclasses
import os

import pytest
from altered_client import altered
from laptop import Laptop
from trees import differences, snapshot


@pytest.mark.parametrize(
    "alteration",
    [
        'upload_fails_unexpectedly(".vol3.")',  # the last one: without it there is no gap
        'journal_forgets(".vol3.")',
        pytest.param('journal_forgets("signatures")', marks=pytest.mark.soak),
    ],
)
def test_a_set_is_not_sealed_while_one_of_its_files_is_not_known_to_be_stored(
    laptop: Laptop, alteration: str
) -> None:
    for number in range(6):
        (laptop.source / f"file-{number}").write_bytes(os.urandom(400_000))
    laptop.enrol()
    ended = dataclasses.replace(laptop, command=altered(laptop.home / "bin", alteration)).run("backup")
    assert ended.returncode != 0
    assert laptop.service.sealed() == []
    laptop.succeed("backup")
    assert differences(snapshot(laptop.source), snapshot(laptop.restore())) == []
