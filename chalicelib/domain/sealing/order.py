"""Which set may follow which: the sets of a job end one after the other, and a chain does not fork.

duplicity orders its sets by the times in their names. A set dated before the newest one, or a second increment from
the same base, makes it refuse or misread every later backup of the job. So such a set is refused when its first file
is permitted, and again before it is sealed; what is there already is a finding (``chalicelib.domain.audit.anomalies``).
"""

from __future__ import annotations

from collections.abc import Collection

from chalicelib.domain.backups.machines import MAX_OPEN_SETS
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ErrorCode


def check_follows(set_id: SetId, sealed: Collection[SetId]) -> None:
    """Refuses a set that does not follow ``sealed``, the job's sealed sets that are not in quarantine.

    It must end after all of them. An increment must start where a sealed set ends, and no other may start there.
    """
    newest = max((other.end for other in sealed), default=None)
    if newest is not None and set_id.end <= newest:
        raise _out_of_order(
            f"This set is dated {set_id.end:%Y-%m-%d %H:%M:%S} UTC, and a finished one {newest:%Y-%m-%d %H:%M:%S} UTC. "
            "Check the computer's clock, then start a new backup."
        )
    if set_id.start is None:
        return
    if all(other.end != set_id.start for other in sealed):
        raise _out_of_order(
            f"No finished set ends at {set_id.start:%Y-%m-%d %H:%M:%S} UTC, where this increment starts. "
            "Make a full backup: panicroom backup full"
        )
    if any(other.start == set_id.start for other in sealed):
        raise _out_of_order(
            "Another increment continues the same set already. Start the backup again, so that it continues the newest."
        )


def check_room(set_id: SetId, open_sets: Collection[SetId]) -> None:
    """Refuses to begin one more set beside the ``open_sets``, those of the job that are begun and not sealed."""
    if set_id not in open_sets and len(open_sets) >= MAX_OPEN_SETS:
        raise Refusal(
            ErrorCode.STORAGE_CAP,
            f"{len(open_sets)} backups of this job were begun and never finished, and no more may be. Remove them: "
            "panicroom duplicity -- cleanup --force. The owner can put them out of the way: python -m ops set "
            "quarantine.",
        )


def _out_of_order(message: str) -> Refusal:
    return Refusal(ErrorCode.NAME_OUT_OF_ORDER, message)
