"""Volumes as a thaw names them."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from panicroom.thaw.remembered import RememberedThaws
from panicroom.thaw.volumes import numbers_by_set, numbers_in, range_text, thaw_request
from panicroom.wire import ThawVolumes

FULL, INCREMENT = "full.20261122T213347Z", "inc.20261122T213347Z.to.20261123T213347Z"
NOW = datetime(2026, 11, 30, tzinfo=timezone.utc)


def volume(set_name: str, number: int) -> str:
    return f"data_duplicity-{set_name}.vol{number}.difftar.gpg"


def test_ranges_name_exactly_the_numbers() -> None:
    assert range_text([12, 1, 3, 2, 2]) == "1-3,12"
    assert range_text([7]) == "7"
    for seed in range(200):
        numbers = set(random.Random(seed).sample(range(1, 60), random.Random(seed).randrange(1, 40)))
        assert numbers_in(range_text(numbers)) == numbers


def test_a_request_is_the_same_whatever_the_order_of_the_volumes() -> None:
    names = [volume(INCREMENT, 2), volume(FULL, 3), volume(FULL, 1), volume(FULL, 2), "meta_other"]
    wanted = (ThawVolumes(FULL, "1-3"), ThawVolumes(INCREMENT, "2"))
    assert thaw_request(names).volumes == thaw_request(reversed(names)).volumes == wanted
    assert numbers_by_set(names) == {FULL: {1, 2, 3}, INCREMENT: {2}}


def test_a_thaw_is_found_again_for_fewer_volumes_and_not_for_others(tmp_path: Path) -> None:
    thaws = RememberedThaws(tmp_path / "thaws.json")
    assert thaws.find([volume(FULL, 1)]) is None
    thaws.add("old", [volume(FULL, number) for number in range(1, 9)], NOW)
    thaws.add("new", [volume(FULL, 1), volume(INCREMENT, 1)], NOW + timedelta(days=1))
    assert thaws.find([volume(FULL, 2), volume(FULL, 8)]) == "old"
    assert thaws.find([volume(FULL, 1)]) == "new"
    assert thaws.find([volume(FULL, 2), volume(INCREMENT, 1)]) is None
    thaws.forget("new")
    assert thaws.find([volume(FULL, 1)]) == "old"
    thaws.add("late", [volume(INCREMENT, 1)], NOW + timedelta(days=61))
    assert thaws.find([volume(FULL, 1)]) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "{}", '[{"thaw": "x"}]', '[{"thaw":"x","begun_at":"?","volumes":{}}]']
)
def test_a_damaged_memory_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "thaws.json"
    path.write_text(text)
    thaws = RememberedThaws(path)
    assert thaws.find([volume(FULL, 1)]) is None
    thaws.add("new", [volume(FULL, 1)], NOW)
    assert thaws.find([volume(FULL, 1)]) == "new"
