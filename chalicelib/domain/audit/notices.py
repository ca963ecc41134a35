"""Notices: things that happened and that the owner is to know of, whether or not anything came of them."""

from __future__ import annotations

import dataclasses
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
REPORT_INCOMPLETE = "report_incomplete"
"""In the mail itself only, never stored."""


@dataclasses.dataclass(frozen=True)
class Notice:
    """``code`` is one of the constants above; ``message`` is a sentence for the owner; ``job`` may be empty,
    and ``machine`` too for what concerns all of them. ``subject`` distinguishes notices of one code and job: the id of
    a thaw."""

    code: str
    machine: str
    job: str
    message: str
    at: datetime
    subject: str = ""

    @property
    def key(self) -> str:
        """A notice is kept once a day for each kind and job, and for each subject."""
        subject = f"#{self.subject}" if self.subject else ""
        return f"{self.at:%Y-%m-%d}#{self.machine}/{self.job}#{self.code}{subject}"


_OF_A_THIEF = frozenset({DISCARD_REFUSED, SECOND_RUN, CODE_REUSED, LATE_UPLOAD, AFTER_REVOCATION})


def commands_after(notice: Notice) -> tuple[str, ...]:
    """What the owner may type after it, in that order."""
    machine = f"python -m ops machine {{}} {notice.machine}"
    if notice.code in _OF_A_THIEF:
        return (machine.format("show"), machine.format("revoke"))
    if notice.code == CODE_RETYPED:
        return (machine.format("show"),)
    if notice.code == STORAGE_CAP_REACHED:
        return (machine.format("recount"), f"{machine.format('set')} --storage-cap 20TB")
    if notice.code == DOWNLOAD_CAP_REACHED:
        return (f"{machine.format('set')} --download-cap 1000GB", machine.format("revoke"))
    if notice.code == CATALOGUE_DIFFERED:
        return ("python -m ops dead-letters list",)
    if notice.code == THAW_WAITING:
        return (f"python -m ops thaw approve {notice.subject}", machine.format("revoke"))
    if notice.code == THAW_STARTED:
        return ("python -m ops thaw list", machine.format("revoke"))
    if notice.code in (THAW_READY, THAW_LAPSING, THAW_STOPPED):
        return ("python -m ops thaw list",)
    return ("python -m ops report preview",)
