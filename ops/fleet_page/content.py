"""What is on the page, as texts ready to be shown: pure data, which one template writes."""

from __future__ import annotations

import dataclasses

from chalicelib.domain.audit.findings import at_stage, command
from chalicelib.domain.fleet.verdict import FleetVerdict


def owner_command(stage: str, *words: str) -> tuple[str, ...]:
    """``python -m ops`` and the words, as a shell takes them whatever is in a name."""
    return at_stage([command("python", "-m", "ops", *words)], stage)


@dataclasses.dataclass(frozen=True)
class Tile:
    """A number that matters most."""

    label: str
    value: str
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Need:
    """Why somebody should look, and what to type: ``where`` is empty for the owner's own computer. ``others_too``
    follows where the commands name the first of many."""

    verdict: FleetVerdict
    about: str
    message: str
    commands: tuple[str, ...]
    where: str = ""
    others_too: str = ""


@dataclasses.dataclass(frozen=True)
class WeekPlot:
    """A curve over the weeks in a box of ``ops.fleet_page.plots``: ``line`` and ``area`` are paths of SVG, ``words``
    what it shows."""

    title: str
    newest: str
    words: str
    line: str
    area: str
    top: str
    middle: str
    first_day: str
    last_day: str


@dataclasses.dataclass(frozen=True)
class Week:
    """A row of the table that says what the plots draw."""

    day: str
    in_need: str
    stored: str
    monthly: str


@dataclasses.dataclass(frozen=True)
class Trend:
    """A number now, how much it changed over the last weeks, and its small curve; both empty where nothing is known."""

    value: str
    change: str = ""
    line: str = ""


@dataclasses.dataclass(frozen=True)
class MachineOnPage:
    """``state`` as ``status`` shows it, ``newest`` how old the newest backup of the job is that waits longest."""

    machine: str
    verdict: FleetVerdict
    state: str
    newest: str
    stored: Trend
    monthly: Trend
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class GroupLine:
    group: str
    machines: str
    verdict: FleetVerdict
    states: str
    stored: str
    monthly: str


@dataclasses.dataclass(frozen=True)
class ChainLine:
    days: str
    size: str
    monthly: str
    restore: str
    fate: str


@dataclasses.dataclass(frozen=True)
class JobPart:
    """A job with its chains, the newest first; so many ``older`` ones are left out."""

    job: str
    state: str
    notes: tuple[str, ...]
    chains: tuple[ChainLine, ...]
    older: int = 0


@dataclasses.dataclass(frozen=True)
class Listed:
    """A line about a job or a bucket, and what to type: ``where`` is empty for the owner's own computer."""

    about: str
    message: str
    note: str = ""
    commands: tuple[str, ...] = ()
    where: str = ""


@dataclasses.dataclass(frozen=True)
class FindingGroup:
    """Findings of one kind, with what to do about all of them."""

    severity: str
    title: str
    advice: str
    findings: tuple[Listed, ...]


@dataclasses.dataclass(frozen=True)
class Section:
    """Lines of one kind; ``summary`` says in a sentence what they come to, or that there is nothing."""

    summary: str
    lines: tuple[Listed, ...] = ()
    more: str = ""


@dataclasses.dataclass(frozen=True)
class FleetPage:
    title: str
    written_at: str
    verdict: FleetVerdict
    headline: str
    tiles: tuple[Tile, ...]
    needs: tuple[Need, ...]
    more_needs: str
    plots: tuple[WeekPlot, ...]
    weeks: tuple[Week, ...]
    machines: tuple[MachineOnPage, ...]
    trend_since: str
    groups: tuple[GroupLine, ...]
    jobs: tuple[JobPart, ...]
    older_chains: str
    findings: tuple[FindingGroup, ...]
    more_findings: str
    thaws: Section
    drills: Section
    letting_go: Section
    add_machine: str
    again: str
