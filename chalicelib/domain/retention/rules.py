"""Which chain of a job may go: pure, from S3's times and the owner's looks; names only order sets within a chain.

The theorem that the property tests hold: the newest sound chain whose full set was sealed by the owner's last look
never goes until the owner looks again, whatever a token does and the clocks say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from chalicelib.domain.backups.chains import BackupChain, chains_of
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.retention_policy import RetentionPolicy
from chalicelib.domain.retention.facts import OwnerChoices, RetentionFacts
from chalicelib.domain.retention.limits import (
    ANNOUNCED_IN_MAILS,
    NOT_FETCHED_FOR,
    SMALLEST_SUCCESSOR,
    SUCCESSOR_AGE,
)
from chalicelib.domain.retention.plan import ASKS_THE_OWNER, RetentionPlan, Waiting, Why


def plan_retention(now: datetime, policy: RetentionPolicy, facts: RetentionFacts) -> RetentionPlan:
    """What becomes of each chain of a job now. At most one goes, the oldest that may."""
    chains = counted_chains(facts)
    stay_for_years = _kept_for_years(chains, policy.keep_yearly, facts)
    tangled = _share_an_end(facts)
    go: list[BackupChain] = []
    waiting: list[Waiting] = []
    for chain in chains:
        kept = (
            _kept_by_the_owner(now, policy, facts, chain, stay_for_years)
            or _lacks_successors(now, policy, facts, chain, chains)
            or _held_up(now, facts, chain, tangled=tangled)
        )
        if kept is None and (go or _went_today(now, facts)):
            kept = Waiting(chain, Why.ONE_A_DAY, _midnight_after(now))
        if kept is None:
            go.append(chain)
        else:
            waiting.append(kept)
    return RetentionPlan(
        tuple(go),
        tuple(one for one in waiting if one.why not in ASKS_THE_OWNER),
        tuple(one for one in waiting if one.why in ASKS_THE_OWNER),
    )


def counted_chains(facts: RetentionFacts) -> tuple[BackupChain, ...]:
    """The chains whose full set is proven and not in quarantine, by S3's time of it."""
    return tuple(
        chain
        for chain in chains_of(facts.sets).chains
        if not chain.full.unproven and chain.id not in facts.quarantined
    )


def is_sound(chain: BackupChain, facts: RetentionFacts) -> bool:
    return chain.is_sound and facts.quarantined.isdisjoint(chain.set_ids)


def was_seen(chain: BackupChain, choices: OwnerChoices) -> bool:
    """Whether it stood in the list at the owner's last look."""
    looked_at = choices.looked_at
    return looked_at is not None and chain.first_sealed_at <= looked_at and chain.id in choices.seen


def _kept_by_the_owner(
    now: datetime,
    policy: RetentionPolicy,
    facts: RetentionFacts,
    chain: BackupChain,
    stay_for_years: frozenset[SetId],
) -> Waiting | None:
    choices = facts.choices
    if choices.holds_all or chain.id in choices.held:
        return Waiting(chain, Why.HELD)
    locked_until = max((facts.locked_until.get(one, now) for one in chain.set_ids), default=now)
    if locked_until > now:
        return Waiting(chain, Why.LOCKED, locked_until)
    if any(not backup_set.sealed for backup_set in chain.sets):
        return Waiting(chain, Why.OPEN_SET)
    if chain.id in stay_for_years:
        return Waiting(chain, Why.FOR_ITS_YEAR)
    old_enough_at = chain.newest_sealed_at + timedelta(days=policy.keep_days)
    return Waiting(chain, Why.YOUNG, old_enough_at) if old_enough_at > now else None


