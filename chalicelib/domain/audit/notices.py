"""Notices: things that happened and that the owner is to know of, whether or not anything came of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

CODE_REUSED = "code_reused"
CODE_RETYPED = "code_retyped"
SECOND_RUN = "second_run"
DISCARD_REFUSED = "discard_refused"
CATALOGUE_DIFFERED = "catalogue_differed"
LATE_UPLOAD = "late_upload"
AFTER_REVOCATION = "after_revocation"
STORAGE_CAP_REACHED = "storage_cap_reached"
DOWNLOAD_CAP_REACHED = "download_cap_reached"
OVER_BUDGET = "over_budget"
THAW_STARTED = "thaw_started"
THAW_WAITING = "thaw_waiting"
THAW_READY = "thaw_ready"
THAW_LAPSING = "thaw_lapsing"
THAW_STOPPED = "thaw_stopped"
OF_THAWS = frozenset({THAW_STARTED, THAW_WAITING, THAW_READY, THAW_LAPSING, THAW_STOPPED})
RECOVERY_USED = "recovery_used"
RECOVERY_GUESSED = "recovery_guessed"
RECOVERY_MADE = "recovery_made"
JOB_ADDED = "job_added"
REPORT_INCOMPLETE = "report_incomplete"
"""In the mail itself only, never stored."""


@dataclasses.dataclass(frozen=True)
class Notice:
    """``code`` is one of the constants above; ``message`` is a sentence for the owner; ``job`` may be empty,
    and ``machine`` too for what concerns all of them. ``subject`` distinguishes notices of one code and job: the id of
    a thaw, one use of a recovery code. ``is_past``: its machine is gone, and no command knows it any more."""

    code: str
    machine: str
    job: str
    message: str
    at: datetime
    subject: str = ""
    is_past: bool = False

    @property
    def key(self) -> str:
        """A notice is kept once a day for each kind and job, and for each subject."""
        subject = f"#{self.subject}" if self.subject else ""
        return f"{self.at:%Y-%m-%d}#{self.machine}/{self.job}#{self.code}{subject}"


_OF_A_THIEF = ("machine show {machine}", "machine revoke {machine}")
_END_THE_PAPER = "machine revoke {machine} --recovery"

_AFTER: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((DISCARD_REFUSED, SECOND_RUN, LATE_UPLOAD, AFTER_REVOCATION, JOB_ADDED), _OF_A_THIEF),
    # Whoever enrolled first was given the recovery code with it.
    CODE_REUSED: (*_OF_A_THIEF, _END_THE_PAPER),
    CODE_RETYPED: ("machine show {machine}",),
    STORAGE_CAP_REACHED: ("machine recount {machine}", "machine set {machine} --storage-cap 20TB"),
    DOWNLOAD_CAP_REACHED: ("machine set {machine} --download-cap 1000GB", "machine revoke {machine}"),
    CATALOGUE_DIFFERED: ("dead-letters list",),
    THAW_WAITING: ("thaw approve {subject}", "machine revoke {machine}"),
    THAW_STARTED: ("thaw list", "machine revoke {machine}"),
    **dict.fromkeys((THAW_READY, THAW_LAPSING, THAW_STOPPED), ("thaw list",)),
    **dict.fromkeys((RECOVERY_USED, RECOVERY_MADE), ("machine show {machine}", _END_THE_PAPER)),
    RECOVERY_GUESSED: ("machine show {machine}", "machine recovery {machine}"),
}


def with_past(notices: Iterable[Notice], machines: Collection[str]) -> list[Notice]:
    """``machines`` are the names of those that there are."""
    return [
        dataclasses.replace(one, is_past=bool(one.machine) and one.machine not in machines) for one in notices
    ]


def added_together(notices: Iterable[Notice]) -> list[tuple[Notice, tuple[Notice, ...]]]:
    """The notices in their order, each with those that it is made of: of a family's new jobs one for all."""
    groups: dict[tuple[str, ...], list[Notice]] = {}
    for notice in notices:
        group = (JOB_ADDED, notice.machine, notice.job) if notice.code == JOB_ADDED else (notice.key,)
        groups.setdefault(group, []).append(notice)
    return [(of[0] if len(of) == 1 else _as_one(of), tuple(of)) for of in groups.values()]


def job_added(machine: str, family: str, job: str, now: datetime) -> Notice:
    return _of_new_jobs(machine, family, [job], now)


def _as_one(notices: Sequence[Notice]) -> Notice:
    first = notices[0]
    jobs = sorted(notice.subject for notice in notices)
    one = _of_new_jobs(first.machine, first.job, jobs, max(notice.at for notice in notices))
    return dataclasses.replace(one, is_past=first.is_past)


def _of_new_jobs(machine: str, family: str, jobs: Sequence[str], at: datetime) -> Notice:
    what = f"{jobs[0]}, a new folder" if len(jobs) == 1 else f"{len(jobs)} new folders"
    names = "" if len(jobs) == 1 else f": {', '.join(jobs)}"
    message = f"{machine} has begun to back up {what} of {family}{names}."
    return Notice(JOB_ADDED, machine, family, message, at, subject=jobs[0] if len(jobs) == 1 else "")


def commands_after(notice: Notice) -> tuple[str, ...]:
    """What the owner may type after it, in that order."""
    if notice.is_past:
        return ()
    lines = _AFTER.get(notice.code, ("report preview",))
    names = {"machine": notice.machine, "subject": notice.subject}
    return tuple(f"python -m ops {line.format(**names)}" for line in lines)
