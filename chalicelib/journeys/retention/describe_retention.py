"""What the owner is shown of a job's chains: what becomes of each, when, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

from chalicelib.domain.backups.chains import BackupChain
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.storage import ARCHIVE_CLASSES
from chalicelib.domain.backups.tallies import sum_tallies
from chalicelib.domain.costs.figures import first_price_monthly
from chalicelib.domain.costs.price_table import PriceTable, PriceUnknown
from chalicelib.domain.costs.restore_costs import restore_cost
from chalicelib.domain.retention.drops import Loose, loose_sets
from chalicelib.domain.retention.facts import OwnerChoices, RetentionFacts
from chalicelib.domain.retention.let_go import LetGo, final_after
from chalicelib.domain.retention.looks import digest_of
from chalicelib.domain.retention.outlook import outlook_of
from chalicelib.domain.retention.plan import ASKS_THE_OWNER, RetentionPlan, Waiting, Why
from chalicelib.domain.retention.reasons import reason_of
from chalicelib.domain.retention.rules import counted_chains, plan_retention, was_seen
from chalicelib.domain.retention.schedule import next_run
from chalicelib.domain.weekly import WeeklyTime
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.owner_wire import ChainRestore, ChainRow, JobRetention, LetGoRow, LooseSet
from chalicelib.wire import ThawTier


def describe_retention(
    job: Job,
    facts: RetentionFacts,
    let_gos: Iterable[LetGo],
    critical: Sequence[str],
    prices: PriceTable | None,
    weekly_time: WeeklyTime,
    now: datetime,
) -> JobRetention:
    """``critical`` are the messages of the job's open critical findings. Sentences are in the zone of the mail."""
    plan, choices, zone = plan_retention(now, job.retention, facts), facts.choices, weekly_time.zone
    waiting = {one.chain.id: one for one in (*plan.waits, *plan.needs_owner)}
    goes_on = _first_runs(job, facts, plan, weekly_time, now)
    chains = counted_chains(facts)
    return JobRetention(
        machine=job.machine,
        job=job.name,
        keep_chains=job.retention.keep_chains,
        keep_days=job.retention.keep_days,
        keep_yearly=job.retention.keep_yearly,
        chains=tuple(
            _chain_row(chain, waiting.get(chain.id), goes_on.get(chain.id), choices, prices, zone)
            for chain in chains
        ),
        let_go=tuple(let_go_row(let_go, job, now) for let_go in let_gos),
        digest=digest_of(chains),
        looked_at=_time_or_none(choices.looked_at),
        held=choices.holds_all,
        blocks=facts.blocks,
        critical=tuple(critical),
        loose=tuple(_loose_set(one, state) for one, state in loose_sets(facts)),
    )


def _first_runs(
    job: Job, facts: RetentionFacts, plan: RetentionPlan, weekly_time: WeeklyTime, now: datetime
) -> dict[SetId, datetime]:
    """At which run each chain may go at the earliest, of those of which that is known."""
    runs = {one.chain.id: next_run(one.until) for one in plan.waits if one.until is not None}
    outlooks = outlook_of(
        job,
        plan,
        facts.announced,
        now=now,
        next_issue=weekly_time.next_issue(now),
        zone=weekly_time.zone,
        monthly=lambda _: None,
    )
    return runs | {one.chain: one.goes_at for one in outlooks if one.goes_at is not None}


def _chain_row(
    chain: BackupChain,
    waiting: Waiting | None,
    goes_on: datetime | None,
    choices: OwnerChoices,
    prices: PriceTable | None,
    zone: tzinfo,
) -> ChainRow:
    return ChainRow(
        chain=str(chain.id),
        sets=len(chain.sets),
        bytes=chain.stored_bytes,
        first_at=format_wire_time(chain.first_sealed_at),
        newest_at=format_wire_time(chain.newest_sealed_at),
        verdict=_verdict(waiting),
        why=waiting.why.value if waiting else None,
        reason=reason_of(waiting, zone) if waiting else None,
        until=_time_or_none(waiting.until) if waiting else None,
        goes_on=_time_or_none(goes_on),
        final_on=_time_or_none(final_after(goes_on) if goes_on else None),
        monthly=_monthly(chain, prices),
        seen=was_seen(chain, choices),
        named=chain.id in choices.named,
        held=choices.holds_all or chain.id in choices.held,
        restore=_restore(chain, prices),
    )


def _time_or_none(moment: datetime | None) -> str | None:
    return format_wire_time(moment) if moment else None


def _verdict(waiting: Waiting | None) -> str:
    if waiting is None:
        return "goes"
    if waiting.why in ASKS_THE_OWNER:
        return "needs_you"
    return "stays" if waiting.why is Why.NO_SUCCESSOR and waiting.until is None else "waits"


def _monthly(chain: BackupChain, prices: PriceTable | None) -> float | None:
    """USD, at each class's first price; ``None`` where one is not known."""
    if prices is None:
        return None
    try:
        stored = sum_tallies(backup_set.current for backup_set in chain.sets)
        return float(round(first_price_monthly(prices, stored), 6))
    except PriceUnknown:
        return None


def _restore(chain: BackupChain, prices: PriceTable | None) -> ChainRestore | None:
    stored = sum_tallies(backup_set.current for backup_set in chain.sets)
    archived = {name: tally for name, tally in stored.items() if name in ARCHIVE_CLASSES}
    if prices is None:
        return None
    try:
        restore = restore_cost(prices, stored, archived, ThawTier.BULK if archived else None)
    except PriceUnknown:
        return None
    if restore.cost is None:
        return None
    return ChainRestore(
        usd=float(round(restore.cost, 6)),
        transfer_usd=float(round(restore.transfer, 6)),
        wait_seconds=int(restore.wait.total_seconds()),
        bytes_by_class={name: tally.size_bytes for name, tally in sorted(stored.items())},
    )


def _loose_set(one: BackupSet, state: Loose) -> LooseSet:
    stored_at = one.sealed_at or one.changed_at
    return LooseSet(str(one.set_id), state.value, one.stored_bytes, _time_or_none(stored_at))


def let_go_row(let_go: LetGo, job: Job, now: datetime) -> LetGoRow:
    return LetGoRow(
        let_go.machine,
        let_go.job,
        str(let_go.chain),
        tuple(map(str, let_go.sets)),
        _state(let_go, now),
        format_wire_time(let_go.begun_at),
        format_wire_time(let_go.final_at),
        let_go.size_bytes,
        let_go.files,
        job.location.bucket,
        job.location.prefix,
    )


def _state(let_go: LetGo, now: datetime) -> str:
    if let_go.dropped:
        return "dropping" if let_go.marked_at is None else "gone"
    if let_go.undone_at is not None:
        return "undoing"
    if let_go.marked_at is None:
        return "going"
    return "gone" if now >= let_go.final_at else "hidden"


def named_sets(facts: RetentionFacts) -> dict[SetId, datetime | None]:
    """What the owner can name, with S3's time of each."""
    return {backup_set.set_id: backup_set.sealed_at or backup_set.changed_at for backup_set in facts.sets}
