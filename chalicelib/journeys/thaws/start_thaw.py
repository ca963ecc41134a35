"""Begins a thaw for the price that was agreed to, or has it wait for the owner."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from chalicelib.adapters.stores.recovery.recovery_store import recovery_put
from chalicelib.adapters.stores.thaw_store import AskedVolumes, NewestThaw, StoredPlan
from chalicelib.domain.audit.notices import THAW_STARTED, THAW_WAITING
from chalicelib.domain.backups.tallies import total_bytes
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.budget import (
    MAILED_FROM_USD,
    approval_needed,
    ask_the_owner,
    check_drill,
    left_usd,
    why_it_waits,
    with_thaw,
)
from chalicelib.domain.restore.limits import PLAN_LIFE
from chalicelib.domain.restore.plans import (
    Terms,
    TierOffer,
    is_dearer,
    make_offers,
    offer_of,
    stored_tallies,
)
from chalicelib.domain.restore.progress import LOOK_EVERY, ended, keeps_others_waiting, may_join
from chalicelib.domain.restore.reader_allowance import ReaderAllowance
from chalicelib.domain.restore.thaws import Thaw, ThawMonth
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
    if known is not None and _may_join(context, known, request):
        return status_of(known)
    plan = context.thaws.plan(context.job, thaw)
    if plan is None or context.now - plan.planned_at >= PLAN_LIFE:
        raise _unknown()
    found = look_at_volumes(context, plan.volumes)
    if not found.count(VolumeState.ARCHIVED):
        return _without_asking(context, thaw, known, found, plan, request)
    for _ in range(MOST_TRIES):
        started = _try_to_start(context, thaw, known, found, plan, request)
        if started is not None:
            return started
        known = context.thaws.thaw(context.machine.name, context.job.name, thaw)
        if known is not None and _may_join(context, known, request):
            return status_of(known)
    raise Refusal(ErrorCode.TRY_AGAIN, "Other thaws of this machine are being started. Try again.")


def _may_join(context: ThawContext, known: Thaw, request: ThawStart) -> bool:
    owner, for_reader = context.owner_of(known), context.reader is not None
    return known.is_under_way and may_join(known, owner, for_drill=request.drill, for_reader=for_reader)


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
    offer = _offer(found, request, context.terms(plan, month))
    allowance = context.allowance()
    new, volumes = _new_thaw(context, thaw, found, offer, allowance, request), _asked(found)
    if request.drill:
        _check_drill(known, offer, month)
    elif new.approved_at is None and not _has_approval(context, new, volumes, known, offer, month):
        return None
    newest = free_job(context, for_drill=request.drill)
    after, also = with_thaw(month, new, total_bytes(stored_tallies(found.tallies))), []
    if allowance is not None and new.approved_at is not None:
        also = [recovery_put(allowance.after(found), allowance.recovery)]
    if not context.thaws.start(new, volumes, (known, month, newest), after, also):
        return None
    if newest is not None and newest.thaw != thaw:
        _end_drill(context, newest)
    if new.usd is None or new.usd > MAILED_FROM_USD:
        _mail_start(context, new)
    context.ask(new.machine, new.job, new.id)
    return status_of(new)


def _mail_start(context: ThawContext, new: Thaw) -> None:
    price = "price not known" if new.usd is None else f"${new.usd}"
    by_code = ""
    if context.reader is not None:
        end = f"python -m ops machine revoke {new.machine} --recovery"
        by_code = f" It was begun with the recovery code: if that was not you, `{end}` ends it."
    context.notice(THAW_STARTED, new.id, f"{what(new)} was started: {price}, {new.tier.value}.{by_code}")


def _offer(found: VolumesFound, request: ThawStart, terms: Terms) -> TierOffer:
    """What was agreed to, as it is now. Raises ``Refusal``."""
    if request.drill and request.tier is not ThawTier.BULK:
        raise Refusal(ErrorCode.TIER_UNAVAILABLE, "A drill thaws by Bulk.")
    offer = offer_of(found, request.tier, terms)
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
    return offer


def _has_approval(
    context: ThawContext,
    new: Thaw,
    volumes: AskedVolumes,
    known: Thaw | None,
    offer: TierOffer,
    month: ThawMonth,
) -> bool:
    """False where somebody else changed the thaw's row. Raises ``Refusal`` for one that waits for the owner now."""
    budget = context.machine.thaw_budget_usd
    reason = approval_needed(offer, new.volumes, budget, month)
    if reason is None:
        return True
    why = why_it_waits(reason, offer, left_usd(budget, month))
    refusal = ask_the_owner(reason, new.id, why)
    waiting = dataclasses.replace(new, state=ThawState.WAITING, message=refusal.message)
    if not context.thaws.put(waiting, volumes, known):
        return False
    context.notice(THAW_WAITING, new.id, f"{what(waiting)} waits for you. {why}")
    raise refusal


def _check_drill(known: Thaw | None, offer: TierOffer, month: ThawMonth) -> None:
    """Raises ``Refusal``."""
    if known is not None and known.state is ThawState.WAITING:
        raise Refusal(
            ErrorCode.THAW_IN_PROGRESS, "A restore of these very volumes waits for the owner. Drill others."
        )
    check_drill(offer, month)


def _end_drill(context: ThawContext, newest: NewestThaw) -> None:
    """S3 goes on with what it was asked for, and the restore finds those volumes on their way, or readable."""
    other = context.thaws.thaw(context.machine.name, context.job.name, newest.thaw)
    if other is not None and other.is_drill and other.is_under_way:
        context.thaws.change(ended(other, "A restore went before this drill."), other)


def free_job(context: ThawContext, *, for_drill: bool) -> NewestThaw | None:
    """The thaw that its job started last. Raises ``Refusal`` while S3 is at work for it."""
    newest = context.thaws.newest(context.machine.name, context.job.name)
    if newest is None:
        return None
    other = context.thaws.thaw(context.machine.name, context.job.name, newest.thaw)
    if other is not None and keeps_others_waiting(
        other,
        context.owner_of(other),
        context.now,
        for_drill=for_drill,
        for_reader=context.reader is not None,
    ):
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


def _new_thaw(
    context: ThawContext,
    thaw: str,
    found: VolumesFound,
    offer: TierOffer,
    allowance: ReaderAllowance | None,
    request: ThawStart,
) -> Thaw:
    """Approved already where a recovery code covers it."""
    archived = found.tallies[VolumeState.ARCHIVED]
    is_covered = allowance is not None and not request.drill and allowance.covers(offer, found)
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
        is_drill=request.drill,
        approved_at=context.now if is_covered else None,
        code_made_at=allowance.recovery.made_at if allowance else None,
    )


def _without_asking(
    context: ThawContext,
    thaw: str,
    known: Thaw | None,
    found: VolumesFound,
    plan: StoredPlan,
    request: ThawStart,
) -> ThawStatus:
    """Everything can be read, or S3 is at work on it for somebody else: there is nothing to pay for."""
    thawing = found.count(VolumeState.THAWING)
    if (
        known is not None
        and known.state is ThawState.READY
        and not thawing
        and (request.drill or not known.is_drill)
    ):
        return status_of(known)
    month = context.thaws.month(context.machine.name, context.now)
    recovery = context.recovery()
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
        is_drill=request.drill,
        code_made_at=recovery.made_at if recovery else None,
    )
    context.thaws.put(new, _asked(found), known)
    return status_of(new)
