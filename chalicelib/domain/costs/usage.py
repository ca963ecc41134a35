"""What a job's sets use of S3, in the month that is running and the one after: the amounts that are then priced.

Nothing is measured day by day. A set's bytes arrived between its own time and S3's time of its newest file, were in
Standard until the job's storage policy moved the volumes, and are now where the catalogue has them; that gives
back the month so far from sets alone, so that reads grow with the sets and not with volumes or days. Bytes that
were removed earlier in the month are no longer known; versions that were only hidden are, and count.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

from chalicelib.domain.backups.freshness import Progress
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.sets import BackupSet, Tallies, Tally, add_tallies, total_bytes
from chalicelib.domain.backups.storage import STANDARD
from chalicelib.domain.costs.pricing import billed_bytes

UPLOADS_TAKE_AT_MOST = timedelta(days=30)
"""Beyond that, the set's name (the laptop's clock) is not believed about when the upload began."""

MOVE_SLACK = timedelta(days=2)
"""Lifecycle rules run once a day, and count days from the next midnight: later than this, a move was missed."""

METADATA_PERCENT = 2
"""Signatures take 0.6 to 2.4 % of what they describe, and stay in Standard."""

GROWTH_WINDOW = timedelta(days=28)
GROWTH_WINDOW_AT_LEAST = timedelta(days=7)
"""A job's pace is that of its last four weeks; that of a new one by what it has, but never by less than a week."""

PARTS_TO_COME = 12
USUAL_VOLUME_BYTES = 25 * 2**20
"""What is missing of a first backup is taken to come in so many parts, in volumes of the usual size."""

Amounts = Mapping[str, int]
"""By storage class: billed bytes times seconds, or objects."""


