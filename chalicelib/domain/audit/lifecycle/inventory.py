"""What is in a bucket, counted for the sake of its lifecycle rules: fed every object once, it knows what each takes."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.audit.custody import Custody, WatchedJob
from chalicelib.domain.audit.lifecycle.coverage import (
    INTELLIGENT_TIERING,
    can_sink,
    known_tags,
    takes_to_come,
)
from chalicelib.domain.audit.lifecycle.rules import Rule, next_midnight
from chalicelib.domain.backups.foreign_names import form_of
from chalicelib.domain.backups.names import BackupFile, FileKind, SetId, prefixes_overlap
from chalicelib.domain.backups.objects import StoredObject
from chalicelib.domain.backups.storage import (
    POLICY_OF_TAG,
    SMALLEST_MOVED_BYTES,
    STANDARD,
    StoragePolicy,
    readable_instead_of,
)
from chalicelib.domain.backups.tallies import Tally

LATE_BY = timedelta(days=3)
"""S3 works through the rules once a day and may take another day or two with many objects."""


@dataclasses.dataclass(frozen=True)
class FileOfSet:
    """A file of a backup. ``tags`` as far as they are known, ``None`` for one that is not there."""

    key: str
    stored: StoredObject
    tags: Mapping[str, str | None]
    is_volume: bool


@dataclasses.dataclass
class TakenByRule:
    """What one rule takes that is on."""

    rule: Rule
    count: int = 0
    jobs: set[WatchedJob] = dataclasses.field(default_factory=set)
    """Of which it takes any file."""
    volumes_of: set[WatchedJob] = dataclasses.field(default_factory=set)
    sinking_metadata: tuple[WatchedJob, str] | None = None
    """The first manifest or signature file that the rule moves to where it may not be read: its job and key."""
    expiring_other: tuple[datetime, str] | None = None
    """The first backup file of no known job that the rule deletes: the date, and the key."""

    def of(self, jobs: Iterable[WatchedJob]) -> list[WatchedJob]:
        """Those of which it takes a file that is there or will be."""
        return [job for job in jobs if job in self.jobs or takes_to_come(self.rule, job)]


@dataclasses.dataclass(frozen=True)
class MissedMoves:
    """Volumes in Standard that a rule was meant to move to ``storage_class`` after so many days: by their age in whole
    days."""

    storage_class: str
    after_days: int
    by_age: Mapping[int, Tally]


@dataclasses.dataclass
class FilesOfJob:
    """What was seen of one job: volumes that no rule moves, and those that one should have moved by now."""

    watched: WatchedJob
    volume_prefixes: set[str] = dataclasses.field(default_factory=set)
    """What the names of volumes begin with, folders included."""
    metadata_prefixes: set[str] = dataclasses.field(default_factory=set)
    unmoved: Tally = dataclasses.field(default_factory=Tally)
    unmoved_by_age: defaultdict[int, Tally] = dataclasses.field(default_factory=lambda: defaultdict(Tally))
    """Volumes in Standard that no rule moves and S3 would move, by whole days since S3 stored them."""
    late: Tally = dataclasses.field(default_factory=Tally)
    oldest_late: datetime | None = None
    sets: dict[SetId, list[FileOfSet]] = dataclasses.field(default_factory=dict)
    """The files of each set, where a rule expires anything."""
    tiered: int = 0
    """How many files are in Intelligent-Tiering."""
    first_tiered: datetime | None = None


class Inventory:
    """``default_size``: S3's ``TransitionDefaultMinimumObjectSize``."""

    def __init__(self, rules: Sequence[Rule], default_size: str, now: datetime) -> None:
        self.taken = [TakenByRule(rule) for rule in rules if rule.enabled]
        self.count = 0
        self.default_size = default_size
        self._now = now
        self._jobs: dict[str, FilesOfJob] = {}
        self._asked_tags = {name for taken in self.taken for name in taken.rule.tags}
        self._expires = any(taken.rule.expires for taken in self.taken)

    @property
    def jobs(self) -> Iterable[FilesOfJob]:
        return self._jobs.values()

    def of_job(self, watched: WatchedJob) -> FilesOfJob:
        return self._jobs.get(watched.label, FilesOfJob(watched))

    def with_prefix(self, taken: TakenByRule, prefix: str) -> TakenByRule:
        """What the rule would take with another prefix, as far as prefixes show it."""
        rule = dataclasses.replace(taken.rule, prefix=prefix)
        found = TakenByRule(rule)
        for of_job in self.jobs:
            if any(prefixes_overlap(prefix, one) for one in of_job.volume_prefixes):
                found.volumes_of.add(of_job.watched)
            if any(
                prefixes_overlap(prefix, one) for one in of_job.volume_prefixes | of_job.metadata_prefixes
            ):
                found.jobs.add(of_job.watched)
        return found

    def missed_by(self, taken: TakenByRule) -> MissedMoves | None:
        """What a rule that never matched anything would have moved; ``taken`` is the rule as it was meant."""
        moves = [one for one in taken.rule.transitions if one.after_days is not None]
        if not moves:
            return None
        first = min(moves, key=lambda one: one.after_days or 0)
        by_age, is_wanted = defaultdict[int, Tally](Tally), True
        for of_job in self.jobs:
            if of_job.watched in taken.volumes_of:
                is_wanted = is_wanted and of_job.watched.job.storage.accepts(first.storage_class)
                for age_days, tally in of_job.unmoved_by_age.items():
                    by_age[age_days] += tally
        storage_class = first.storage_class if is_wanted else readable_instead_of(first.storage_class)
        return MissedMoves(storage_class, first.after_days or 0, by_age)

    def add_other(self, key: str, stored: StoredObject) -> None:
        """An object that belongs to no job. It may be a backup's all the same."""
        matching = self._match(key, stored, {})
        if form_of(key) is None:
            return
        for taken in matching:
            date = taken.rule.expiry_of(stored.stored_at)
            if date is not None:
                taken.expiring_other = min(taken.expiring_other or (date, key), (date, key))

    def add(
        self,
        watched: WatchedJob,
        name: str,
        file: BackupFile,
        stored: StoredObject,
        all_tags: Mapping[str, str] | None = None,
    ) -> None:
        """A file of a job's; ``all_tags`` where somebody has read them all, otherwise the service's own is known."""
        key = watched.job.location.key(name)
        tags = known_tags(watched, file, stored)
        if all_tags is not None:
            tags = {name: all_tags.get(name) for name in self._asked_tags}
        matching = self._match(key, stored, tags)
        is_volume = file.kind is FileKind.VOLUME
        of_job = self._jobs.setdefault(watched.label, FilesOfJob(watched))
        prefixes = of_job.volume_prefixes if is_volume else of_job.metadata_prefixes
        prefixes.add(key.removesuffix(name) + file.prefix)
        if is_volume:
            self._add_volume(of_job, matching, file, stored)
        for taken in matching:
            taken.jobs.add(watched)
            if is_volume:
                taken.volumes_of.add(watched)
            sinks = any(can_sink(transition.storage_class) for transition in taken.rule.transitions)
            if sinks and not is_volume and taken.sinking_metadata is None:
                taken.sinking_metadata = (watched, key)
        if stored.storage_class == INTELLIGENT_TIERING:
            of_job.tiered += 1
            of_job.first_tiered = min(of_job.first_tiered or stored.stored_at, stored.stored_at)
        if self._expires:
            of_job.sets.setdefault(file.set_id, []).append(FileOfSet(key, stored, tags, is_volume))

    def _match(self, key: str, stored: StoredObject, tags: Mapping[str, str | None]) -> list[TakenByRule]:
        self.count += 1
        matching = [taken for taken in self.taken if taken.rule.takes(key, stored.size, tags)]
        for taken in matching:
            taken.count += 1
        return matching

    def _add_volume(
        self, of_job: FilesOfJob, matching: Sequence[TakenByRule], file: BackupFile, stored: StoredObject
    ) -> None:
        if stored.storage_class != STANDARD:
            return
        moving = [(taken.rule, one) for taken in matching for one in taken.rule.transitions]
        if not moving:
            if stored.size >= SMALLEST_MOVED_BYTES:
                age_days = max(0, (self._now - stored.stored_at).days)
                of_job.unmoved_by_age[age_days] += Tally(1, stored.size)
            if _should_be_moved(of_job.watched, file, stored):
                of_job.unmoved += Tally(1, stored.size)
            return
        due = [
            next_midnight(stored.stored_at + timedelta(days=transition.after_days))
            for rule, transition in moving
            if transition.after_days is not None
            and rule.moves(stored.size, transition.storage_class, self.default_size)
        ]
        if due and self._now > min(due) + LATE_BY:
            of_job.late += Tally(1, stored.size)
            of_job.oldest_late = min(of_job.oldest_late or stored.stored_at, stored.stored_at)


def _should_be_moved(watched: WatchedJob, file: BackupFile, stored: StoredObject) -> bool:
    """By the policy that the volume's tag names, under which it was uploaded, where the tag is known.

    Not where the tag or the prefix is wrong, which are findings of their own: without its prefix, no rule can tell a
    volume from a manifest.
    """
    policy: StoragePolicy | None = watched.job.storage
    if watched.custody is Custody.OWN and stored.storage_tag is not None:
        policy = POLICY_OF_TAG.get(stored.storage_tag)
    return file.is_under_right_prefix and policy is not None and policy.moves
