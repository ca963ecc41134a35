"""Groups of machines, whose settings hold for each machine and job that has none of its own."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.backups.retention_policy import RetentionPolicy
from chalicelib.domain.backups.storage import StoragePolicy


@dataclasses.dataclass(frozen=True)
class MachineGroup:
    """``None`` is what the group says nothing of: there the service's own default holds.

    A machine or job stores the value that holds for it, and ``follows`` names those that it has from its group: so no
    request has to read the group, and a change of the group is written to all that follow.
    """

    name: str
    created_at: datetime
    period_seconds: int | None = None
    grace_seconds: int | None = None
    storage: StoragePolicy | None = None
    retention: RetentionPolicy | None = None
    thaw_budget_usd: Decimal | None = None
    owner_mails: tuple[str, ...] = ()