@dataclasses.dataclass(frozen=True)
class Month:
    """A calendar month in UTC, by which AWS bills."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        return int((self.end - self.start) / timedelta(hours=1))

    def following(self) -> Month:
        return month_of(self.end)


def month_of(moment: datetime) -> Month:
    start = datetime(moment.year, moment.month, 1, tzinfo=timezone.utc)
    return Month(start, (start + timedelta(days=32)).replace(day=1))


@dataclasses.dataclass(frozen=True)
class Span:
    """What one stretch of a month uses: ``held`` in billed bytes times seconds, ``moved`` objects by new class."""

    held: Amounts
    moved: Amounts
    put_objects: int


@dataclasses.dataclass(frozen=True)
class News:
    """What came to a job since the last report."""

    full_bytes: int = 0
    increment_bytes: int = 0
    increments: int = 0


@dataclasses.dataclass(frozen=True)
class JobUsage:
    """``unmoved`` volumes are still in Standard though their policy should have moved them, ``tags`` are on all
    versions of volumes; ``so_far`` is this month until now, ``rest`` what is to be expected until its end."""

    machine: str
    job: str
    archive_class: str
    sets: int
    current: Tallies
    noncurrent: Tallies
    tags: int
    unmoved: Tally
    so_far: Span
    rest: Span
    next_month: Span
    news: News

    @property
    def stored(self) -> Tallies:
        return add_tallies(self.current, self.noncurrent)

    @property
    def stored_bytes(self) -> int:
        return total_bytes(self.current) + total_bytes(self.noncurrent)


class _Sum:
    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.moved: dict[str, int] = {}
        self.put_objects = 0

    def hold(self, storage_class: str, tally: Tally, seconds: float) -> None:
        if seconds > 0 and tally != Tally():
            for billed_class, size_bytes in billed_bytes(storage_class, tally).items():
                held = self.held.get(billed_class, 0)
                self.held[billed_class] = held + int(size_bytes * seconds)

    def move(self, storage_class: str, objects: int) -> None:
        self.moved[storage_class] = self.moved.get(storage_class, 0) + objects

    def span(self) -> Span:
        return Span(self.held, self.moved, self.put_objects)


def job_usage(
    job: Job,
    sets: Sequence[BackupSet],
    now: datetime,
    *,
    since: datetime | None = None,
    first_backup: Progress | None = None,
) -> JobUsage:
    """``since`` is when the last report was written; without one there are no news. ``first_backup`` is on its way."""
    this_month = month_of(now)
    next_month = this_month.following()
    spans = {
        "so_far": (_Sum(), this_month.start, now),
        "rest": (_Sum(), now, this_month.end),
        "next_month": (_Sum(), next_month.start, next_month.end),
    }
    unmoved = Tally()
    for backup_set in sets:
        arrived = _arrival(backup_set, now)
        move_at = arrived + timedelta(days=job.storage.archive_after_days)
        moving = _still_to_move(job, backup_set)
        if moving.count and move_at + MOVE_SLACK < now:
            unmoved += moving
            moving = Tally()
        if arrived >= this_month.start:
            objects = sum(tally.count for tally in backup_set.current.values())
            spans["so_far"][0].put_objects += objects + _versions(backup_set)
        for total, start, end in spans.values():
            _hold_set(total, job, backup_set, moving, (arrived, max(move_at, arrived)), (start, end), now)
    _grow(job, sets, spans, now)
    if first_backup is not None:
        _finish_first_backup(job, first_backup, spans, now)
    return JobUsage(
        job.machine,
        job.name,
        job.storage.archive_class,
        len(sets),
        functools.reduce(add_tallies, (backup_set.current for backup_set in sets), {}),
        functools.reduce(add_tallies, (backup_set.noncurrent for backup_set in sets), {}),
        sum(len(backup_set.volumes) + _versions(backup_set) for backup_set in sets),
        unmoved,
        **{name: total.span() for name, (total, _, _) in spans.items()},
        news=_news(sets, since),
    )


def _versions(backup_set: BackupSet) -> int:
    return sum(tally.count for tally in backup_set.noncurrent.values())


def _arrival(backup_set: BackupSet, now: datetime) -> datetime:
    """When half of the set was there, if it came at an even pace."""
    last = min(backup_set.changed_at or backup_set.sealed_at or backup_set.set_id.end, now)
    begun = backup_set.set_id.end
    if not last - UPLOADS_TAKE_AT_MOST <= begun <= last:
        return last
    return begun + (last - begun) / 2


def _still_to_move(job: Job, backup_set: BackupSet) -> Tally:
    """Volumes in Standard that the policy has not moved yet; once some were moved, what is left are metadata."""
    in_standard = backup_set.current.get(STANDARD)
    if in_standard is None or job.storage.archive_class in backup_set.current or not backup_set.volumes:
        return Tally()
    size_bytes = in_standard.size_bytes * (100 - METADATA_PERCENT) // 100
    return Tally(min(len(backup_set.volumes), in_standard.count), size_bytes)


def _hold_set(
    total: _Sum,
    job: Job,
    backup_set: BackupSet,
    moving: Tally,
    came_and_goes: tuple[datetime, datetime],
    span: tuple[datetime, datetime],
    now: datetime,
) -> None:
    arrived, move_at = came_and_goes
    start, end = span
    for storage_class, tally in backup_set.current.items():
        if storage_class == STANDARD:
            stays = Tally(tally.count - moving.count, tally.size_bytes - moving.size_bytes)
            total.hold(STANDARD, stays, _seconds(arrived, end, start, end))
            total.hold(STANDARD, moving, _seconds(arrived, move_at, start, end))
            if moving.count:
                moves_at = max(move_at, now)
                total.hold(job.storage.archive_class, moving, _seconds(moves_at, end, start, end))
                if start <= moves_at < end:
                    total.move(job.storage.archive_class, moving.count)
        else:
            moved_at = min(move_at, now)
            total.hold(STANDARD, tally, _seconds(arrived, moved_at, start, end))
            total.hold(storage_class, tally, _seconds(moved_at, end, start, end))
            if start <= moved_at < min(end, now):
                total.move(storage_class, tally.count)
    for storage_class, tally in backup_set.noncurrent.items():
        total.hold(storage_class, tally, _seconds(arrived, end, start, end))


def _seconds(begin: datetime, finish: datetime, start: datetime, end: datetime) -> float:
    """How much of ``begin`` to ``finish`` lies between ``start`` and ``end``."""
    return max(0.0, (min(finish, end) - max(begin, start)).total_seconds())


def _grow(
    job: Job,
    sets: Sequence[BackupSet],
    spans: Mapping[str, tuple[_Sum, datetime, datetime]],
    now: datetime,
) -> None:
    """Adds to the times to come what will arrive at the pace of the last weeks; a job's first full is no pace."""
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
    oldest = min((_arrival(backup_set, now) for backup_set in sets), default=now)
    window = min(GROWTH_WINDOW, max(GROWTH_WINDOW_AT_LEAST, now - oldest)).total_seconds()
    size_a_second = sum(backup_set.stored_bytes for backup_set in recent) / window
    objects_a_second = (
        sum(tally.count for backup_set in recent for tally in backup_set.current.values()) / window
    )
    in_standard = job.storage.archive_after_days * 86_400
    for name, (total, start, end) in spans.items():
        if name == "so_far":
            continue
        begin, finish = (start - now).total_seconds(), (end - now).total_seconds()
        young = _young_area(finish, in_standard) - _young_area(begin, in_standard)
        old = _old_area(finish, in_standard) - _old_area(begin, in_standard)
        _add(total.held, STANDARD, int(size_a_second * young))
        _add(total.held, job.storage.archive_class, int(size_a_second * old))
        total.put_objects += round(objects_a_second * (finish - begin))
        moved = max(0.0, finish - in_standard) - max(0.0, begin - in_standard)
        _add(total.moved, job.storage.archive_class, round(objects_a_second * moved))


