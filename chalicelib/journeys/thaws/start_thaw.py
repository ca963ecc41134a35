"""Begins a thaw for the price that was agreed to, or has it wait for the owner."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from chalicelib.adapters.stores.thaw_store import AskedVolumes, NewestThaw, StoredPlan
from chalicelib.domain.audit.notices import THAW_STARTED, THAW_WAITING
from chalicelib.domain.backups.tallies import total_bytes
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.budget import (
    MAILED_FROM_USD,
    approval_needed,
    ask_the_owner,
    left_usd,
    why_it_waits,
    with_thaw,
)
from chalicelib.domain.restore.limits import PLAN_LIFE
from chalicelib.domain.restore.plans import (
    TierOffer,
    is_dearer,
    make_offers,
    offer_of,
    stored_tallies,
)
from chalicelib.domain.restore.progress import LOOK_EVERY, keeps_others_waiting
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.domain.restore.volumes import VolumesFound, VolumeState, check_length, is_thaw_id
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.journeys.thaws.thaw_context import ThawContext, look_at_volumes, status_of, what
from chalicelib.wire import ErrorCode, ThawStart, ThawState, ThawStatus, ThawTier

MOST_TRIES = 5


def start_thaw(context: ThawContext, thaw: str, request: ThawStart) -> ThawStatus:
    """Starting twice is one start. Raises ``Refusal``."""
    if not is_thaw_id(thaw):
        raise _unknown()
    known = context.thaws.thaw(context.machine.name, context.job.name, thaw)
    if known is not None and known.is_under_way:
        return status_of(known)
    plan = context.thaws.plan(context.job, thaw)
    if plan is None or context.now - plan.planned_at >= PLAN_LIFE:
        raise _unknown()
    found = look_at_volumes(context, plan.volumes)
    if not found.count(VolumeState.ARCHIVED):
        return _without_asking(context, thaw, known, found, plan)
    for _ in range(MOST_TRIES):
        started = _try_to_start(context, thaw, known, found, plan, request)
        if started is not None:
            return started
        known = context.thaws.thaw(context.machine.name, context.job.name, thaw)
        if known is not None and known.is_under_way:
            return status_of(known)
    raise Refusal(ErrorCode.TRY_AGAIN, "Other thaws of this machine are being started. Try again.")


def _unknown() -> Refusal:
    return Refusal(
        ErrorCode.UNKNOWN_THAW, "There is no such plan, or it is over a day old. Plan the restore again."
    )


def _try_to_start(
    context: ThawContext,
    thaw: str,
    known: Thaw | None,
    found: VolumesFound,
    plan: StoredPlan,
    request: ThawStart,
) -> ThawStatus | None:
    """``None`` where somebody else changed what this was decided by. Raises ``Refusal``."""
    month = context.thaws.month(context.machine.name, context.now)
    offer = offer_of(found, request.tier, context.terms(plan, month))
    if offer is None:
        raise Refusal(
            ErrorCode.TIER_UNAVAILABLE,
            f"These volumes' storage classes have no {request.tier.value} retrieval. Choose another tier.",
        )
    if offer.usd is not None and is_dearer(offer.usd, _money(request.max_usd)):
        raise Refusal(
            ErrorCode.PLAN_CHANGED,
            f"This thaw costs ${offer.usd} now, more than was agreed to. Plan it again.",
        )
    archived, budget = found.count(VolumeState.ARCHIVED), context.machine.thaw_budget_usd
    new, volumes = _new_thaw(context, thaw, found, offer), _asked(found)
    reason = approval_needed(offer, archived, budget, month)
    if reason is not None:
        why = why_it_waits(reason, offer, left_usd(budget, month))
        refusal = ask_the_owner(reason, thaw, why)
        waiting = dataclasses.replace(new, state=ThawState.WAITING, message=refusal.message)
        if not context.thaws.put(waiting, volumes, known):
            return None
        context.notice(THAW_WAITING, thaw, f"{what(waiting)} waits for you. {why}")
        raise refusal
    newest = free_job(context)
    after = with_thaw(month, new, total_bytes(stored_tallies(found.tallies)))
    if not context.thaws.start(new, volumes, (known, month, newest), after):
        return None
    if new.usd is not None and new.usd > MAILED_FROM_USD:
        context.notice(THAW_STARTED, thaw, f"{what(new)} was started: ${new.usd}, {new.tier.value}.")
    context.ask(new.machine, new.job, new.id)
    return status_of(new)


def free_job(context: ThawContext) -> NewestThaw | None:
    """The thaw that its job started last. Raises ``Refusal`` while S3 is at work for it."""
    newest = context.thaws.newest(context.machine.name, context.job.name)
    if newest is None:
        return None
    other = context.thaws.thaw(context.machine.name, context.job.name, newest.thaw)
    if other is not None and keeps_others_waiting(other, context.machine, context.now):
        raise Refusal(
            ErrorCode.THAW_IN_PROGRESS,
            f"S3 is at work for another restore of {context.job.name} (thaw {other.id}), until "
            f"{format_wire_time(other.ready_by)} at the latest. Start this one after it.",
        )
    return newest


def _money(usd: float) -> Decimal:
    return Decimal(str(usd))


def _asked(found: VolumesFound) -> AskedVolumes:
    asked, others = found.volumes(VolumeState.ARCHIVED), found.volumes(VolumeState.THAWING)
    check_length(asked, others)
    return AskedVolumes(asked, others)


def _new_thaw(context: ThawContext, thaw: str, found: VolumesFound, offer: TierOffer) -> Thaw:
    archived = found.tallies[VolumeState.ARCHIVED]
    assert offer.tier is not None
    return Thaw(
        machine=context.machine.name,
        job=context.job.name,
        id=thaw,
        state=ThawState.ASKING,
        tier=offer.tier,
        started_at=context.now,
        volumes=found.count(VolumeState.ARCHIVED),
        size_bytes=total_bytes(archived),
        days=offer.days,
        ready_by=offer.ready_by,
        usd=offer.usd,
        transfer_usd=offer.transfer_usd,
        next_look_at=offer.first_look_at,
    )


def _without_asking(
    context: ThawContext, thaw: str, known: Thaw | None, found: VolumesFound, plan: StoredPlan
) -> ThawStatus:
    """Everything can be read, or S3 is at work on it for somebody else: there is nothing to pay for."""
    thawing = found.count(VolumeState.THAWING)
    if known is not None and known.state is ThawState.READY and not thawing:
        return status_of(known)
    month = context.thaws.month(context.machine.name, context.now)
    [offer] = make_offers(found, context.terms(plan, month))
    new = Thaw(
        machine=context.machine.name,
        job=context.job.name,
        id=thaw,
        state=ThawState.THAWING if thawing else ThawState.READY,
        tier=ThawTier.BULK,
        started_at=context.now,
        volumes=0,
        size_bytes=0,
        days=offer.days,
        ready_by=offer.ready_by,
        usd=Decimal(0),
        transfer_usd=Decimal(0),
        readable_until=found.readable_until,
        next_look_at=context.now + LOOK_EVERY if thawing else None,
    )
    context.thaws.put(new, _asked(found), known)
    return status_of(new)