def _lacks_successors(
    now: datetime,
    policy: RetentionPolicy,
    facts: RetentionFacts,
    chain: BackupChain,
    chains: Sequence[BackupChain],
) -> Waiting | None:
    """``None`` where enough newer chains can stand in for it; else the least that the owner can do about it, where that
    is enough, or when age will do it."""
    newer = [other for other in chains if _is_newer(other, chain) and is_sound(other, facts)]
    wanted = max(1, policy.keep_chains)
    reasons = Counter(_why_no_successor(now, facts, chain, other) for other in newer)
    found = reasons[None]
    if found >= wanted:
        return None
    for why in (Why.NOT_LOOKED_AT, Why.OTHER_ENROLMENT, Why.MUCH_SMALLER):
        found += reasons[why]
        if found >= wanted:
            return Waiting(chain, why)
    ages = sorted(other.first_sealed_at + SUCCESSOR_AGE for other in newer)
    return Waiting(chain, Why.NO_SUCCESSOR, ages[wanted - 1] if len(ages) >= wanted else None)


def _is_newer(other: BackupChain, chain: BackupChain) -> bool:
    """By S3's time and by the names: either alone can be chosen by whoever has a token, or by a wrong clock."""
    return other.first_sealed_at > chain.newest_sealed_at and other.full.set_id.end > chain.newest_end


def _why_no_successor(
    now: datetime, facts: RetentionFacts, chain: BackupChain, other: BackupChain
) -> Why | None:
    """Looks at the full set of ``other`` alone: what came after it must not unmake a successor."""
    sealed_at, named = other.first_sealed_at, chain.id in facts.choices.named
    if sealed_at + SUCCESSOR_AGE > now:
        return Why.NO_SUCCESSOR
    if not named and other.full.stored_bytes < SMALLEST_SUCCESSOR * chain.full.stored_bytes:
        return Why.MUCH_SMALLER
    if not named and any(chain.newest_sealed_at < at <= sealed_at for at in facts.enrolled_at):
        return Why.OTHER_ENROLMENT
    return None if was_seen(other, facts.choices) else Why.NOT_LOOKED_AT


def _held_up(now: datetime, facts: RetentionFacts, chain: BackupChain, *, tangled: bool) -> Waiting | None:
    """What passes by itself, or has to be repaired first."""
    if tangled:
        return Waiting(chain, Why.TANGLED)
    if facts.blocks:
        return Waiting(chain, Why.BLOCKED, detail=facts.blocks[0])
    free_at = max(
        (facts.fetched_at[one] + NOT_FETCHED_FOR for one in chain.set_ids if one in facts.fetched_at),
        default=now,
    )
    if free_at > now:
        return Waiting(chain, Why.FETCHED, free_at)
    announced = facts.announced.get(chain.id, 0)
    if announced < ANNOUNCED_IN_MAILS:
        return Waiting(chain, Why.UNANNOUNCED, detail=f"{announced} of {ANNOUNCED_IN_MAILS}")
    return None


def _share_an_end(facts: RetentionFacts) -> bool:
    """Two chains that meet: nobody can say which full set an increment needs. One whose full set the owner has put into
    quarantine is out of the question."""
    ends = Counter(
        end
        for chain in chains_of(facts.sets).chains
        if chain.id not in facts.quarantined
        for end in {backup_set.set_id.end for backup_set in chain.sets}
    )
    return any(count > 1 for count in ends.values())


def _kept_for_years(chains: Sequence[BackupChain], years: int, facts: RetentionFacts) -> frozenset[SetId]:
    """The first of each of the last ``years`` that have one. Only what the owner has seen has a claim on a year: a
    thief's full set must not push an older one out."""
    first: dict[int, SetId] = {}
    for chain in chains:
        if was_seen(chain, facts.choices) and is_sound(chain, facts):
            first.setdefault(chain.first_sealed_at.year, chain.id)
    return frozenset([first[year] for year in sorted(first)][-years:]) if years else frozenset()


def _went_today(now: datetime, facts: RetentionFacts) -> bool:
    return facts.let_go_at is not None and facts.let_go_at.date() == now.date()


def _midnight_after(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
