"""Where a thaw stands, as the function last found it: S3 is not asked for this."""

from __future__ import annotations

from datetime import datetime

from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.progress import as_of
from chalicelib.domain.restore.volumes import is_thaw_id
from chalicelib.journeys.thaws.thaw_context import owner_now, status_of
from chalicelib.wire import ErrorCode, ThawState, ThawStatus


def describe_thaw(
    thaws: ThawStore, recoveries: RecoveryStore, machine: Machine, job: Job, thaw: str, now: datetime
) -> ThawStatus:
    """Raises ``Refusal`` for one that was never planned."""
    known = thaws.thaw(machine.name, job.name, thaw) if is_thaw_id(thaw) else None
    if known is not None:
        return status_of(as_of(known, owner_now(recoveries, known, machine, job), now))
    if not is_thaw_id(thaw) or thaws.plan(job, thaw) is None:
        raise Refusal(ErrorCode.UNKNOWN_THAW, "There is no such thaw. Plan the restore again.")
    return ThawStatus(thaw, ThawState.PLANNED, 0, 0)
