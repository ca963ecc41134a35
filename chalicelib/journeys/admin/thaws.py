"""The owner's commands about thaws: list them, approve or decline one that waits."""

from __future__ import annotations

from chalicelib.domain.restore.thaws import Thaw
from chalicelib.journeys.admin.request import AdminContext, Arguments, bad_request, time_or_none
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.journeys.gather_thaws import thaws_as_of
from chalicelib.journeys.thaws.decide_thaw import DecisionContext, approve_thaw, deny_thaw
from chalicelib.owner_wire import ThawBudget, ThawListing, ThawRow
from chalicelib.wire import ThawState


def thaws(context: AdminContext, _: Arguments) -> ThawListing:
    """All thaws of the last two months."""
    machines = {machine.name: machine for machine in context.machines.machines()}
    known = thaws_as_of(context.thaws, context.machines, context.recoveries, context.now)
    known.sort(key=lambda thaw: thaw.started_at, reverse=True)
    known.sort(key=lambda thaw: thaw.state is not ThawState.WAITING)  # stable: the newest first within each
    months = context.thaws.months(list(machines), context.now)
    budgets = tuple(
        ThawBudget(
            name,
            float(machine.thaw_budget_usd),
            float(months[name].reserved),
            float(months[name].approved),
            float(months[name].drilled),
        )
        for name, machine in sorted(machines.items())
    )
    return ThawListing(tuple(map(thaw_row, known)), budgets)


def thaw_approve(context: AdminContext, request: Arguments) -> ThawRow:
    """Starts a thaw that waits, named by its id."""
    return thaw_row(approve_thaw(_decision(context), _named(request)))


def thaw_deny(context: AdminContext, request: Arguments) -> ThawRow:
    """Ends a thaw that waits, named by its id."""
    return thaw_row(deny_thaw(_decision(context), _named(request)))


def _decision(context: AdminContext) -> DecisionContext:
    return DecisionContext(
        context.machines,
        context.recoveries,
        context.thaws,
        context.catalogue,
        context.ask_for_thaw,
        context.now,
    )


def _named(request: Arguments) -> str:
    thaw = request.get("thaw")
    if not isinstance(thaw, str):
        raise bad_request("Name the thaw by its id: python -m ops thaw list shows it.")
    return thaw


def thaw_row(thaw: Thaw) -> ThawRow:
    return ThawRow(
        thaw=thaw.id,
        machine=thaw.machine,
        job=thaw.job,
        state=thaw.state,
        tier=thaw.tier,
        volumes=thaw.volumes,
        bytes=thaw.size_bytes,
        done=thaw.done,
        days=thaw.days,
        started_at=format_wire_time(thaw.started_at),
        ready_by=format_wire_time(thaw.ready_by),
        downloaded_bytes=thaw.downloaded_bytes,
        usd=float(thaw.usd) if thaw.usd is not None else None,
        transfer_usd=float(thaw.transfer_usd) if thaw.transfer_usd is not None else None,
        readable_until=time_or_none(thaw.readable_until),
        approved_at=time_or_none(thaw.approved_at),
        message=thaw.message or None,
    )
