"""Object rows, set rows and gates in the table."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from chalicelib.adapters.stores import catalogue_rows, rows
from chalicelib.adapters.stores.summary_store import SummaryStore
from chalicelib.adapters.table import Item, Table, attempted
from chalicelib.domain.backups.freshness import SealedSummary
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.objects import ObjectRow
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import total_bytes
from chalicelib.domain.backups.uploads import DISCARD_LOCK_LIFE, UNFINISHED_AFTER
from chalicelib.domain.sealing.gates import Gate
from chalicelib.domain.sealing.hidden import HiddenSets

STRAYS = "STRAYS"

FIRST_NAME = " "
"""Sorts before every name that duplicity writes; a sort key cannot be empty."""

LAST_NAME = "\U0010ffff"
"""Sorts behind every name that S3 takes."""

MULTIPART_LIFE = UNFINISHED_AFTER + timedelta(days=1)
"""A day more than the bucket's rule leaves an upload that nobody completes."""

TOMBSTONE_LIFE = timedelta(days=90)
"""A row of which S3 holds nothing any more says only that older events of its key are old. They come within two weeks,
the life of a message in the dead-letter queue."""

_UNCHANGED_SET = "attribute_not_exists(pk) OR revision = :known"


@dataclasses.dataclass(frozen=True)
class SetPage:
    """A set as it was read, with some of its object rows; ``revision`` guards the write."""

    backup_set: BackupSet
    revision: int
    objects: dict[str, ObjectRow]


@dataclasses.dataclass(frozen=True)
class JobSets:
    """A job with its sets: ``every`` one, also of which only older versions are left, and those that count."""

    job: Job
    every: list[BackupSet]
    visible: list[BackupSet]
    hidden: HiddenSets = dataclasses.field(default_factory=HiddenSets)


