"""What the weekly mail says of a job's chains: those that go next, and those that wait for the owner."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from chalicelib.domain.backups.chains import BackupChain
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tallies, sum_tallies
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.domain.retention.limits import ANNOUNCED_IN_MAILS
from chalicelib.domain.retention.plan import RetentionPlan, Why
from chalicelib.domain.retention.reasons import reason_of
from chalicelib.domain.retention.schedule import next_run

WEEK = timedelta(days=7)

_STAYS_THOUGH_NAMED = frozenset({Why.LOCKED, Why.TANGLED, Why.BLOCKED, Why.FETCHED})


@dataclasses.dataclass(frozen=True)
class ChainOutlook:
    """``monthly``: what keeping it costs in USD a month, None where no prices are known. ``named``: how many weekly
    mails have said that it goes.

    ``goes_at``: the first run that may take it, of a chain that goes next. Without one, ``reason`` is why it stays:
    until the owner looks (``needs_owner``), or for now though a mail has named it. ``wants_name``: it goes only if the
    owner approves it by name.
    """

    job: Job
    chain: SetId
    sets: int
    size_bytes: int
    monthly: Decimal | None
    named: int
    goes_at: datetime | None = None
    needs_owner: bool = False
    wants_name: bool = False
    reason: str = ""

    @property
    def final_at(self) -> datetime | None:
        """When it is gone for good if it goes at the first run that may take it."""
        if self.goes_at is None:
            return None
        return LetGo(self.job.machine, self.job.name, self.chain, (), self.goes_at).final_at


def may_let_go(sets: Sequence[BackupSet]) -> bool:
    """Whether there is anything to plan: the only chain of a job stays, whatever else holds."""
    return sum(backup_set.set_id.is_full for backup_set in sets) > 1


def outlook_of(
    job: Job,
    plan: RetentionPlan,
    announced: Mapping[SetId, int],
    *,
    now: datetime,
    next_issue: datetime,
    zone: tzinfo,
    monthly: Callable[[Tallies], Decimal | None],
) -> list[ChainOutlook]:
    """Of one job, the chains of which a mail written now speaks: it is itself one of those that name them."""

    def outlook(chain: BackupChain) -> ChainOutlook:
        stored = sum_tallies(backup_set.current for backup_set in chain.sets)
        named = announced.get(chain.id, 0)
        return ChainOutlook(job, chain.id, len(chain.sets), chain.stored_bytes, monthly(stored), named)

    found = []
    free_at = now
    for chain, earliest in _going(plan, announced, now, next_issue):
        goes_at = next_run(max(earliest, free_at))
        free_at = goes_at  # one a day
        found.append(dataclasses.replace(outlook(chain), goes_at=goes_at))
    stays = [one for one in plan.waits if one.why in _STAYS_THOUGH_NAMED and announced.get(one.chain.id)]
    for needs_owner, waiting in [(True, one) for one in plan.needs_owner] + [(False, one) for one in stays]:
        shown = dataclasses.replace(outlook(waiting.chain), needs_owner=needs_owner)
        wants_name = needs_owner and waiting.why is not Why.NOT_LOOKED_AT
        found.append(dataclasses.replace(shown, wants_name=wants_name, reason=reason_of(waiting, zone)))
    return found


def _going(
    plan: RetentionPlan, announced: Mapping[SetId, int], now: datetime, next_issue: datetime
) -> Iterator[tuple[BackupChain, datetime]]:
    """What goes once it was named often enough, and from when on."""
    for chain in plan.go:
        yield chain, now
    for waiting in plan.waits:
        if waiting.why is Why.ONE_A_DAY:
            yield waiting.chain, now
        elif waiting.why is Why.UNANNOUNCED:
            more = ANNOUNCED_IN_MAILS - announced.get(waiting.chain.id, 0) - 1
            yield waiting.chain, next_issue + (more - 1) * WEEK if more > 0 else now
