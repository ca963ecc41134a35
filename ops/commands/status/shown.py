"""The state of a fleet as people read it: a headline, the machines, the worst first, and what to type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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

ALIKE_SHOWN = 3
"""Machines of which the same is said one by one; of more it is said together, and so many are named."""

ON_MACHINES = "panicroom "
"""How a command begins that is typed on the machine itself."""

FOR_OTHERS = "and the same for each of the others"

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
        text = f"of {total} {' and '.join(filter(None, counted))}"
    else:
        text = f"{total}, {'nothing is wrong' if answer.verdict is FleetVerdict.WELL else 'all well'}"
    if any(not reason.machine for reason in answer.reasons):
        text += "; something is wrong with a bucket"
    return f"{answer.verdict.value.upper()}: {text}."


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
    more = " and ".join(filter(None, left_off))
    return [*parts, Text(f"{'and ' if rows else ''}{more}: --all shows them.")] if more else parts


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
    reasons = alike_reasons(one for one in answer.reasons if one.code != THAW_WAITING)
    listed = reasons if every else reasons[:REASONS_SHOWN]
    parts = [line for alike in listed for line in _lines_of(alike, every, fold)]
    left_off = sum(map(len, reasons[len(listed) :]))
    if left_off:
        parts += [Text(), Text(f"and {count(left_off, 'more reason')}: --all shows them.")]
    waiting = [one for one in answer.reasons if one.code == THAW_WAITING]
    return parts + [line for one in waiting for line in _lines_of([one], every, fold)]


def alike_reasons(reasons: Iterable[Reason]) -> list[list[Reason]]:
    """Those that say the same of many machines together, and each other one alone."""
    together: dict[object, list[Reason]] = {}
    for one in reasons:
        # The name of the machine is a word of a command, or is in none.
        words = [[word for word in line.split() if word != one.machine] for line in one.commands]
        together.setdefault((one.verdict, one.message, str(words)), []).append(one)
    return [
        some
        for alike in together.values()
        for some in ([alike] if len(alike) > ALIKE_SHOWN else [[one] for one in alike])
    ]


def _lines_of(alike: Sequence[Reason], every: bool, fold: bool) -> Iterator[RenderableType]:
    first, *others = alike
    yield Text()
    yield Text.assemble(
        (about_all(alike, every=every), f"bold {COLOURS[first.verdict]}"),
        ": ",
        first.message,
        overflow="fold",
    )
    for line in first.commands:
        on_it = f"on {'each' if others else first.machine}: " if line.startswith(ON_MACHINES) else ""
        # Whole, to be copied. In one place of the terminal a line must not be wider than that.
        yield Text(f"  {on_it}{line}", overflow="fold" if fold else "ignore")
    if others and not is_typed_there(first):
        yield Text(f"  {FOR_OTHERS}")


def is_typed_there(reason: Reason) -> bool:
    """Whether something is to be typed on the machine itself."""
    return any(line.startswith(ON_MACHINES) for line in reason.commands)


def about_all(alike: Sequence[Reason], *, every: bool) -> str:
    names = ["/".join(filter(None, (one.machine, one.job))) or "a bucket" for one in alike]
    if len(alike) == 1:
        return names[0]
    named = names if every else names[:ALIKE_SHOWN]
    more = f" and {len(names) - len(named):,} more" if len(names) > len(named) else ""
    return f"{', '.join(named)}{more}, each"
