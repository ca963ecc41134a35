"""What the page says of each machine, the worst first, and of each group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import tzinfo

from chalicelib.domain.backups.freshness import WORST_FIRST
from chalicelib.domain.fleet.verdict import Reason, worst_verdict
from chalicelib.domain.mail.phrases import count, format_bytes
from chalicelib.fleet_wire import FleetStatus, FleetWeeks, MachineState
from chalicelib.owner_wire import moment_of
from ops.commands.arguments.machine_cells import age_shown, month_shown
from ops.commands.retention.words import day
from ops.commands.status.shown import (
    FOR_OTHERS,
    about_all,
    headline,
    is_typed_there,
    state_label,
    worst_first,
)
from ops.fleet_page.content import GroupLine, MachineOnPage, Need, Tile, Trend
from ops.fleet_page.plots import size_words, trend, usd_words

MOST_NEEDS = 100


def sentence(status: FleetStatus) -> str:
    """The headline of ``status`` without its verdict, which stands beside it."""
    text = headline(status).partition(": ")[2].removesuffix(".")
    return text[:1].upper() + text[1:]


def tiles(status: FleetStatus, zone: tzinfo) -> tuple[Tile, ...]:
    machines = status.machines
    jobs = [job for machine in machines for job in machine.jobs]
    costs = [machine.monthly for machine in machines if machine.monthly is not None]
    mailed = status.costs_at
    as_of = f"by the mail of {day(mailed, zone)}" if mailed else "the first weekly mail says it"
    return (
        Tile("Machines", f"{len(machines):,}", _counted(machine.state for machine in machines)),
        Tile("Jobs", f"{len(jobs):,}", _counted(job.state for job in jobs)),
        Tile("Stored", format_bytes(sum(machine.stored_bytes for machine in machines))),
        Tile("A month", month_shown(sum(costs)) if costs else "not known yet", as_of),
    )


def _counted(states: Iterable[str]) -> str:
    """``2 overdue, 38 fresh``, the worst first."""
    counts = Counter(states)
    return ", ".join(f"{counts[one.value]:,} {one.value}" for one in WORST_FIRST if counts[one.value])


def needs(reasons: Sequence[Sequence[Reason]]) -> tuple[Need, ...]:
    """``reasons`` that say the same of many machines are together, as ``alike_reasons`` has them."""
    return tuple(map(_need, reasons[:MOST_NEEDS]))


def _need(alike: Sequence[Reason]) -> Need:
    first, *others = alike
    there = is_typed_there(first)
    where = ("each of them" if others else first.machine) if there else ""
    others_too = FOR_OTHERS if others and not there else ""
    about = f"{about_all(alike, every=True)}{':' if others else ''}"
    return Need(first.verdict, about, first.message, first.commands, where, others_too)


def machine_lines(status: FleetStatus, weeks: FleetWeeks) -> tuple[MachineOnPage, ...]:
    of_machine = {machine.machine: machine for machine in weeks.machines}
    now = moment_of(status.written_at)
    lines = []
    for one in worst_first(status.machines):
        before = of_machine.get(one.machine)
        stored, monthly = format_bytes(one.stored_bytes), month_shown(one.monthly)
        lines.append(
            MachineOnPage(
                one.machine,
                one.verdict,
                state_label(one),
                age_shown(one.looked_at, now),
                trend(stored, before.stored_bytes, size_words) if before else Trend(stored),
                trend(monthly, before.monthly, usd_words) if before else Trend(monthly),
                _notes(one),
            )
        )
    return tuple(lines)


def _notes(machine: MachineState) -> tuple[str, ...]:
    named = (
        f"group {machine.group}" if machine.group else "",
        count(len(machine.jobs), "job") if len(machine.jobs) != 1 else "",
    )
    return tuple(note for note in named if note)


def group_lines(machines: Sequence[MachineState]) -> tuple[GroupLine, ...]:
    """By name, those in none at the end; nothing where no machine is in a group."""
    names = sorted({machine.group or "" for machine in machines}, key=lambda name: (not name, name))
    if names in ([], [""]):
        return ()
    return tuple(
        _group_line(name or "in no group", [machine for machine in machines if (machine.group or "") == name])
        for name in names
    )


def _group_line(name: str, members: Sequence[MachineState]) -> GroupLine:
    costs = [machine.monthly for machine in members if machine.monthly is not None]
    return GroupLine(
        name,
        f"{len(members):,}",
        worst_verdict(machine.verdict for machine in members),
        _counted(machine.state for machine in members),
        format_bytes(sum(machine.stored_bytes for machine in members)),
        month_shown(sum(costs) if costs else None),
    )