def _finish_first_backup(
    job: Job, progress: Progress, spans: Mapping[str, tuple[_Sum, datetime, datetime]], now: datetime
) -> None:
    """Adds what is still to come of a first backup, at its present pace."""
    if not progress.percent or progress.time_left is None:
        return
    part_bytes = progress.stored_bytes * (100 - progress.percent) // progress.percent // PARTS_TO_COME
    part = Tally(max(1, part_bytes // USUAL_VOLUME_BYTES), part_bytes)
    for number in range(PARTS_TO_COME):
        arrives = now + progress.time_left * ((number + 0.5) / PARTS_TO_COME)
        moves_at = arrives + timedelta(days=job.storage.archive_after_days)
        for name, (total, start, end) in spans.items():
            if name == "so_far":
                continue
            total.hold(STANDARD, part, _seconds(arrives, moves_at, start, end))
            total.hold(job.storage.archive_class, part, _seconds(moves_at, end, start, end))
            if start <= arrives < end:
                total.put_objects += part.count
            if start <= moves_at < end:
                total.move(job.storage.archive_class, part.count)


def _young_area(until: float, limit: float) -> float:
    """Of one byte a second from 0 on: byte-seconds until then of bytes no older than ``limit`` seconds."""
    return until * until / 2 if until <= limit else limit * until - limit * limit / 2


def _old_area(until: float, limit: float) -> float:
    """The same, of bytes older than ``limit`` seconds."""
    return max(0.0, until - limit) ** 2 / 2


def _add(amounts: dict[str, int], name: str, amount: int) -> None:
    if amount:
        amounts[name] = amounts.get(name, 0) + amount


def _news(sets: Sequence[BackupSet], since: datetime | None) -> News:
    if since is None:
        return News()
    new = [
        backup_set
        for backup_set in sets
        if backup_set.changed_at is not None and backup_set.changed_at > since
    ]
    increments = [backup_set for backup_set in new if not backup_set.set_id.is_full]
    return News(
        full_bytes=sum(backup_set.stored_bytes for backup_set in new if backup_set.set_id.is_full),
        increment_bytes=sum(backup_set.stored_bytes for backup_set in increments),
        increments=len(increments),
    )
