"""The state of a fleet as people read it: a headline, the machines, the worst first, and what to type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from chalicelib.domain.backups.freshness import WORST_FIRST, State
from chalicelib.domain.fleet.verdict import EXIT_CODES, THAW_WAITING, FleetVerdict, Reason
from chalicelib.domain.mail.phrases import count
from chalicelib.domain.mail.report_parts import AT_RISK
from chalicelib.domain.shown import all_shown
from chalicelib.fleet_wire import FleetStatus, MachineState
from chalicelib.owner_wire import moment_of
from ops.commands.arguments.machine_cells import (
    age_shown,
    joined,
    machine_table,
    month_shown,
    size_shown,
)
from ops.commands.arguments.options import typed

COLOURS = {FleetVerdict.BAD: "red", FleetVerdict.LOOK: "yellow", FleetVerdict.WELL: "green"}

WELL_SHOWN = 10
"""Machines that are well, before they are only counted."""

NEED_SHOWN = 50
REASONS_SHOWN = 25

_ORDER = {state.value: number for number, state in enumerate(WORST_FIRST)}


def show_status(
    answer: FleetStatus, *, stage: str, every: bool, columns: int, fold: bool = False
) -> RenderableType:
    """``every``: nothing is only counted. ``fold``: no line is longer than ``columns``."""
    answer = all_shown(answer)
    now = moment_of(answer.written_at)
    parts: list[RenderableType] = [_headline(answer)]
    if not answer.machines:
        parts.append(Text(f"No machine yet: {typed('machine add NAME', stage)} adds one."))
    parts += _machines(answer, now, every, columns)
    return Group(*parts, *_reasons(answer, every, fold))


def headline(answer: FleetStatus) -> str:
    """``BAD: of 40 machines 2 need you and 3 want a look.``"""
    total = count(len(answer.machines), "machine")
    verdicts = Counter(machine.verdict for machine in answer.machines)
    bad, look = verdicts[FleetVerdict.BAD], verdicts[FleetVerdict.LOOK]
    counted = [
        f"{bad:,} {'needs' if bad == 1 else 'need'} you" if bad else "",
        f"{look:,} {'wants' if look == 1 else 'want'} a look" if look else "",
    ]
    if bad or look:
        said = f"of {total} {' and '.join(filter(None, counted))}"
    else:
        said = f"{total}, {'nothing is wrong' if answer.verdict is FleetVerdict.WELL else 'all well'}"
    if any(not reason.machine for reason in answer.reasons):
        said += "; something is wrong with a bucket"
    return f"{answer.verdict.value.upper()}: {said}."


def _headline(answer: FleetStatus) -> Text:
    return Text(headline(answer), style=f"bold {COLOURS[answer.verdict]}")


def worst_first(machines: Sequence[MachineState]) -> list[MachineState]:
    return sorted(machines, key=lambda one: (-EXIT_CODES[one.verdict], _ORDER.get(one.state, 0), one.machine))


# ---------------------------------------------------------------- machines


def _machines(answer: FleetStatus, now: datetime, every: bool, columns: int) -> list[RenderableType]:
    ordered = worst_first(answer.machines)
    need = [one for one in ordered if one.verdict is not FleetVerdict.WELL]
    well = [one for one in ordered if one.verdict is FleetVerdict.WELL]
    listed_need = need if every else need[:NEED_SHOWN]
    listed_well = well if every or len(well) <= WELL_SHOWN else []
    rows = [
        (
            one.machine,
            (
                Text(state_label(one), style=COLOURS[one.verdict]),
                age_shown(one.looked_at, now),
                size_shown(one.stored_bytes),
                month_shown(one.monthly),
            ),
            joined(one.group, one.owner_mail),
        )
        for one in [*listed_need, *listed_well]
    ]
    parts: list[RenderableType] = [Text()] if answer.machines else []
    if rows:
        parts.append(machine_table(rows, "group, owner", columns))
    left_off = [
        f"{len(need) - len(listed_need):,} more that need a look" if len(need) > len(listed_need) else "",
        f"{count(len(well), 'machine')} well ({_states(well)})" if well and not listed_well else "",
    ]
    said = " and ".join(filter(None, left_off))
    return [*parts, Text(f"{'and ' if rows else ''}{said}: --all shows them.")] if said else parts


def state_label(machine: MachineState) -> str:
    """The word for how it is: a state, or what stands above it."""
    if machine.status in ("not enrolled yet", "revoked", "dropping"):
        return machine.status
    bad = machine.verdict is FleetVerdict.BAD and machine.state != State.OVERDUE.value
    return AT_RISK if bad else machine.state


def _states(machines: Sequence[MachineState]) -> str:
    counts = Counter(machine.state for machine in machines)
    return ", ".join(f"{number:,} {state}" for state, number in counts.most_common())


# ---------------------------------------------------------------- what to do


def _reasons(answer: FleetStatus, every: bool, fold: bool) -> list[RenderableType]:
    """Those that name no thaw, which come last, and always all of them."""
    reasons = [one for one in answer.reasons if one.code != THAW_WAITING]
    listed = reasons if every else reasons[:REASONS_SHOWN]
    parts = [line for one in listed for line in _lines_of(one, fold)]
    if len(listed) < len(reasons):
        parts += [Text(), Text(f"and {count(len(reasons) - len(listed), 'more reason')}: --all shows them.")]
    waiting = [one for one in answer.reasons if one.code == THAW_WAITING]
    return parts + [line for one in waiting for line in _lines_of(one, fold)]


def _lines_of(reason: Reason, fold: bool) -> Iterator[RenderableType]:
    about = "/".join(filter(None, (reason.machine, reason.job))) or "a bucket"
    yield Text()
    yield Text.assemble((about, f"bold {COLOURS[reason.verdict]}"), ": ", reason.message, overflow="fold")
    for line in reason.commands:
        where = f"on {reason.machine}: " if line.startswith("panicroom ") else ""
        # Whole, to be copied. In one place of the terminal a line must not be wider than that.
        yield Text(f"  {where}{line}", overflow="fold" if fold else "ignore")
