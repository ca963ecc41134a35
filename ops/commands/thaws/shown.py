"""What the commands about thaws print: a few short lines each, for a terminal of sixty columns."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from chalicelib.domain.mail.phrases import count, format_bytes, format_small_money
from chalicelib.domain.restore.thaw_section import OPEN
from chalicelib.domain.restore.thaws import UNDER_WAY
from chalicelib.owner_wire import ThawBudget, ThawListing, ThawRow, moment_of
from chalicelib.wire import ThawState
from ops.commands.arguments.options import console, say, typed

OTHERS_SHOWN = 10
"""Of those that are over; ``--json`` has all of the last two months."""


def show_listing(listing: ThawListing, stage: str) -> None:
    open_ones = [row for row in listing.thaws if row.state in OPEN]
    over = [row for row in listing.thaws if row.state not in OPEN]
    if not listing.thaws:
        say("No thaw in the last two months.")
    for row in [*open_ones, *over[:OTHERS_SHOWN]]:
        for line in lines_of(row):
            say(line)
        if row.state is ThawState.WAITING:
            console.print(f"  {typed(f'thaw approve {row.thaw}', stage)}", markup=False)
        console.print()
    if len(over) > OTHERS_SHOWN:
        say(f"and {len(over) - OTHERS_SHOWN} more that are over: --json has them.")
    for line in _budget_lines(listing):
        say(line)


def lines_of(row: ThawRow) -> Sequence[str]:
    """What it is, its price, and until when."""
    return [
        f"{row.machine}/{row.job}: {state_words(row)}",
        f"  thaw {row.thaw}",
        f"  {format_bytes(row.bytes)} in {count(row.volumes, 'volume')} by {row.tier.value}",
        f"  {price_of(row)}",
        f"  {_times(row)}",
        *([f"  {row.message}"] if row.message and row.state is not ThawState.WAITING else []),
    ]


def price_of(row: ThawRow) -> str:
    """``$9.12, $4.50 of it for leaving AWS``."""
    if row.usd is None:
        return "the price is not known"
    leaving = f", {_money(row.transfer_usd)} of it for leaving AWS" if row.transfer_usd else ""
    return f"{_money(row.usd)}{leaving}"


def _money(usd: float) -> str:
    return format_small_money(Decimal(str(usd)))


def time_shown(text: str | None) -> str:
    """A time of the wire, to the minute."""
    if text is None:
        return "an unknown time"
    return f"{moment_of(text):%Y-%m-%d %H:%M} UTC"


_STATES = {
    ThawState.WAITING: "waits for your approval",
    ThawState.ASKING: "S3 is being asked",
    ThawState.READY: "can be downloaded",
    ThawState.LAPSED: "its copies have lapsed",
    ThawState.ENDED: "over",
}


def state_words(row: ThawRow) -> str:
    """The end of a line about it: ``thawing, 3 of 40 can be read``."""
    if row.state is ThawState.THAWING:
        return f"thawing, {row.done:,} of {row.volumes:,} can be read"
    return _STATES.get(row.state, str(row.state.value))


def _times(row: ThawRow) -> str:
    if row.state is ThawState.WAITING:
        return f"asked for at {time_shown(row.started_at)}, copies for {count(row.days, 'day')}"
    if row.state in UNDER_WAY:
        return f"ready by {time_shown(row.ready_by)}"
    downloaded = f"{format_bytes(row.downloaded_bytes)} downloaded"
    if row.readable_until is None:
        return f"begun at {time_shown(row.started_at)}, {downloaded}"
    return f"until {time_shown(row.readable_until)}, {downloaded}"


def _budget_lines(listing: ThawListing) -> Sequence[str]:
    """Of the machines that had a thaw."""
    names = {row.machine for row in listing.thaws}
    budgets = [budget for budget in listing.budgets if budget.machine in names]
    return ["Budgets for thaws, this month:", *map(_budget_line, budgets)] if budgets else []


def _budget_line(budget: ThawBudget) -> str:
    approved = (
        f", and {_money(budget.approved_usd)} approved by you or by a recovery code"
        if budget.approved_usd
        else ""
    )
    drills = f", and {_money(budget.drills_usd)} for drills" if budget.drills_usd else ""
    return (
        f"  {budget.machine}: {_money(budget.reserved_usd)} of {_money(budget.budget_usd)}{approved}{drills}"
    )
