"""What is still to arrive until the end of a month and in the next one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.backups.freshness import Progress
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.storage import STANDARD
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.months import SpanSum

UPLOADS_TAKE_AT_MOST = timedelta(days=30)
"""Beyond that, the set's name (the laptop's clock) is not believed about when the upload began."""

GROWTH_WINDOW = timedelta(days=28)
GROWTH_WINDOW_AT_LEAST = timedelta(days=7)
"""A job's pace is that of its last four weeks; that of a new one by what it has, but never by less than a week."""

PARTS_TO_COME = 12
USUAL_VOLUME_BYTES = 25 * 2**20
"""What is missing of a first backup is taken to come in so many parts, in volumes of the usual size."""


def arrival(backup_set: BackupSet, now: datetime) -> datetime:
    """When half of the set was there, if it came at an even pace."""
    last = min(backup_set.changed_at or backup_set.sealed_at or backup_set.set_id.end, now)
    begun = backup_set.set_id.end
    if not last - UPLOADS_TAKE_AT_MOST <= begun <= last:
        return last
    return begun + (last - begun) / 2


def add_growth(job: Job, sets: Sequence[BackupSet], coming: Iterable[SpanSum], now: datetime) -> None:
    """Adds to the spans to come what will arrive at the pace of the last weeks; a job's first full is no pace."""
    first_full = min(
        (backup_set for backup_set in sets if backup_set.set_id.is_full),
        key=lambda backup_set: backup_set.set_id.end,
        default=None,
    )
    recent = [
        backup_set
        for backup_set in sets
        if backup_set is not first_full
        and backup_set.sealed_at is not None
        and now - backup_set.sealed_at < GROWTH_WINDOW
    ]
    if not recent:
        return
    oldest = min((arrival(backup_set, now) for backup_set in sets), default=now)
    window = min(GROWTH_WINDOW, max(GROWTH_WINDOW_AT_LEAST, now - oldest)).total_seconds()
    size_a_second = sum(backup_set.stored_bytes for backup_set in recent) / window
    objects_a_second = (
        sum(tally.count for backup_set in recent for tally in backup_set.current.values()) / window
    )
    in_standard = job.storage.archive_after_days * 86_400
    for total in coming:
        begin, finish = (total.start - now).total_seconds(), (total.end - now).total_seconds()
        young = _young_area(finish, in_standard) - _young_area(begin, in_standard)
        old = _old_area(finish, in_standard) - _old_area(begin, in_standard)
        _add(total.held, STANDARD, int(size_a_second * young))
        _add(total.held, job.storage.archive_class, int(size_a_second * old))
        total.put_objects += round(objects_a_second * (finish - begin))
        moved = max(0.0, finish - in_standard) - max(0.0, begin - in_standard)
        if job.storage.moves:
            _add(total.moved, job.storage.archive_class, round(objects_a_second * moved))


def add_rest_of_first_backup(job: Job, progress: Progress, coming: Sequence[SpanSum], now: datetime) -> None:
    """Adds what is still to come of a first backup, at its present pace."""
    if not progress.percent or progress.time_left is None:
        return
    part_bytes = progress.stored_bytes * (100 - progress.percent) // progress.percent // PARTS_TO_COME
    part = Tally(max(1, part_bytes // USUAL_VOLUME_BYTES), part_bytes)
    for number in range(PARTS_TO_COME):
        arrives = now + progress.time_left * ((number + 0.5) / PARTS_TO_COME)
        moves_at = arrives + timedelta(days=job.storage.archive_after_days)
        for total in coming:
            total.hold(STANDARD, part, arrives, moves_at)
            total.hold(job.storage.archive_class, part, moves_at, total.end)
            total.put(part.count, arrives)
            if job.storage.moves:
                total.move(job.storage.archive_class, part.count, moves_at)


def _young_area(until: float, limit: float) -> float:
    """Of one byte a second from 0 on: byte-seconds until then of bytes no older than ``limit`` seconds."""
    return until * until / 2 if until <= limit else limit * until - limit * limit / 2


def _old_area(until: float, limit: float) -> float:
    """The same, of bytes older than ``limit`` seconds."""
    return max(0.0, until - limit) ** 2 / 2


def _add(amounts: dict[str, int], name: str, amount: int) -> None:
    if amount:
        amounts[name] = amounts.get(name, 0) + amount
