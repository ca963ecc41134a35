"""What the owner removes for good: a whole chain, or a single set that belongs to none."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from enum import Enum

from chalicelib.domain.backups.chains import BackupChain, Chains, chains_of
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.retention.facts import RetentionFacts
from chalicelib.domain.retention.rules import counted_chains, is_sound


class Loose(str, Enum):
    """Why a set is no part of a chain that counts."""

    UNFINISHED = "unfinished"
    QUARANTINED = "in quarantine"
    ORPHANED = "orphaned"
    UNPROVEN = "unproven"


class NotDropped(ValueError):
    """``str(error)`` says why, and what to name instead."""


@dataclasses.dataclass(frozen=True)
class Drop:
    """``name`` is a chain's full set, or the set itself, which ``loose`` says then. ``leaves_none``: no other chain is
    left of the job that could be restored; ``is_newest``: only older ones are."""

    name: SetId
    sets: tuple[BackupSet, ...]
    loose: Loose | None = None
    leaves_none: bool = False
    is_newest: bool = False

    @property
    def size_bytes(self) -> int:
        return sum(backup_set.stored_bytes for backup_set in self.sets)

    @property
    def files(self) -> int:
        return sum(tally.count for backup_set in self.sets for tally in backup_set.current.values())


def loose_sets(facts: RetentionFacts) -> list[tuple[BackupSet, Loose]]:
    """By name: what retention leaves, and only the owner removes."""
    counted = {chain.id for chain in counted_chains(facts)}
    chains = chains_of(facts.sets).chains
    chained = {one for chain in chains if chain.id in counted for one in chain.set_ids}
    unproven = {one for chain in chains if chain.full.unproven for one in chain.set_ids}
    found = []
    for backup_set in sorted(facts.sets, key=lambda one: one.set_id.end):
        if backup_set.set_id in facts.quarantined:
            found.append((backup_set, Loose.QUARANTINED))
        elif not backup_set.sealed:
            found.append((backup_set, Loose.UNFINISHED))
        elif backup_set.set_id not in chained:
            is_unproven = backup_set.unproven or backup_set.set_id in unproven
            found.append((backup_set, Loose.UNPROVEN if is_unproven else Loose.ORPHANED))
    return found


def plan_drop(facts: RetentionFacts, name: SetId) -> Drop:
    """Raises ``NotDropped`` where others would lose what they need. ``name`` is that of one of the sets."""
    found = chains_of(facts.sets)
    chain = next((one for one in found.chains if one.id == name), None)
    if chain is not None:
        return _drop_of_chain(facts, chain, found)
    [one] = [backup_set for backup_set in facts.sets if backup_set.set_id == name]
    loose = {backup_set.set_id: state for backup_set, state in loose_sets(facts)}
    if name not in loose:
        raise NotDropped(
            f"{name} is part of the chain {_chain_of(found, name)}, and what came after it needs it: name the chain"
            " to remove all of it, or hide the set (`python -m ops set quarantine`)."
        )
    _check_nothing_hangs_on(one, facts)
    return Drop(name, (one,), loose[name])


def _drop_of_chain(facts: RetentionFacts, chain: BackupChain, found: Chains) -> Drop:
    """What two chains share stays with the other one."""
    others = [other for other in found.chains if other.id != chain.id]
    shared = {one for other in others for one in other.set_ids}
    left = [one for one in others if _is_restorable(one, facts)]
    return Drop(
        chain.id,
        tuple(backup_set for backup_set in chain.sets if backup_set.set_id not in shared),
        leaves_none=not left and chain.id not in facts.quarantined,
        is_newest=bool(left) and all(one.first_sealed_at < chain.first_sealed_at for one in left),
    )


def _is_restorable(chain: BackupChain, facts: RetentionFacts) -> bool:
    """As far as anybody sees; of an adopted chain nobody knows how many volumes it has."""
    return chain.id not in facts.quarantined and (is_sound(chain, facts) or chain.full.unproven)


def _chain_of(found: Chains, name: SetId) -> SetId | None:
    return next((chain.id for chain in found.chains if name in chain.set_ids), None)


def _check_nothing_hangs_on(one: BackupSet, facts: RetentionFacts) -> None:
    has_twin = any(other is not one and other.set_id.end == one.set_id.end for other in facts.sets)
    hanging = _continuing(one, facts.sets, facts.quarantined)
    if hanging and not has_twin:
        raise NotDropped(
            f"{hanging[0].set_id} continues {one.set_id} and needs it: drop that one first, or hide it"
            " (`python -m ops set quarantine`)."
        )


def _continuing(one: BackupSet, sets: Iterable[BackupSet], quarantined: frozenset[SetId]) -> list[BackupSet]:
    return [
        other for other in sets if other.set_id.start == one.set_id.end and other.set_id not in quarantined
    ]
