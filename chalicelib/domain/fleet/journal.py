"""The journal: who changed what, one entry for each change, written after it was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta

KEPT = timedelta(days=400)
"""More than a year, so that last year's holidays can be looked up."""

UNKNOWN_CALLER = "unknown caller"
SERVICE = "service"
RECOVERY_CODE = "recovery code"


@dataclasses.dataclass(frozen=True)
class JournalEntry:
    """``who`` is IAM's ARN, as STS has said it, ``machine NAME``, or one of the words above; ``what`` the command or
    event, ``detail`` a sentence. ``machine`` and ``job`` are empty where it was about none."""

    at: datetime
    who: str
    what: str
    machine: str
    job: str
    detail: str


def by_machine(name: str) -> str:
    return f"machine {name}"


def months_since(since: datetime, now: datetime) -> Iterator[str]:
    """The journal's partitions from ``now`` back to ``since``, the newest first: ``2026-11``."""
    month = now.replace(day=1)
    while f"{month:%Y-%m}" >= f"{since:%Y-%m}":
        yield f"{month:%Y-%m}"
        month = (month - timedelta(days=1)).replace(day=1)
