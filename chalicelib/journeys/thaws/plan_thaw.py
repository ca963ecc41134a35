"""Says what bringing volumes back costs and takes, by each tier; nothing is asked of S3 but a listing."""

from __future__ import annotations

from chalicelib.adapters.stores.thaw_store import StoredPlan
from chalicelib.domain.backups.tallies import total_bytes
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.budget import approval_needed, left_usd
from chalicelib.domain.restore.limits import PLAN_LIFE, plans_a_day
from chalicelib.domain.restore.plans import (
    TierOffer,
    make_offers,
    storage_usd,
    stored_tallies,
    transfer_price,
)
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.domain.restore.volumes import (
    VolumesFound,
    VolumeState,
    missing_names,
    read_volumes,
    thaw_id,
)
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.journeys.thaws.thaw_context import ThawContext, look_at_volumes
from chalicelib.wire import ErrorCode, ThawOffer, ThawPlan, ThawRequest, ThawState


def plan_thaw(context: ThawContext, request: ThawRequest) -> ThawPlan:
    """The same volumes have the same id, so that a plan that was made before, or begun, is found again."""
    volumes, now = read_volumes(request.volumes), context.now
    thaw = thaw_id(context.machine.name, context.job.name, volumes)
    _count(context, thaw)
    found = look_at_volumes(context, volumes)
    plan = StoredPlan(volumes, request.line_bytes_a_second, now)
    context.thaws.put_plan(context.job, thaw, plan)
    month = context.thaws.month(context.machine.name, now)
    archived, budget = found.count(VolumeState.ARCHIVED), context.machine.thaw_budget_usd
    allowance = context.allowance()

    def waits(offer: TierOffer) -> bool:
        is_covered = allowance is not None and allowance.covers(offer, found)
        return not is_covered and approval_needed(offer, archived, budget, month) is not None

    terms = context.terms(plan, month)
    offers = tuple(_answer(offer, needs_approval=waits(offer)) for offer in make_offers(found, terms))
    stored = stored_tallies(found.tallies)
    month_usd = storage_usd(stored, context.prices)
    return ThawPlan(
        thaw=thaw,
        state=_state(context.thaws.thaw(context.machine.name, context.job.name, thaw), found),
        bytes=total_bytes(stored),
        archived_bytes=total_bytes(found.tallies[VolumeState.ARCHIVED]),
        archived=archived,
        thawing=found.count(VolumeState.THAWING),
        readable=found.count(VolumeState.READABLE),
        missing=missing_names(found.missing),
        tiers=offers,
        needs_approval=all(offer.needs_approval for offer in offers),
        left_usd=float(left_usd(budget, month)),
        month_usd=float(month_usd) if month_usd is not None else None,
        transfer=transfer_price(terms),
    )


def _count(context: ThawContext, thaw: str) -> None:
    """A plan made again within its life is no new one: a client that comes back asks for it each time."""
    known = context.thaws.plan(context.job, thaw)
    if known is not None and context.now - known.planned_at < PLAN_LIFE:
        return
    most = plans_a_day(context.machines.jobs(context.machine.name))
    if not context.thaws.count_plan(context.machine, context.now, most, by_reader=context.reader is not None):
        raise Refusal(
            ErrorCode.THAW_CAP,
            f"{context.machine.name} has made {most} plans today, as many as it may. "
            "The next day begins at midnight UTC.",
        )


def _state(known: Thaw | None, found: VolumesFound) -> ThawState:
    """One that is over, or whose copies have lapsed, is as good as one that was never started."""
    if known is None or known.state in (ThawState.LAPSED, ThawState.ENDED):
        return ThawState.PLANNED
    if known.state is ThawState.READY and found.count(VolumeState.ARCHIVED):
        return ThawState.PLANNED
    return known.state


def _answer(offer: TierOffer, *, needs_approval: bool) -> ThawOffer:
    return ThawOffer(
        ready_by=format_wire_time(offer.ready_by),
        tier=offer.tier,
        usd=None if offer.usd is None else float(offer.usd),
        transfer_usd=None if offer.transfer_usd is None else float(offer.transfer_usd),
        readable_until=format_wire_time(offer.readable_until) if offer.readable_until else None,
        needs_approval=needs_approval,
    )
