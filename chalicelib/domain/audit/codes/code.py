"""What a code of a finding is."""

from __future__ import annotations

import dataclasses
from enum import Enum


class Severity(str, Enum):
    """Critical: something cannot be restored, or will not be. Warning: it costs money, or hides what happens. Info:
    to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Concern(str, Enum):
    """What a rule checks, and so who updates its findings."""

    SETS = "sets"
    OBJECTS = "objects"
    BUCKET = "bucket"
    MACHINE = "machine"
    """From notices, not stored: ``chalicelib.domain.audit.notices``."""
    THAWS = "thaws"
    DRILLS = "drills"
    RETENTION = "retention"
    PHOTOS = "photos"


@dataclasses.dataclass(frozen=True)
class Code:
    """One kind of finding. ``title`` goes into a mail's subject."""

    code: str
    concern: Concern
    severity: Severity
    title: str
    meaning: str
    advice: str
    is_safety: bool = False
    is_awaited: bool = False
    """Somebody waits to know of it: mailed at once, however mild."""
