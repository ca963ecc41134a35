"""What S3 answers to the request for a copy of an archived volume, and when a busy S3 is asked again."""

from __future__ import annotations

from enum import Enum


class AskOutcome(Enum):
    """``ASKED``: taken, or the copy that is there is kept longer. ``IN_PROGRESS``: somebody asked before."""

    ASKED = "asked"
    IN_PROGRESS = "in_progress"
    NOT_ARCHIVED = "not_archived"
    MISSING = "missing"
    BUSY = "busy"
    EXPEDITED_UNAVAILABLE = "expedited_unavailable"
    REFUSED = "refused"


ASKED_AT_ONCE = 200
"""Volumes between two looks at the lease: some seconds' work."""

LONGEST_PAUSE_SECONDS = 30


def pause_seconds(tries: int) -> float:
    """How long a busy S3 is left alone after so many tries: 1, 2, 4, ... 30."""
    return float(min(LONGEST_PAUSE_SECONDS, 2 ** min(tries, 10)))
