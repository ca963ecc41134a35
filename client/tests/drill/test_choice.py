"""Which files a drill takes: pure, over archives of any shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from drill.archives import SyntheticArchive, archives, chain_of
from hypothesis import given, settings
from hypothesis import strategies as st
from panicroom.drill.choice import MOST_BYTES, DrillVolume, Pick, choose, plan_of
from panicroom.duplicity_files.contents import SetContents

SMALL_ARCHIVE = 12
"""Volumes: as many as drills in a year."""


@dataclass
class Year:
    """Drills of an archive, each of which passes."""

    archive: SyntheticArchive
    chance: Random
    drilled: dict[str, str] = field(default_factory=dict)

    def drill(self, month: int) -> tuple[Pick, ...]:
        picks = choose(self.archive.scopes(), self.drilled, self.archive.contents, self.chance)
        for pick in picks:
            plan = plan_of(pick, self.archive.contents(pick.set))
            for file in plan.volumes():
                self.drilled[file.name] = f"2027-{month:02}-01T00:00:00Z"
        return picks


@settings(max_examples=200, deadline=None)
@given(archives(most_volumes=SMALL_ARCHIVE), st.integers(0, 2**32))
def test_a_year_covers_every_volume_of_a_small_archive(archive: SyntheticArchive, seed: int) -> None:
    year = Year(archive, Random(seed))
    for month in range(1, 13):
        before = set(year.drilled)
        year.drill(month)
        assert year.drilled.keys() > before or before == archive.volume_names
    assert year.drilled.keys() == archive.volume_names


@settings(max_examples=100, deadline=None)
@given(archives(most_volumes=40), st.integers(0, 2**32))
def test_of_a_larger_one_each_drill_takes_the_volumes_whose_turn_it_is(
    archive: SyntheticArchive, seed: int
) -> None:
    year = Year(archive, Random(seed))
    for month in range(1, 13):
        before = len(year.drilled)
        picks = year.drill(month)
        assert len(year.drilled) > before or before == len(archive.volume_names)
        assert len(set(picks)) == len(picks) <= 3


@settings(max_examples=100, deadline=None)
@given(archives(most_volumes=30), st.integers(0, 2**32))
def test_it_takes_the_newest_set_the_oldest_chain_and_any(archive: SyntheticArchive, seed: int) -> None:
    picks = choose(archive.scopes(), {}, archive.contents, Random(seed))
    assert picks[0].set == archive.chains[-1][-1].name
    if len(archive.volume_names) > 1:
        assert any(pick.set in {item.name for item in archive.chains[0]} for pick in picks)
    for pick in picks:
        contents = archive.contents(pick.set)
        plan = plan_of(pick, contents)
        assert (len(contents) - 1, pick.volume) in {key for keys in plan.needs.values() for key in keys}
        if pick.path is not None:
            assert contents[-1].entries[pick.path].kind == "file"
            assert plan.entries[pick.path].size_bytes <= MOST_BYTES


def of(contents: Sequence[SetContents]) -> list[list[DrillVolume]]:
    return [
        [DrillVolume(contents[-1].name, number, file.name) for number, file in contents[-1].stored.items()]
    ]


def test_a_file_over_a_gigabyte_is_not_taken_and_its_volume_is_read() -> None:
    (full,) = chain_of([[("large", MOST_BYTES + 1), ("small", 100)]], volume_of={"large": 1, "small": 2})
    for seed in range(10):
        picks = choose([*of([full]), *of([full])], {}, lambda _name: [full], Random(seed))
        assert {(pick.volume, pick.path) for pick in picks} == {(1, None), (2, (b"small",))}


def test_of_files_alike_the_small_one_is_taken() -> None:
    (full,) = chain_of([[("a", 900 * 2**20), ("b", 100), ("c", 200)]], volume_of={"a": 1, "b": 1, "c": 1})
    paths = {choose(of([full]), {}, lambda _name: [full], Random(seed))[0].path for seed in range(20)}
    assert paths == {(b"b",), (b"c",)}


def test_a_file_that_takes_hundreds_of_volumes_is_not_taken_where_another_is() -> None:
    sets = [[("log", 1000), ("new", 1000)]] + [[("log", 1000)]] * 150 + [[("log", 1000), ("other", 1000)]]
    chain = chain_of(sets, volume_of={"log": 1, "new": 1, "other": 1})
    for seed in range(10):
        (pick,) = choose(of(chain), {}, lambda _name: chain, Random(seed))
        assert pick.path == (b"other",)


def test_a_volume_without_a_file_is_read() -> None:
    (full,) = chain_of([[("folder", None)]], volume_of={"folder": 1})
    (pick,) = choose(of([full]), {}, lambda _name: [full], Random(1))
    assert pick == Pick(full.name, 1, None)
    assert [file.name for file in plan_of(pick, [full]).volumes()] == [full.stored[1].name]


def test_of_one_volume_three_different_files_are_taken() -> None:
    (full,) = chain_of([[(f"file-{n}", 100) for n in range(5)]], volume_of={f"file-{n}": 1 for n in range(5)})
    picks = choose(of([full]) * 3, {}, lambda _name: [full], Random(1))
    assert len({pick.path for pick in picks}) == 3