class CatalogueStore:
    def __init__(self, table: Table) -> None:
        self._table = table
        self.summaries = SummaryStore(table)

    # ------------------------------------------------------------ sets and their objects

    def sets(self, job: Job) -> list[BackupSet]:
        """The sets of which something is stored; of a set that was given up, only its row is left."""
        found = map(catalogue_rows.set_of, self._table.query(catalogue_rows.job_partition(job), "SET#"))
        return [backup_set for backup_set in found if backup_set.current]

    def sets_between(self, job: Job, set_ids: Collection[SetId]) -> list[BackupSet]:
        """These sets, and those of their kind that stand between them in the order of their rows."""
        found: list[BackupSet] = []
        for kind in {set_id.kind for set_id in set_ids}:
            keys = sorted(catalogue_rows.set_sort_key(set_id) for set_id in set_ids if set_id.kind == kind)
            found += map(
                catalogue_rows.set_of,
                self._table.query_between(catalogue_rows.job_partition(job), keys[0], keys[-1]),
            )
        return found

    def sets_of_each(self, jobs: Iterable[Job]) -> Iterator[JobSets]:
        """Job after job, so that nobody has to hold the sets of all; what is hidden is read once for all.

        Not consistent: this is for evaluating them, again and again, and most of what the table costs.
        """
        hidden = catalogue_rows.hidden_of(self._table.query(catalogue_rows.QUARANTINES))
        for job in jobs:
            of_job = hidden.get(rows.job_sort_key(job.machine, job.name), HiddenSets())
            found = self._table.query(catalogue_rows.job_partition(job), "SET#", consistent=False)
            every = list(map(catalogue_rows.set_of, found))
            yield JobSets(
                job,
                every,
                [one for one in every if one.current and one.set_id not in of_job],
                of_job,
            )

    def stored_bytes(self, jobs: Iterable[Job]) -> int:
        """What is billed of these jobs' sets, older versions included."""
        return sum(
            total_bytes(backup_set.current) + total_bytes(backup_set.noncurrent)
            for job in jobs
            for backup_set in map(
                catalogue_rows.set_of, self._table.query(catalogue_rows.job_partition(job), "SET#")
            )
        )

    def visible_sets(self, job: Job) -> list[BackupSet]:
        """The sets that count: without those that are in quarantine, and those of chains that were let go."""
        hidden = self.hidden(job)
        return [backup_set for backup_set in self.sets(job) if backup_set.set_id not in hidden]

    def summarize_anew(self, job: Job, now: datetime) -> SealedSummary:
        """From all sets that count, for a job that has no summary yet."""
        return self.summaries.bring_up_to_date(job, self.visible_sets(job), now)

    def quarantine(self, job: Job, set_id: SetId, *, hide: bool) -> None:
        item = rows.new_row(catalogue_rows.QUARANTINES, catalogue_rows.job_set_sort_key(job, set_id))
        if hide:
            self._table.put(item)
        else:
            self._table.delete(item["pk"], item["sk"])

    def hidden(self, job: Job) -> HiddenSets:
        """The job's sets that do not count: in quarantine, or of a chain that was let go."""
        found = self._table.query(catalogue_rows.QUARANTINES, catalogue_rows.job_set_sort_key(job, None))
        name = rows.job_sort_key(job.machine, job.name)
        return catalogue_rows.hidden_of(found).get(name, HiddenSets())

    def read_page(self, job: Job, set_id: SetId, names: Sequence[str]) -> SetPage:
        """The set and those of its objects that ``names`` lists, in one consistent read."""
        set_key = (catalogue_rows.job_partition(job), catalogue_rows.set_sort_key(set_id))
        partition = catalogue_rows.objects_partition(job)
        found = self._table.get_many([set_key, *((partition, name) for name in names)])
        item = found.pop(set_key, None)
        return SetPage(
            backup_set=catalogue_rows.set_of(item) if item else BackupSet(set_id),
            revision=int(item["revision"]) if item else 0,
            objects={sk: catalogue_rows.object_of(found[pk, sk]) for pk, sk in found},
        )

    def write_page(
        self, job: Job, page: SetPage, backup_set: BackupSet, objects: Sequence[ObjectRow], now: datetime
    ) -> bool:
        """Writes up to 99 objects and their set together; False if somebody wrote one of them since."""
        partition = catalogue_rows.objects_partition(job)
        puts = [_conditional_put(partition, row, page.objects.get(row.name), now) for row in objects]
        set_item = catalogue_rows.set_item(job, backup_set, page.revision + 1)
        if not (backup_set.current or backup_set.noncurrent):
            set_item |= _lapses(now)
        puts.append((set_item, _UNCHANGED_SET, {":known": page.revision}))
        return attempted(self._table.put_all_or_none, puts)

    def set_pages(self, job: Job) -> dict[SetId, SetPage]:
        """Every set row of the job with its revision, given-up sets included."""
        pages = {}
        for item in self._table.query(catalogue_rows.job_partition(job), "SET#"):
            backup_set = catalogue_rows.set_of(item)
            pages[backup_set.set_id] = SetPage(backup_set, int(item["revision"]), {})
        return pages

    def repair_set(self, job: Job, backup_set: BackupSet, revision: int, now: datetime) -> bool:
        """Replaces a set's row unless it was written since that revision was read."""
        return self.write_page(job, SetPage(backup_set, revision, {}), backup_set, [], now)

    def objects_named(self, job: Job, names: Sequence[str]) -> dict[str, ObjectRow]:
        """The rows of these names; those without one are left out."""
        partition = catalogue_rows.objects_partition(job)
        found = self._table.get_many([(partition, name) for name in names])
        return {name: catalogue_rows.object_of(item) for (_, name), item in found.items()}

    def objects_between(self, job: Job, after: str, last: str = LAST_NAME) -> Iterator[ObjectRow]:
        """The job's rows with ``after < name <= last``, as many as are asked for."""
        found = self._table.query_between(catalogue_rows.objects_partition(job), after or FIRST_NAME, last)
        return (row for row in map(catalogue_rows.object_of, found) if row.name > after)

    def strays_between(self, location: Location, after: str, last: str = LAST_NAME) -> Iterator[ObjectRow]:
        """The strays below a job's location, by what follows its prefix in their keys."""
        base = f"{location.bucket}/{location.prefix}"
        for row in map(
            catalogue_rows.object_of,
            self._table.query_between(STRAYS, *map(rows.sort_key, (base + after, base + last))),
        ):
            name = row.name.removeprefix(base)
            if name > after:
                yield dataclasses.replace(row, name=name)

    def objects(self, job: Job) -> Iterator[ObjectRow]:
        """All of the job's object rows, tombstones included, in the order of their names."""
        return map(catalogue_rows.object_of, self._table.query(catalogue_rows.objects_partition(job)))

    # ------------------------------------------------------------ strays

    def stray(self, bucket: str, key: str) -> ObjectRow | None:
        item = self._table.get(STRAYS, rows.sort_key(f"{bucket}/{key}"))
        return catalogue_rows.object_of(item) if item else None

    def put_stray(
        self, bucket: str, key: str, row: ObjectRow, known: ObjectRow | None, now: datetime
    ) -> bool:
        """``row`` goes under its whole address; False if somebody wrote it since ``known`` was read."""
        put = _conditional_put(STRAYS, dataclasses.replace(row, name=f"{bucket}/{key}"), known, now)
        return attempted(self._table.put, *put)

    def strays(self, bucket: str, key_prefix: str = "") -> Iterator[ObjectRow]:
        """Stray rows by their keys, tombstones included."""
        for item in self._table.query(STRAYS, f"{bucket}/{key_prefix}"):
            row = catalogue_rows.object_of(item)
            yield dataclasses.replace(row, name=row.name.removeprefix(f"{bucket}/"))

    # ------------------------------------------------------------ uploads in parts

    def record_multipart(self, job: Job, upload: str, digest: str, now: datetime) -> None:
        """What the upload was begun for; the row goes when the bucket's rule has aborted the upload."""
        expires_at = int((now + MULTIPART_LIFE).timestamp())
        key = catalogue_rows.job_partition(job), _multipart_key(upload)
        self._table.put(rows.new_row(*key, digest=digest, expires_at_epoch=expires_at))

    def multipart_digest(self, job: Job, upload: str) -> str | None:
        item = self._table.get(catalogue_rows.job_partition(job), _multipart_key(upload))
        return item["digest"] if item else None

    # ------------------------------------------------------------ gates

    def gate(self, job: Job, set_id: SetId) -> Gate:
        return catalogue_rows.gate_of(
            self._table.get(catalogue_rows.job_partition(job), catalogue_rows.gate_sort_key(set_id))
        )

    def begin_set(self, job: Job, set_id: SetId, now: datetime) -> None:
        self._move_gate(job, set_id, {"begun_at": rows.format_instant(now)}, None, None)

    def claim_seal(
        self, job: Job, set_id: SetId, sealed: Collection[SetId], until: datetime, now: datetime
    ) -> bool:
        """Makes this the one set of the job that is being sealed; false while another one is.

        Another's claim ends with its life, or when that set is among the ``sealed``.
        """
        key = (catalogue_rows.job_partition(job), "SEALING")
        known = self._table.get(*key) or {}
        other = known.get("set", "")
        if other not in ("", str(set_id), *map(str, sealed)) and rows.instant_of(known["until"]) > now:
            return False
        return attempted(
            self._table.update,
            *key,
            {"set": str(set_id), "until": rows.format_instant(until)},
            condition="attribute_not_exists(pk) OR (#set = :other AND #until = :known)",
            values={":other": other, ":known": known.get("until", "")},
        )

    def begin_sealing(self, job: Job, set_id: SetId, sha256: str, until: datetime, now: datetime) -> bool:
        """From open to sealing; the same manifest may ask again, and prolong it. False while others seal or discard."""
        return self._move_gate(
            job,
            set_id,
            {"sealing_until": rows.format_instant(until), "sealing_sha256": sha256},
            "(attribute_not_exists(sealing_until) OR sealing_until <= :now"
            " OR (sealing_sha256 = :sha256 AND sealing_until <= :until))"
            " AND (attribute_not_exists(discarding_until) OR discarding_until <= :now)",
            {
                ":now": rows.format_instant(now),
                ":sha256": sha256,
                ":until": rows.format_instant(until),
            },
        )

    def begin_discarding(self, job: Job, set_id: SetId, now: datetime) -> bool:
        """Keeps the set from being sealed meanwhile; False while it is sealing or others discard."""
        return self._move_gate(
            job,
            set_id,
            {"discarding_until": rows.format_instant(now + DISCARD_LOCK_LIFE)},
            "(attribute_not_exists(sealing_until) OR sealing_until <= :now)"
            " AND (attribute_not_exists(discarding_until) OR discarding_until <= :now)",
            {":now": rows.format_instant(now)},
        )

    def end_discarding(self, job: Job, set_id: SetId) -> None:
        self._move_gate(job, set_id, {"discarding_until": None}, None, None)

    def _move_gate(
        self,
        job: Job,
        set_id: SetId,
        changes: Item,
        condition: str | None,
        values: Item | None,
    ) -> bool:
        return attempted(
            self._table.update,
            catalogue_rows.job_partition(job),
            catalogue_rows.gate_sort_key(set_id),
            changes,
            condition=condition,
            values=values,
        )


def _multipart_key(upload: str) -> str:
    return f"MULTIPART#{hashlib.sha256(upload.encode()).hexdigest()}"


def _lapses(now: datetime) -> Item:
    return {"expires_at_epoch": int((now + TOMBSTONE_LIFE).timestamp())}


def _conditional_put(
    partition: str, row: ObjectRow, known: ObjectRow | None, now: datetime
) -> tuple[Item, str, Item]:
    """A put that succeeds only if the row is as it was read, or still not there.

    By the revision, since restores and transitions change rows without a sequencer of their own.
    """
    item = {**catalogue_rows.object_item(partition, row), "revision": (known.revision if known else 0) + 1}
    if row.stored is None and not row.noncurrent:
        item |= _lapses(now)
    if known is None:
        return item, "attribute_not_exists(pk)", {}
    return item, "revision = :known", {":known": known.revision}
