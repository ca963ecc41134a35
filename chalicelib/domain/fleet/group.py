"""A group of machines, with the settings that hold for each of them that has none of its own."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.backups.retention_policy import RetentionPolicy
from chalicelib.domain.backups.storage import StoragePolicy


@dataclasses.dataclass(frozen=True)
class MachineGroup:
    """``None`` is what the group says nothing of: there the service's own default holds.

    The settings are called as those of ``Machine`` and ``Job``.
    """

    name: str
    created_at: datetime
    period_seconds: int | None = None
    grace_seconds: int | None = None
    storage: StoragePolicy | None = None
    retention: RetentionPolicy | None = None
    thaw_budget_usd: Decimal | None = None
    owner_mail: str | None = None
    """Addresses with commas between them."""
