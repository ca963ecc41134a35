"""A thaw: archived volumes of one job that are brought back to a class that can be read, for some days."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.recovery.recovery import Recovery
from chalicelib.wire import ThawState, ThawTier

AskForThaw = Callable[[str, str, str], None]
"""Has the function that may ask S3 go on with a thaw: machine, job, id."""

UNDER_WAY = frozenset({ThawState.ASKING, ThawState.THAWING})
"""States in which S3 is at work for a thaw: one at a time a job."""


@dataclasses.dataclass(frozen=True)
class Thaw:
    """A thaw that was started, or would have been if the owner's approval were not needed.

    ``size_bytes`` and ``volumes`` are what S3 is asked for, ``done`` of them were readable when last looked at. ``usd``
    is the price that was reserved, transfer included; ``None`` if a price is not known. ``ready_by`` is when the tier
    promises all, ``readable_until`` when the first copy lapses. ``next_look_at`` is when the listing is read next,
    ``leased_until`` while somebody asks S3.
    """

    machine: str
    job: str
    id: str
    state: ThawState
    tier: ThawTier
    started_at: datetime
    volumes: int
    size_bytes: int
    days: int
    ready_by: datetime
    usd: Decimal | None = None
    transfer_usd: Decimal | None = None
    done: int = 0
    readable_until: datetime | None = None
    approved_at: datetime | None = None
    last_download_at: datetime | None = None
    downloaded_bytes: int = 0
    message: str = ""
    next_look_at: datetime | None = None
    leased_until: datetime | None = None
    is_drill: bool = False
    """For a drill: paid from the allowance for drills, mailed to nobody, and in no restore's way."""
    code_made_at: datetime | None = None
    """Of the recovery code by which a reader began it; missing for the machine's own token, and once the owner approved
    it."""

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def is_downloaded(self) -> bool:
        """Whether as much was downloaded as was thawed."""
        return self.downloaded_bytes >= self.size_bytes


@dataclasses.dataclass(frozen=True)
class ThawOwner:
    """Whose a thaw is, as they are now; ``None`` for what was removed. ``recovery`` is the machine's recovery code,
    where a reader began the thaw."""

    machine: Machine | None
    job: Job | None
    recovery: Recovery | None = None


@dataclasses.dataclass(frozen=True)
class ThawMonth:
    """What a machine's thaws come to in a month: ``reserved`` counts against its budget, ``approved`` does not, and
    ``drilled`` against the allowance for drills.

    ``expedited`` volumes were asked for without an approval; ``size_bytes`` are to leave AWS.
    """

    reserved: Decimal = Decimal(0)
    approved: Decimal = Decimal(0)
    expedited: int = 0
    size_bytes: int = 0
    drilled: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return self.reserved + self.approved + self.drilled
