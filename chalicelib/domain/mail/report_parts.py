"""What the weekly mail consists of; ``report`` composes it."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from enum import Enum

from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.backups.freshness import Freshness, State
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.mail.cost_parts import Bar, CostSection

AT_RISK = "at risk"
"""Shown instead of the state of a job that is in time, but of which a critical finding is open."""


@dataclasses.dataclass(frozen=True)
class ReportLine:
    """One job, or a family of photo jobs; ``label`` is its state, or ``AT_RISK``; ``advice`` is empty where nothing
    needs to be done, ``drill`` where the owner wants none.

    ``looked`` is how long ago pictures were backed up or found unchanged, of a family those that were not for longest.
    ``progress`` is there, and ``progress_percent`` where it is known, while a first backup is on its way.
    """

    machine: str
    job: str
    label: str
    needs_attention: bool
    age: str
    newest: str
    stored: str
    last_run: str
    advice: str
    progress: str = ""
    progress_percent: int | None = None
    drill: str = ""
    looked: str = ""


class Tone(str, Enum):
    """The colour at the top of the mail."""

    WELL = "well"
    LOOK = "look"
    BAD = "bad"


@dataclasses.dataclass(frozen=True)
class StateCount:
    """``percent`` is the share of all backups, for a bar; the shares add up to 100."""

    label: str
    count: int
    percent: int


@dataclasses.dataclass(frozen=True)
class ReportNotice:
    at: str
    about: str
    message: str


@dataclasses.dataclass(frozen=True)
class PricedLine:
    """One thaw, or one chain that goes. ``note`` says how far it is and until when; ``command`` is what the owner
    types, if anything. ``job`` is empty where a line is about several."""

    machine: str
    job: str
    price: str
    what: str
    note: str
    command: str = ""


@dataclasses.dataclass(frozen=True)
class ThawSection:
    """Empty texts and tuples are left out of the mail. ``budgets`` has a bar a machine; ``waiting``: for the owner."""

    lines: tuple[PricedLine, ...]
    more: str
    budgets: tuple[Bar, ...]
    approved: str
    waiting: bool


@dataclasses.dataclass(frozen=True)
class LettingGoSection:
    """``named`` are the chains that its lines say will go: no others may be counted as announced."""

    lines: tuple[PricedLine, ...]
    more: str
    named: tuple[tuple[Job, SetId], ...]


@dataclasses.dataclass(frozen=True)
class Attachment:
    """A table beside the mail; the text is CSV."""

    name: str
    text: str


@dataclasses.dataclass(frozen=True)
class Report:
    """Texts ready to be shown, in the owner's time zone; problems come first.

    The ``more_`` texts count what is left out here and is in the attached tables; empty where nothing is.
    """

    headline: str
    tone: Tone
    states: tuple[StateCount, ...]
    problems: tuple[ReportLine, ...]
    more_problems: str
    others: tuple[ReportLine, ...]
    more_others: str
    findings: tuple[Finding, ...]
    more_findings: str
    notices: tuple[ReportNotice, ...]
    more_notices: str
    stored: str
    since_last: str
    thaws: ThawSection | None
    letting_go: LettingGoSection | None
    costs: CostSection | None
    written_at: str
    next_issue: str
    attachments: tuple[Attachment, ...] = ()

    @property
    def subject(self) -> str:
        costs = f", {self.costs.this_month} this month" if self.costs else ""
        return f"{self.headline} - {self.stored}{costs}"


@dataclasses.dataclass(frozen=True)
class EvaluatedJob:
    """``error`` is why the job could not be evaluated."""

    job: Job
    freshness: Freshness
    error: Exception | None = None

    @property
    def is_stand_in(self) -> bool:
        """It is a family none of whose folders has come."""
        return self.job.name == self.job.family


def failed_job(job: Job, error: Exception) -> EvaluatedJob:
    """A job that cannot be evaluated is one line that says so, not the end of everybody's mail."""
    return EvaluatedJob(job, Freshness(State.FAILING, None, 0, 0), error)


@dataclasses.dataclass(frozen=True)
class LastIssue:
    """What was stored at the last mail. ``removed_bytes`` were let go, and removed for good, since."""

    written_at: datetime
    stored_bytes: int
    removed_bytes: int = 0
