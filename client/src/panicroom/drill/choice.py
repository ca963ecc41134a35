"""Which files a drill restores. Pure: chance and what was drilled before are passed in.

One of the newest set, one of the oldest chain, one of any set. Each is chosen by a volume: one that was never drilled,
else the one whose drill is longest ago. So each volume has its turn, whatever lies in it.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from panicroom.duplicity_files.contents import SetContents
from panicroom.duplicity_files.manifest import PathIndex
from panicroom.restore.plan import Plan, make_plan

MOST_BYTES = 2**30
"""The largest file."""

MOST_FETCHED_BYTES = 448 * 2**20
"""The most that is fetched for a file, two volumes of 200 MB: three of these cost less than the allowance, by Bulk from
Deep Archive, kept for the week until the next scheduled backup."""

REQUEST_BYTES = 10 * 2**20
"""A request to thaw costs as much as thawing so much, by Bulk from Deep Archive."""

_LEAST_BYTES = 2**20
"""What is smaller counts as equally small."""


@dataclass(frozen=True)
class DrillVolume:
    """``name`` is that of its file."""

    set: str
    number: int
    name: str


@dataclass(frozen=True)
class Pick:
    """A file to restore as of ``set``, chosen for that ``volume`` of it. ``path`` is None where no file of the volume
    can be restored in a drill: then the volume is read to its end."""

    set: str
    volume: int
    path: PathIndex | None


def choose(
    scopes: Sequence[Sequence[DrillVolume]],
    drilled: Mapping[str, str],
    contents_of: Callable[[str], Sequence[SetContents]],
    chance: Random,
) -> tuple[Pick, ...]:
    """A pick out of each of ``scopes``, all of them different; fewer where there is not so much.

    ``drilled``: when a volume was drilled last, as texts that sort, by its name. ``contents_of`` gives the sets up to
    the one that is named, a full one first, with their manifests.
    """
    picks: list[Pick] = []
    taken: set[str] = set()
    for scope in scopes:
        volume = _longest_ago(scope, drilled, taken, chance)
        if volume is None:
            continue
        contents = contents_of(volume.set)
        avoided = {pick.path for pick in picks if pick.set == volume.set and pick.path is not None}
        path = _file_in(contents, volume.number, avoided, chance)
        if path is None and volume.name in taken:
            continue
        pick = Pick(volume.set, volume.number, path)
        picks.append(pick)
        taken |= {file.name for file in plan_of(pick, contents).volumes()}
    return tuple(picks)


def plan_of(pick: Pick, contents: Sequence[SetContents]) -> Plan:
    """The plan for the pick's file; for a volume one that needs it and writes nothing."""
    if pick.path is not None:
        return make_plan(contents, [pick.path])
    return Plan(tuple(contents), {}, {}, {_NO_FILE: ((len(contents) - 1, pick.volume),)})


_NO_FILE: PathIndex = (b"\0",)
"""Stands for a file in a plan that is to read a volume and to write nothing: no file has such a name."""


def _longest_ago(
    scope: Sequence[DrillVolume], drilled: Mapping[str, str], taken: Collection[str], chance: Random
) -> DrillVolume | None:
    def rank(volume: DrillVolume) -> tuple[bool, str]:
        return volume.name in taken, drilled.get(volume.name, "")

    first = min(map(rank, scope), default=None)
    return chance.choice([volume for volume in scope if rank(volume) == first]) if scope else None


def _file_in(
    contents: Sequence[SetContents], number: int, avoided: Collection[PathIndex], chance: Random
) -> PathIndex | None:
    """A file that the last set has stored in the volume: at random among those that take least to fetch, give or take
    a factor of two."""
    classes: dict[int, list[PathIndex]] = {}
    for path, weight in _weights(contents, number):
        if path not in avoided:
            classes.setdefault(max(weight, _LEAST_BYTES).bit_length(), []).append(path)
    return chance.choice(sorted(classes[min(classes)])) if classes else None


def _weights(contents: Sequence[SetContents], number: int) -> Iterator[tuple[PathIndex, int]]:
    """The files of the volume that are not too large, with what it takes to restore each."""
    last = contents[-1]
    assert last.ranges is not None
    volume = last.ranges[number]
    held = {path for path, entry in last.entries.items() if entry.kind == "file" and volume.may_hold(path)}
    plan = make_plan(contents, held)
    for path in held & plan.needs.keys():
        keys = set(plan.needs[path])
        size = plan.entries[path].size_bytes
        weight = sum(contents[of_set].stored[of_volume].size + REQUEST_BYTES for of_set, of_volume in keys)
        if (len(contents) - 1, number) in keys and size <= MOST_BYTES and weight <= MOST_FETCHED_BYTES:
            yield path, size + weight
