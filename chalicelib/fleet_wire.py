"""The answers of the ``admin`` function about many machines at once; the rules are those of ``owner_wire``."""

from __future__ import annotations

import dataclasses

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.fleet.verdict import FleetVerdict, Reason
from chalicelib.owner_wire import MachineAdded, MachineChanged, ThawRow
from chalicelib.wire import DrillStatus, Money


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
    drill: DrillStatus | None = None

    @property
    def looked_at(self) -> str | None:
        """When it was last backed up, or found unchanged; ``None`` before its first backup."""
        return self.newest_complete_at and max(self.newest_complete_at, self.checked_at or "")


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

    @property
    def looked_at(self) -> str | None:
        """When the one of its jobs was backed up, or found unchanged, that was not for longest, of those in its state;
        ``None`` where one of them never was."""
        return min((job.looked_at or "" for job in self.jobs if job.state == self.state), default="") or None


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


@dataclasses.dataclass(frozen=True)
class GroupMember:
    """A machine of a group. ``own`` are the settings that it does not take from there, those of a job or a family as
    ``system: period``. ``is_behind``: a change of the group has not come to all of it."""

    machine: str
    own: tuple[str, ...] = ()
    is_behind: bool = False


@dataclasses.dataclass(frozen=True)
class GroupShown:
    """``group_add``, ``group_show``: what is ``None`` the group says nothing of, and the service's default holds."""

    group: str
    created_at: str
    period_seconds: int | None = None
    grace_seconds: int | None = None
    archive_class: str | None = None
    archive_after_days: int | None = None
    keep_chains: int | None = None
    keep_days: int | None = None
    keep_yearly: int | None = None
    thaw_budget_usd: Money | None = None
    owner_mail: str | None = None
    machines: tuple[GroupMember, ...] = ()


@dataclasses.dataclass(frozen=True)
class GroupListing:
    """``group_list``."""

    groups: tuple[GroupShown, ...]


@dataclasses.dataclass(frozen=True)
class GroupChanged:
    """``group_set``, ``group_remove``: machines, and jobs as ``machine/job``, that were changed with it. ``missed`` are
    those that somebody else changed at the same moment: the same command once more brings them up to date."""

    group: GroupShown
    changed: tuple[str, ...]
    missed: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class MachineResult:
    """What became of one of several machines; ``error`` says why nothing did, and what to do."""

    machine: str
    error: str | None = None
    changed: MachineChanged | None = None
    added: MachineAdded | None = None


@dataclasses.dataclass(frozen=True)
class MachineResults:
    """``for_machines``."""

    results: tuple[MachineResult, ...]


@dataclasses.dataclass(frozen=True)
class JournalRow:
    """``who`` is IAM's ARN as STS said it, ``machine NAME``, ``service``, ``recovery code`` or ``unknown caller``;
    ``what`` the command or event. ``machine`` and ``job`` are empty where it was about none."""

    at: str
    who: str
    what: str
    machine: str
    job: str
    detail: str


@dataclasses.dataclass(frozen=True)
class JournalListing:
    """``journal``: the newest last. ``left_off`` older ones are beyond what one answer takes; ``account`` is the
    service's own, whose number says nothing of who it was."""

    since: str
    entries: tuple[JournalRow, ...]
    left_off: int = 0
    account: str = ""


@dataclasses.dataclass(frozen=True)
class AddedOfMany:
    """A machine of ``machines_add``; ``status`` as in ``MachineRow``. Without a ``code`` it keeps its token, or stays
    revoked; ``recovery_code`` is there where one was made, and nobody can show it again."""

    machine: str
    status: str
    group: str | None = None
    code: str | None = None
    code_expires_at: str | None = None
    recovery_code: str | None = None


@dataclasses.dataclass(frozen=True)
class MachinesAdded:
    """``machines_add``: where one is ``refused`` nothing was written; else those that were added, and those that
    ``failed`` in the middle."""

    machines: tuple[AddedOfMany, ...]
    refused: tuple[MachineResult, ...] = ()
    failed: tuple[MachineResult, ...] = ()


@dataclasses.dataclass(frozen=True)
class DropPlace:
    """Where a job's files are, of how many sets, and in which class its volumes are from how many days on."""

    job: str
    bucket: str
    prefix: str
    sets: int
    archive_class: str
    archive_after_days: int


@dataclasses.dataclass(frozen=True)
class MachineDropPlan:
    """``machine_drop_plan``, ``machine_drop``.

    All below ``prefix`` in the service's own ``bucket`` is the machine's; in a bucket that was adopted, a job's are the
    files that duplicity writes directly below the job's prefix.
    """

    machine: str
    bucket: str
    prefix: str
    jobs: tuple[DropPlace, ...]
    dropping_since: str | None = None


@dataclasses.dataclass(frozen=True)
class MachineDropped:
    """``machine_dropped``: ``ended`` when the machine is gone with all its rows. ``keys_left`` are keys of which
    something is stored, a thousand at most; with none left and not ended, the same command goes on with the rows."""

    machine: str
    ended: bool
    keys_left: int = 0
