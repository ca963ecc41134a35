"""The part of the weekly mail that is about thaws, as texts ready to be shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal

from chalicelib.domain.audit.findings import at_stage
from chalicelib.domain.mail.cost_parts import Bar
from chalicelib.domain.mail.phrases import count, format_bytes, format_moment, format_small_money
from chalicelib.domain.mail.report_parts import PricedLine, ThawSection
from chalicelib.domain.restore.thaws import Thaw, ThawMonth
from chalicelib.wire import ThawState

THAWS_SHOWN = 10

_ORDER = (
    ThawState.WAITING,
    ThawState.ASKING,
    ThawState.THAWING,
    ThawState.READY,
    ThawState.LAPSED,
    ThawState.ENDED,
)
OPEN = frozenset(_ORDER[:4])


def recent_thaws(thaws: Iterable[Thaw], since: datetime, now: datetime) -> list[Thaw]:
    """Those that are open, and those of which anything happened since: what waits for the owner first. Drills have a
    section of their own."""
    restores = (thaw for thaw in thaws if not thaw.is_drill)
    recent = [thaw for thaw in restores if thaw.state in OPEN or _last_change(thaw, now) >= since]
    return sorted(recent, key=lambda thaw: (_ORDER.index(thaw.state), thaw.started_at))


def _last_change(thaw: Thaw, now: datetime) -> datetime:
    moments = (thaw.approved_at, thaw.last_download_at, thaw.readable_until)
    return max([thaw.started_at, *(moment for moment in moments if moment is not None and moment <= now)])


def describe_thaws(
    recent: Sequence[Thaw],
    months: Mapping[str, ThawMonth],
    budgets: Mapping[str, Decimal],
    *,
    zone: tzinfo,
    stage: str,
) -> ThawSection | None:
    """``months`` and ``budgets`` by machine; None where there is nothing to say."""
    if not recent:
        return None
    more = len(recent) - THAWS_SHOWN
    (listing,) = at_stage(["python -m ops thaw list"], stage)
    return ThawSection(
        lines=tuple(_line(thaw, zone, stage) for thaw in recent[:THAWS_SHOWN]),
        more=f"and {count(more, 'more thaw')}: {listing}" if more > 0 else "",
        budgets=_budgets(recent, months, budgets),
        approved=_approved(recent, months),
        waiting=any(thaw.state is ThawState.WAITING for thaw in recent),
    )


def _line(thaw: Thaw, zone: tzinfo, stage: str) -> PricedLine:
    approve = at_stage([f"python -m ops thaw approve {thaw.id}"], stage)
    price = "price not known" if thaw.usd is None else format_small_money(thaw.usd)
    what = f"{format_bytes(thaw.size_bytes)} in {count(thaw.volumes, 'volume')}, {thaw.tier.value}"
    command = approve[0] if thaw.state is ThawState.WAITING else ""
    return PricedLine(thaw.machine, thaw.job, price, what, _note(thaw, zone), command)


def _note(thaw: Thaw, zone: tzinfo) -> str:
    until = thaw.readable_until
    downloaded = f"{format_bytes(thaw.downloaded_bytes)} of it downloaded"
    if thaw.state is ThawState.WAITING:
        return f"Waits for your approval since {format_moment(thaw.started_at, zone)}."
    if thaw.state in (ThawState.ASKING, ThawState.THAWING):
        return f"{thaw.done:,} of {thaw.volumes:,} can be read; all of them by {format_moment(thaw.ready_by, zone)}."
    if thaw.state is ThawState.READY and until is not None:
        return f"Can be downloaded until {format_moment(until, zone)}; {downloaded}."
    if thaw.state is ThawState.LAPSED and until is not None:
        return f"Its copies lapsed on {format_moment(until, zone)}; {downloaded}."
    return f"Over; {downloaded}. {thaw.message}".strip()


def _budgets(
    recent: Sequence[Thaw], months: Mapping[str, ThawMonth], budgets: Mapping[str, Decimal]
) -> tuple[Bar, ...]:
    machines = [name for name in _machines(recent) if name in budgets]
    return tuple(
        _budget_bar(name, months.get(name, ThawMonth()), budgets[name]) for name in machines[:THAWS_SHOWN]
    )


def _budget_bar(machine: str, month: ThawMonth, budget: Decimal) -> Bar:
    left = max(Decimal(0), budget - month.reserved)
    value = f"{format_small_money(month.reserved)} of {format_small_money(budget)}, {format_small_money(left)} left"
    percent = int(month.reserved * 100 / budget) if budget else 0
    return Bar(machine, value, min(100, percent))


def _approved(recent: Sequence[Thaw], months: Mapping[str, ThawMonth]) -> str:
    """What the owner approved does not count against the budgets."""
    sums = [(name, months.get(name, ThawMonth()).approved) for name in _machines(recent)]
    named = ", ".join(f"{name} {format_small_money(approved)}" for name, approved in sums if approved)
    return f"Approved by you, beyond the budget: {named}." if named else ""


def _machines(recent: Sequence[Thaw]) -> list[str]:
    return list(dict.fromkeys(thaw.machine for thaw in recent))
