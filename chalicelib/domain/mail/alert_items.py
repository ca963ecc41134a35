"""What an alert says of a notice, of a finding, and of a job."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta, tzinfo

from chalicelib.domain.audit.finding_codes import CODES
from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.audit.notices import Notice, commands_after
from chalicelib.domain.backups.freshness import State
from chalicelib.domain.mail.phrases import in_zone
from chalicelib.domain.photos.summary import worst_state


@dataclasses.dataclass(frozen=True)
class JobNow:
    """A job as it was just evaluated. ``detail`` is a sentence for the owner on how it stands."""

    machine: str
    job: str
    state: State
    detail: str
    is_running: bool = False
    newest_complete_at: datetime | None = None
    pause_ended_at: datetime | None = None
    never_came: bool = False
    """No backup of it has ever come."""
    family: str | None = None
    folder: str | None = None
    """Of a family where only some of its jobs stand so: the first of them."""

    @property
    def name(self) -> str:
        return f"{self.machine}/{self.job}"


def families_together(jobs: Iterable[JobNow]) -> list[JobNow]:
    """The jobs of a family as one, which stands as the worst of them: nine folders on one disk are one trouble."""
    found: list[JobNow] = []
    together: dict[tuple[str, str], list[JobNow]] = {}
    for job in jobs:
        if job.family is None:
            found.append(job)
        else:
            together.setdefault((job.machine, job.family), []).append(job)
    return found + [_as_one(family, of) for (_, family), of in together.items()]


def _as_one(family: str, jobs: Sequence[JobNow]) -> JobNow:
    state = worst_state(job.state for job in jobs)
    alike = [job for job in jobs if job.state is state]
    first = alike[0]
    if first.job == family:  # none of its folders has come
        return first
    # Of those that run: the backup of another folder does not end the trouble of one that is tried again.
    newest = [job.newest_complete_at for job in jobs if job.is_running] or [
        job.newest_complete_at for job in jobs
    ]
    named = ", ".join(job.job for job in alike)
    of = f"{len(alike)} of {len(jobs)} folders of {first.machine}/{family} ({named})"
    return dataclasses.replace(
        first,
        job=family,
        folder=first.job if len(alike) < len(jobs) else None,
        detail=first.detail if len(jobs) == 1 else f"This is so of {of}. {first.detail}",
        is_running=any(job.is_running for job in jobs),
        newest_complete_at=max((at for at in newest if at), default=None),
        never_came=all(job.never_came for job in jobs),
    )


@dataclasses.dataclass(frozen=True)
class Trouble:
    """A job that is overdue or failing, from ``since`` on; ``mails`` were sent about it, the last at ``mailed_at``.

    ``is_over``: it has ended, and the mail about that is still to come.
    """

    state: State
    since: datetime
    mailed_at: datetime | None = None
    mails: int = 0
    is_over: bool = False


@dataclasses.dataclass(frozen=True)
class AlertItem:
    """One thing in a mail. ``whose`` is shown: a machine and job, or a bucket; ``title`` goes into the subject.

    ``machine`` is empty for what concerns no one machine.
    """

    whose: str
    title: str
    message: str
    evidence: str = ""
    advice: str = ""
    commands: tuple[str, ...] = ()
    machine: str = ""

    @property
    def job(self) -> str:
        """Empty for what concerns no one job."""
        return self.whose.removeprefix(f"{self.machine}/") if self.machine and "/" in self.whose else ""

    def in_zone(self, zone: tzinfo) -> AlertItem:
        """With the times of its sentences in the zone of the mail."""
        message, evidence = in_zone(self.message, zone), in_zone(self.evidence, zone)
        return dataclasses.replace(self, message=message, evidence=evidence)


def item_of_notice(notice: Notice) -> AlertItem:
    kind = CODES.get(notice.code)
    title = kind.title if kind else notice.code.replace("_", " ")
    whose = "/".join(filter(None, (notice.machine, notice.job))) or "panicroom"
    return AlertItem(
        whose,
        title,
        notice.message,
        f"at {notice.at:%Y-%m-%d %H:%M} UTC",
        kind.advice if kind else "",
        commands_after(notice) if kind else (),
        machine=notice.machine,
    )


def item_of_finding(finding: Finding) -> AlertItem:
    return AlertItem(
        finding.whose,
        finding.title,
        finding.message,
        finding.evidence,
        finding.advice,
        finding.commands,
        finding.machine,
    )


def item_of_job(job: JobNow, trouble: Trouble) -> AlertItem:
    still = "still " if trouble.mails else ""
    if trouble.state is State.FAILING:
        return AlertItem(
            job.name,
            f"backups {still}fail" if still else "the last backup failed",
            job.detail,
            advice="The machine's log has the reason: start a backup by hand there and read what it prints.",
            commands=("panicroom doctor", f"panicroom backup {job.job}"),
            machine=job.machine,
        )
    if job.never_came:
        return AlertItem(
            job.name,
            f"{still}no backup since it was added",
            job.detail,
            advice="Enrol the machine and start a backup there. A machine that is no longer wanted can be removed.",
            commands=(
                f"python -m ops machine add {job.machine}",
                f"panicroom backup {job.job}",
                f"python -m ops machine remove {job.machine}",
            ),
            machine=job.machine,
        )
    if job.folder is None:
        back_by = f"{trouble.since + timedelta(days=14):%Y-%m-%d}"
        may_pause, pause = "A machine that is meant to be off can be paused.", f"--until {back_by}"
    else:
        may_pause, pause = "Where a folder is gone for good, pause its job.", f"--job {job.folder}"
    return AlertItem(
        job.name,
        f"{still}no backup in time",
        job.detail,
        advice=f"Start a backup there, or find out why none runs. {may_pause}",
        commands=(f"panicroom backup {job.job}", f"python -m ops machine pause {job.machine} {pause}"),
        machine=job.machine,
    )


@dataclasses.dataclass(frozen=True)
class Alert:
    """A mail that is due: its items, by how urgent they are."""

    safety: tuple[AlertItem, ...] = ()
    critical: tuple[AlertItem, ...] = ()
    awaited: tuple[AlertItem, ...] = ()
    jobs: tuple[AlertItem, ...] = ()
    over: tuple[AlertItem, ...] = ()
    warnings: tuple[AlertItem, ...] = ()

    @property
    def items(self) -> tuple[AlertItem, ...]:
        return self.safety + self.critical + self.awaited + self.jobs + self.over + self.warnings

    def of_machines(self, names: Collection[str]) -> Alert | None:
        """What concerns these machines; None for nothing."""

        def theirs(items: tuple[AlertItem, ...]) -> tuple[AlertItem, ...]:
            return tuple(item for item in items if item.machine in names)

        part = Alert(*(theirs(getattr(self, field.name)) for field in dataclasses.fields(self)))
        return part if part.items else None

    @property
    def subject(self) -> str:
        """Which machine and what: of several things the most urgent one, and how many more."""
        first, *others = self.items
        urgency = "Look now: " if self.safety else "All clear: " if self.items == self.over else ""
        more = f" (and {len(others)} more)" if others else ""
        return f"{urgency}{first.whose}: {first.title}{more}"
