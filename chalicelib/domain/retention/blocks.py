"""What stops all of a job's chains from going: a bucket or a job in doubt is left as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime

from chalicelib.domain.backups.freshness import State
from chalicelib.domain.retention.limits import COMPARED_WITHIN, GRACE, NOTICES_COUNT_FOR

LETS_GO = frozenset({"fresh", "due", "paused", "settled"})
"""States in which old chains may go; a state that is not named here blocks."""

_STATES = {
    State.OVERDUE: "The job is overdue. Back the machine up, or pause it if that is meant.",
    State.NEVER: "The job has no complete backup yet.",
    State.FAILING: "The job's last run failed. Have a backup succeed first.",
}


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What is known of a job and its bucket beside the chains.

    ``critical`` are the messages of open critical findings of the job and of its bucket, ``safety`` those of notices
    about safety of the last 30 days. ``compared_at`` is when catalogue and bucket were last compared, ``differed``
    whether they did. ``keeps_versions`` is ``None`` where nobody has asked the bucket (the mail does not), which blocks
    nothing. ``old_versions_days`` is the shortest time after which a rule that does not go by our tag removes old
    versions of the job's files, ``None`` where no such rule is there. ``unread`` names the settings of the bucket that
    could not be read.
    """

    state: State
    lease_until: datetime | None = None
    thaw_is_open: bool = False
    compared_at: datetime | None = None
    differed: bool = False
    critical: tuple[str, ...] = ()
    safety: tuple[str, ...] = ()
    keeps_versions: bool | None = None
    old_versions_days: int | None = None
    unread: tuple[str, ...] = ()


def blocks_of(around: Surroundings, now: datetime) -> tuple[str, ...]:
    """Why nothing of the job may go now: a sentence each, the gravest first; empty where nothing stands in the way.

    Times are in UTC, in the form that the mail and ``reason_of`` put into the owner's zone.
    """
    return (
        *(f"A critical finding is open: {message}" for message in around.critical),
        *(
            f"A notice about safety came in the last {NOTICES_COUNT_FOR.days} days: {message}"
            for message in around.safety
        ),
        *_of_the_bucket(around),
        *_of_the_comparison(around, now),
        *_of_the_job(around, now),
    )


def _of_the_bucket(around: Surroundings) -> Iterator[str]:
    if around.unread:
        what = " and ".join(around.unread)
        yield f"The {what} of the bucket could not be read. The audit says why: python -m ops audit."
    if around.keeps_versions is False:
        yield "Versioning of the bucket is not enabled: nothing could be brought back. Turn it on."
    days = around.old_versions_days
    if days is not None and days < GRACE.days:
        yield (
            f"A lifecycle rule of the bucket removes old versions after {days} {'day' if days == 1 else 'days'}, before"
            f" the {GRACE.days} days in which a chain can be brought back. Change it to {GRACE.days} days or more."
        )


def _of_the_comparison(around: Surroundings, now: datetime) -> Iterator[str]:
    if around.compared_at is None:
        yield "The catalogue has not been compared with the bucket yet. The weekly reconciliation does that."
    elif now - around.compared_at > COMPARED_WITHIN:
        yield (
            f"The catalogue was last compared with the bucket at {around.compared_at:%Y-%m-%d %H:%M} UTC, more than "
            f"{COMPARED_WITHIN.days} days ago. Reconcile the job."
        )
    if around.differed:
        yield "The last comparison found that the catalogue was not as the bucket. Reconcile the job again."


def _of_the_job(around: Surroundings, now: datetime) -> Iterator[str]:
    if around.state.value not in LETS_GO:
        yield _STATES.get(around.state, f"The job is {around.state.value}.")
    if around.lease_until is not None and around.lease_until > now:
        yield f"A backup is running; its lease ends at {around.lease_until:%Y-%m-%d %H:%M} UTC at the latest."
    if around.thaw_is_open:
        yield "A thaw of the job is open: somebody may be restoring. Wait until it has ended, or cancel it."
