"""What is still billed of backups that were let go or dropped, and what removing them too early costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.storage import STANDARD
from chalicelib.domain.backups.tallies import Tallies, Tally, add_tallies, subtract_tallies
from chalicelib.domain.costs.growth import arrival
from chalicelib.domain.costs.months import SpanSum
from chalicelib.domain.retention.let_go import LetGo

TAGS_OF_LET_GO = 2
"""A version of a chain that was let go has the tag of its storage policy and that of the rule which removes it."""


@dataclasses.dataclass(frozen=True)
class RemovedSet:
    """A set of a chain that was let go. ``went`` is billed ``until``, and ``stored`` is what is there of it now.

    ``stays`` is the set as far as it is billed beyond that: older versions, which carry no tag, and what a lock keeps
    of a set that the owner dropped.
    """

    went: Tallies
    stored: Tallies
    stays: BackupSet
    begun_at: datetime
    until: datetime
    tags: int
    newest_at: datetime

    @property
    def files(self) -> int:
        return sum(tally.count for tally in self.went.values())


def removed_sets(
    sets: Iterable[BackupSet], let_gos: Sequence[LetGo], now: datetime
) -> Mapping[SetId, RemovedSet]:
    """The sets of a job's chains that were let go, also those whose rows are gone by now; none that the owner is
    bringing back."""
    ids = {set_id: let_go for let_go in let_gos if let_go.undone_at is None for set_id in let_go.sets}
    known = {backup_set.set_id: backup_set for backup_set in sets if backup_set.set_id in ids}
    return {
        set_id: _removed(let_go, known.get(set_id) or BackupSet(set_id), now)
        for set_id, let_go in ids.items()
    }


def _removed(let_go: LetGo, known: BackupSet, now: datetime) -> RemovedSet:
    there = add_tallies(known.current, known.noncurrent)
    had = let_go.went.get(known.set_id, there)
    until = let_go.billed_until(now)
    stays = there if let_go.dropped else _beyond(there, had)
    return RemovedSet(
        _beyond(had, there) if let_go.dropped else had,
        subtract_tallies(there, stays) if now < until else {},
        dataclasses.replace(known, volumes=frozenset(), current={}, noncurrent=stays),
        let_go.begun_at,
        until,
        1 if let_go.dropped else TAGS_OF_LET_GO,
        known.changed_at or known.set_id.end,
    )


def _beyond(one: Tallies, other: Tallies) -> Tallies:
    """What of the first is more than the second."""
    more = {name: tally - other.get(name, Tally()) for name, tally in one.items()}
    positive = {name: Tally(max(0, tally.count), max(0, tally.size_bytes)) for name, tally in more.items()}
    return {name: tally for name, tally in positive.items() if tally != Tally()}


def add_removed(job: Job, removed: RemovedSet, spans: Iterable[SpanSum], now: datetime) -> None:
    """Adds what went to all spans: held until it was, or will be, removed for good, and the fee for that."""
    arrived, after = arrival(removed.stays, now), timedelta(days=job.storage.archive_after_days)
    moved_at = min(arrived + after, removed.begun_at)
    archived_at = min(removed.newest_at + after, removed.begun_at)
    for total in spans:
        total.put(removed.files, arrived)
        total.tag(removed.files, arrived, removed.begun_at)
        total.tag(removed.files * removed.tags, removed.begun_at, removed.until)
        for storage_class, tally in removed.went.items():
            if storage_class == STANDARD:
                total.hold(STANDARD, tally, arrived, removed.until)
                continue
            total.hold(STANDARD, tally, arrived, moved_at)
            total.hold(storage_class, tally, moved_at, removed.until)
            total.move(storage_class, tally.count, moved_at)
            total.remove(storage_class, tally, archived_at, removed.until)
