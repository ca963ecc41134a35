"""The answers of the ``admin`` function about many machines at once; the rules are those of ``owner_wire``."""

from __future__ import annotations

import dataclasses

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.fleet.verdict import FleetVerdict, Reason
from chalicelib.owner_wire import ThawRow
from chalicelib.wire import Money


@dataclasses.dataclass(frozen=True)
class JobState:
    """A job in short. ``late_after_seconds`` is period and grace together; ``monthly`` is what it costs a month in USD,
    as of the last weekly mail. ``checked_at`` is when a photo job was last found unchanged.

    A family of photo jobs none of whose folders has come is one job called like the family.
    """

    job: str
    family: str | None
    state: str
    newest_complete_at: str | None
    checked_at: str | None
    late_after_seconds: int
    stored_bytes: int
    monthly: Money | None = None


@dataclasses.dataclass(frozen=True)
class MachineState:
    """``status`` as in ``MachineRow``; ``state`` is the worst of its jobs, ``verdict`` the worst of what is said about
    it in the reasons."""

    machine: str
    status: str
    group: str | None
    owner_mail: str | None
    state: str
    client_version: str | None
    last_used_at: str | None
    stored_bytes: int
    monthly: Money | None
    jobs: tuple[JobState, ...]
    verdict: FleetVerdict = FleetVerdict.WELL


@dataclasses.dataclass(frozen=True)
class FindingsCount:
    """How many findings of one severity are open; ``machine`` and ``job`` are empty where a whole bucket is meant."""

    machine: str
    job: str
    severity: Severity
    count: int


@dataclasses.dataclass(frozen=True)
class FleetStatus:
    """``status``: every machine by name, and why the ``verdict`` is not better, the worst first.

    ``thaws`` are those that wait for the owner. Costs are those of the last weekly mail, of ``costs_at``; ``None``
    where there was none yet.
    """

    written_at: str
    verdict: FleetVerdict
    reasons: tuple[Reason, ...]
    machines: tuple[MachineState, ...]
    findings: tuple[FindingsCount, ...] = ()
    thaws: tuple[ThawRow, ...] = ()
    costs_at: str | None = None


@dataclasses.dataclass(frozen=True)
class WeekRow:
    """What a weekly mail said: ``in_need`` of its ``backups`` needed the owner; ``monthly`` is what keeping
    ``stored_bytes`` costs a month in USD, None where the prices were not known."""

    written_at: str
    backups: int
    in_need: int
    stored_bytes: int
    monthly: Money | None = None


@dataclasses.dataclass(frozen=True)
class MachineWeeks:
    """One number for each of ``FleetWeeks.issues``, None where there was no such machine; ``monthly`` as above."""

    machine: str
    stored_bytes: tuple[int | None, ...]
    monthly: tuple[Money | None, ...]


@dataclasses.dataclass(frozen=True)
class FleetWeeks:
    """``report_weeks``: the weekly mails, the oldest first; ``issues`` are those of which each machine's figures are
    known."""

    weeks: tuple[WeekRow, ...]
    issues: tuple[str, ...]
    machines: tuple[MachineWeeks, ...]
