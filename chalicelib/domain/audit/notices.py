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
REPORT_INCOMPLETE = "report_incomplete"
"""In the mail itself only, never stored."""


@dataclasses.dataclass(frozen=True)
class Notice:
    """``code`` is one of the constants above; ``message`` is a sentence for the owner; ``job`` may be empty,
    and ``machine`` too for what concerns all of them."""

    code: str
    machine: str
    job: str
    message: str
    at: datetime
