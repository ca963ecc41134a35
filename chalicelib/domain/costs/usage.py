"""What a job's sets use of S3, in the month that is running and the one after: the amounts that are then priced.

Nothing is measured day by day. A set's bytes arrived between its own time and S3's time of its newest file, were in
Standard until the job's storage policy moved the volumes, and are now where the catalogue has them; that gives
back the month so far from sets alone, so that reads grow with the sets and not with volumes or days. Versions that
were only hidden are billed and count, and of a chain that was let go what it had, until that is removed for good.
Other bytes that were removed earlier in the month are no longer known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.backups.freshness import Progress
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.storage import STANDARD
from chalicelib.domain.backups.tallies import Tallies, Tally, sum_tallies, total_bytes
from chalicelib.domain.costs.growth import add_growth, add_rest_of_first_backup, arrival
from chalicelib.domain.costs.months import Span, SpanSum, month_of
from chalicelib.domain.costs.removals import TAGS_OF_LET_GO, RemovedSet, add_removed, removed_sets
from chalicelib.domain.retention.let_go import LetGo

MOVE_SLACK = timedelta(days=2)
"""Lifecycle rules run once a day, and count days from the next midnight: later than this, a move was missed."""

METADATA_PERCENT = 2
"""Signatures take 0.6 to 2.4 % of what they describe, and stay in Standard."""


@dataclasses.dataclass(frozen=True)
class News:
    """What came to a job since the last report; ``removed`` is what was let go and has been removed for good since."""

    full_bytes: int = 0
    increment_bytes: int = 0
    increments: int = 0
    removed: Tallies = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class JobUsage:
    """``unmoved`` volumes are still in Standard though their policy should have moved them, ``tags`` are on all
    versions of volumes; ``so_far`` is this month until now, ``rest`` what is to be expected until its end.

    ``let_go`` is stored and billed of chains that were let go, and in neither ``current`` nor ``noncurrent``; it has
    ``let_go_tags``. ``let_go_files`` is how many files were let go this month.
    """

    machine: str
    job: str
    archive_class: str
    sets: int
    current: Tallies
    noncurrent: Tallies
    let_go: Tallies
    tags: int
    let_go_tags: int
    let_go_files: int
    unmoved: Tally
    so_far: Span
    rest: Span
    next_month: Span
    news: News

    @property
    def stored(self) -> Tallies:
        return sum_tallies((self.current, self.noncurrent, self.let_go))

    @property
    def stored_bytes(self) -> int:
        return total_bytes(self.current) + total_bytes(self.noncurrent) + total_bytes(self.let_go)


def job_usage(
    job: Job,
    sets: Sequence[BackupSet],
    now: datetime,
    *,
    since: datetime | None = None,
    first_backup: Progress | None = None,
    let_gos: Sequence[LetGo] = (),
) -> JobUsage:
    """``since`` is when the last report was written; without one there are no news. ``first_backup`` is on its way.
    ``sets`` are all, hidden ones and those with nothing stored too, ``let_gos`` those of the job."""
    removed = removed_sets(sets, let_gos, now) if let_gos else {}
    if removed:
        sets = [
            *(backup_set for backup_set in sets if backup_set.set_id not in removed),
            *(one.stays for one in removed.values()),
        ]
    this_month, following = month_of(now), month_of(now).following()
    so_far = SpanSum(this_month.start, now)
    rest, next_month = coming = SpanSum(now, this_month.end), SpanSum(following.start, following.end)
    unmoved = sum((_add_set(job, backup_set, (so_far, *coming), now) for backup_set in sets), Tally())
    for gone in removed.values():
        add_removed(job, gone, (so_far, *coming), now)
    add_growth(job, sets, coming, now)
    if first_backup is not None:
        add_rest_of_first_backup(job, first_backup, coming, now)
    return JobUsage(
        machine=job.machine,
        job=job.name,
        archive_class=job.storage.archive_class,
        sets=len(sets),
        current=sum_tallies(backup_set.current for backup_set in sets),
        noncurrent=sum_tallies(backup_set.noncurrent for backup_set in sets),
        let_go=sum_tallies(gone.stored for gone in removed.values()),
        tags=sum(len(backup_set.volumes) + _objects(backup_set.noncurrent) for backup_set in sets),
        let_go_tags=sum(_objects(gone.stored) * TAGS_OF_LET_GO for gone in removed.values()),
        let_go_files=sum(
            let_go.files for let_go in let_gos if this_month.start <= let_go.begun_at < this_month.end
        ),
        unmoved=unmoved,
        so_far=so_far.span(),
        rest=rest.span(),
        next_month=next_month.span(),
        news=_news(sets, removed.values(), since, now),
    )


def _objects(tallies: Tallies) -> int:
    return sum(tally.count for tally in tallies.values())


def _still_to_move(job: Job, backup_set: BackupSet, now: datetime) -> Tally:
    """Volumes in Standard that the policy has not moved yet; once some were moved, what is left are metadata.

    What was there before the owner chose the policy stays with the one before, which nobody remembers here.
    """
    in_standard = backup_set.current.get(STANDARD)
    if in_standard is None or {STANDARD} != set(backup_set.current) or not backup_set.volumes:
        return Tally()
    since = job.storage_since
    if not job.storage.moves or (since is not None and arrival(backup_set, now) < since):
        return Tally()
    size_bytes = in_standard.size_bytes * (100 - METADATA_PERCENT) // 100
    return Tally(min(len(backup_set.volumes), in_standard.count), size_bytes)


def _add_set(job: Job, backup_set: BackupSet, spans: Iterable[SpanSum], now: datetime) -> Tally:
    """Adds what a set holds to all spans; returns what should have moved by now and has not."""
    arrived, archive = arrival(backup_set, now), job.storage.archive_class
    move_at = arrived + timedelta(days=job.storage.archive_after_days)
    moving, unmoved = _still_to_move(job, backup_set, now), Tally()
    if moving.count and move_at + MOVE_SLACK < now:
        moving, unmoved = Tally(), moving
    files = _objects(backup_set.current) + _objects(backup_set.noncurrent)
    for total in spans:
        total.put(files, arrived)
        for storage_class, tally in backup_set.current.items():
            if storage_class == STANDARD:
                total.hold(STANDARD, tally - moving, arrived, total.end)
                total.hold(STANDARD, moving, arrived, move_at)
                total.hold(archive, moving, max(move_at, now), total.end)
                total.move(archive, moving.count, max(move_at, now))
            else:
                moved_at = min(move_at, now)
                total.hold(STANDARD, tally, arrived, moved_at)
                total.hold(storage_class, tally, moved_at, total.end)
                total.move(storage_class, tally.count if moved_at < now else 0, moved_at)
        for storage_class, tally in backup_set.noncurrent.items():
            total.hold(storage_class, tally, arrived, total.end)
    return unmoved


def _news(
    sets: Sequence[BackupSet], removed: Iterable[RemovedSet], since: datetime | None, now: datetime
) -> News:
    if since is None:
        return News()
    new = [
        backup_set
        for backup_set in sets
        if backup_set.current and backup_set.changed_at is not None and backup_set.changed_at > since
    ]
    increments = [backup_set for backup_set in new if not backup_set.set_id.is_full]
    return News(
        full_bytes=sum(backup_set.stored_bytes for backup_set in new if backup_set.set_id.is_full),
        increment_bytes=sum(backup_set.stored_bytes for backup_set in increments),
        increments=len(increments),
        removed=sum_tallies(one.went for one in removed if since < one.until <= now),
    )
