"""The owner approves a thaw that waits, or declines it."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.budget import with_thaw
from chalicelib.domain.restore.progress import as_of, ended
from chalicelib.domain.restore.thaws import AskForThaw, Thaw
from chalicelib.journeys.thaws.thaw_context import owner_now
from chalicelib.wire import ErrorCode, ThawState

MOST_TRIES = 5

DECLINED = "The owner declined it."


@dataclasses.dataclass(frozen=True)
class DecisionContext:
    machines: MachineStore
    recoveries: RecoveryStore
    thaws: ThawStore
    catalogue: CatalogueStore
    ask: AskForThaw
    now: datetime


def approve_thaw(context: DecisionContext, thaw: str) -> Thaw:
    """Starts it at the price that it waits with, whatever the machine's budget. Approving twice is approving once.

    It takes its job from another thaw that S3 is at work for, which goes on all the same. Raises ``Refusal``.
    """
    for _ in range(MOST_TRIES):
        known = _known(context, thaw)
        if known.approved_at is not None and known.state is not ThawState.WAITING:
            return known
        _check_waits(context, known)
        _check_not_hidden(context, known)
        started = _started(known, context.now)
        month = context.thaws.month(known.machine, context.now)
        before = known, month, context.thaws.newest(known.machine, known.job)
        if context.thaws.start(started, None, before, with_thaw(month, started, started.size_bytes)):
            context.ask(known.machine, known.job, thaw)
            return started
    raise Refusal(ErrorCode.TRY_AGAIN, "Other thaws of this machine are being started. Try again.")


def deny_thaw(context: DecisionContext, thaw: str) -> Thaw:
    """Ends one that waits. Raises ``Refusal``."""
    known = _known(context, thaw)
    if known.state is ThawState.ENDED and known.message == DECLINED:
        return known
    _check_waits(context, known)
    declined = ended(known, DECLINED)
    if not context.thaws.change(declined, known):
        raise Refusal(ErrorCode.TRY_AGAIN, "This thaw was decided on in this moment: python -m ops thaw list")
    return declined


def _known(context: DecisionContext, thaw: str) -> Thaw:
    found = [one for one in context.thaws.thaws() if one.id == thaw]
    if not found:
        raise Refusal(ErrorCode.UNKNOWN_THAW, f"There is no thaw {thaw}: python -m ops thaw list shows all.")
    return found[0]


def _check_waits(context: DecisionContext, known: Thaw) -> None:
    names = known.machine, known.job
    machine, job = context.machines.machine(known.machine), context.machines.jobs_named([names]).get(names)
    now_as = as_of(known, owner_now(context.recoveries, known, machine, job), context.now)
    if now_as.state is not ThawState.WAITING:
        reason = now_as.message or "Nothing has to be approved."
        raise Refusal(
            ErrorCode.UNKNOWN_THAW, f"Thaw {known.id} does not wait, it is {now_as.state.value}. {reason}"
        )


def _check_not_hidden(context: DecisionContext, known: Thaw) -> None:
    """S3 is asked for nothing that a restore may not read: the owner would pay for half of it, or for none."""
    job = context.machines.jobs_named([(known.machine, known.job)])[known.machine, known.job]
    hidden = context.catalogue.hidden(job)
    gone = sorted(str(one) for one in context.thaws.volumes(known).asked if one in hidden)
    if gone:
        raise Refusal(
            ErrorCode.PLAN_CHANGED,
            f"{gone[0]} of {known.machine}/{known.job}, which thaw {known.id} wants, was let go or hidden since:"
            f" nothing restores from it. `python -m ops thaw deny {known.id}` ends this one; plan the restore again.",
        )


def _started(known: Thaw, now: datetime) -> Thaw:
    """With the times that it would have had, had it been started now."""
    later = now - known.started_at
    return dataclasses.replace(
        known,
        state=ThawState.ASKING,
        started_at=now,
        approved_at=now,
        code_made_at=None,
        ready_by=known.ready_by + later,
        next_look_at=known.next_look_at and known.next_look_at + later,
        message="",
    )
