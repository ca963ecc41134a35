"""Chains: a full set and every set that hangs on it, forks too."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property

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

    @cached_property
    def newest_sealed_at(self) -> datetime:
        return max(one.sealed_at for one in self.sets if one.sealed_at is not None)

    @cached_property
    def newest_end(self) -> datetime:
        """By the names, which the laptop chose."""
        return max(one.set_id.end for one in self.sets)

    @cached_property
    def stored_bytes(self) -> int:
        return sum(one.stored_bytes for one in self.sets)

    @cached_property
    def is_sound(self) -> bool:
        """Whether all of it can be restored as far as anybody sees: every sealed set is complete and has signatures,
        none is named later than S3 stored it, each continues one that was sealed before it, and there is no fork.

        An open increment says nothing yet. A manifest that was copied has S3's time of the copy: a chain with one may
        be out of order, and then stands in for no other.
        """
        sealed = [one for one in self.sets if one.sealed_at is not None]
        by_end = {one.set_id.end: one for one in sealed}
        starts = [one.set_id.start for one in sealed if one.set_id.start is not None]
        if len(set(starts)) < len(starts):
            return False
        return all(_is_whole(one) and _continues_an_earlier_one(one, by_end) for one in sealed)


def _is_whole(one: BackupSet) -> bool:
    if one.sealed_at is None or not one.complete or not one.has_signatures:
        return False
    return one.set_id.end - one.sealed_at <= CLOCK_TOLERANCE


def _continues_an_earlier_one(one: BackupSet, by_end: Mapping[datetime, BackupSet]) -> bool:
    start, sealed_at = one.set_id.start, one.sealed_at
    if start is None:
        return True
    base_at = by_end[start].sealed_at if start in by_end else None
    in_order = base_at is not None and sealed_at is not None and base_at < sealed_at
    return in_order and start < one.set_id.end


@dataclasses.dataclass(frozen=True)
class Chains:
    """``chains`` by S3's time of their full sets; ``others`` hang on no sealed full set."""

    chains: tuple[BackupChain, ...]
    others: tuple[BackupSet, ...]


def chains_of(sets: Iterable[BackupSet]) -> Chains:
    """The chains of a job's sets. What is hidden is left out before; an open full set begins none."""
    there = list(sets)
    following = _following(there)
    chains = [
        BackupChain((full, *sorted(_hanging_on(full, following), key=lambda one: one.set_id.end)))
        for full in there
        if full.set_id.is_full and full.sealed
    ]
    used = {id(one) for chain in chains for one in chain.sets}
    return Chains(
        tuple(sorted(chains, key=lambda chain: (chain.first_sealed_at, chain.full.set_id.end))),
        tuple(one for one in there if id(one) not in used),
    )


def newest_chain(sets: Iterable[BackupSet]) -> BackupChain | None:
    """The one that duplicity continues: of the full set that is named last."""
    return max(chains_of(sets).chains, key=lambda chain: chain.full.set_id.end, default=None)


def count_needing(sets: Iterable[BackupSet]) -> dict[SetId, int]:
    """How many sets need each to be restored: those that hang on it. Open ones count, and need theirs."""
    there = list(sets)
    following = _following(there)
    return {one.set_id: len(_hanging_on(one, following)) for one in there}


def _following(sets: Iterable[BackupSet]) -> Mapping[datetime, Sequence[BackupSet]]:
    following: dict[datetime, list[BackupSet]] = defaultdict(list)
    for one in sets:
        if one.set_id.start is not None:
            following[one.set_id.start].append(one)
    return following


def _hanging_on(base: BackupSet, following: Mapping[datetime, Sequence[BackupSet]]) -> list[BackupSet]:
    found: list[BackupSet] = []
    ends, seen = [base.set_id.end], set[datetime]()
    while ends:
        end = ends.pop()
        if end not in seen:  # a name that goes back in time would make a ring
            seen.add(end)
            found += following.get(end, ())
            ends += [one.set_id.end for one in following.get(end, ())]
    return found
