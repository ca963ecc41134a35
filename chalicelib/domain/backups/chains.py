"""Chains: a full set and every set that hangs on it, forks too."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from chalicelib.domain.backups.leases import CLOCK_TOLERANCE
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet


@dataclasses.dataclass(frozen=True)
class BackupChain:
    """The full set first, then what continues it, in the order of the names; sets that are open among them.

    Times are S3's, but for ``newest_end``.
    """

    sets: tuple[BackupSet, ...]

    @property
    def full(self) -> BackupSet:
        return self.sets[0]

    @property
    def id(self) -> SetId:
        return self.full.set_id

    @property
    def set_ids(self) -> tuple[SetId, ...]:
        return tuple(one.set_id for one in self.sets)

    @property
    def first_sealed_at(self) -> datetime:
        assert self.full.sealed_at is not None  # an open full begins no chain
        return self.full.sealed_at

    @property
    def newest_sealed_at(self) -> datetime:
        return max(one.sealed_at for one in self.sets if one.sealed_at is not None)

    @property
    def newest_end(self) -> datetime:
        """By the names, which the laptop chose."""
        return max(one.set_id.end for one in self.sets)

    @property
    def stored_bytes(self) -> int:
        return sum(one.stored_bytes for one in self.sets)

    @property
    def is_sound(self) -> bool:
        """Whether all of it can be restored as far as anybody sees: every sealed set is complete and has signatures,
        none is named later than S3 stored it, each continues one that was sealed before it, and there is no fork.

        An open increment says nothing yet.
        """
        sealed = [one for one in self.sets if one.sealed_at is not None]
        by_end = {one.set_id.end: one for one in sealed}
        starts = [one.set_id.start for one in sealed if one.set_id.start is not None]
        if len(by_end) < len(sealed) or len(set(starts)) < len(starts):
            return False
        return all(_is_whole(one) and _continues_an_earlier_one(one, by_end) for one in sealed)


def _is_whole(one: BackupSet) -> bool:
    if one.sealed_at is None or not one.complete or not one.has_signatures:
        return False
    return one.set_id.end - one.sealed_at <= CLOCK_TOLERANCE


def _continues_an_earlier_one(one: BackupSet, by_end: dict[datetime, BackupSet]) -> bool:
    if one.set_id.start is None:
        return True
    base = by_end.get(one.set_id.start)
    return (
        base is not None and base.sealed_at is not None and base.sealed_at < (one.sealed_at or base.sealed_at)
    )


@dataclasses.dataclass(frozen=True)
class Chains:
    """``chains`` by S3's time of their full sets; ``others`` hang on no sealed full set."""

    chains: tuple[BackupChain, ...]
    others: tuple[BackupSet, ...]


def chains_of(sets: Iterable[BackupSet]) -> Chains:
    """The chains of a job's sets. What is hidden is left out before; an open full set begins none."""
    there = list(sets)
    following: dict[datetime, list[BackupSet]] = defaultdict(list)
    for one in there:
        if one.set_id.start is not None:
            following[one.set_id.start].append(one)
    chains = [
        BackupChain((full, *_hanging_on(full, following)))
        for full in there
        if full.set_id.is_full and full.sealed
    ]
    used = {set_id for chain in chains for set_id in chain.set_ids}
    return Chains(
        tuple(sorted(chains, key=lambda chain: (chain.first_sealed_at, chain.full.set_id.end))),
        tuple(one for one in there if one.set_id not in used),
    )


def _hanging_on(full: BackupSet, following: dict[datetime, list[BackupSet]]) -> list[BackupSet]:
    members: list[BackupSet] = []
    ends, seen = [full.set_id.end], set[datetime]()
    while ends:
        end = ends.pop()
        if end not in seen:  # a name that goes back in time would make a ring
            seen.add(end)
            members += following.get(end, [])
            ends += [one.set_id.end for one in following.get(end, [])]
    return sorted(members, key=lambda one: one.set_id.end)
