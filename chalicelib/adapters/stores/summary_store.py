"""What a laptop reads of its jobs: a summary of each job's sealed sets, and which sets are open.

Both are rows of their own, so that an answer to a laptop reads no more as a job's sets grow in number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from chalicelib.adapters.stores import catalogue_rows, rows
from chalicelib.adapters.table import Item, Table, attempted
from chalicelib.domain.backups.freshness import SealedSummary, summarize
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.sets import BackupSet

SUMMARIES, OPEN_SETS = "SUMMARIES", "OPEN_SETS"

EMPTY_LIFE = timedelta(hours=1)
"""A set of which nothing was stored for so long after its first permit is not open any more: URLs live 15 minutes."""


class SummaryStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put_summary(self, job: Job, summary: SealedSummary) -> None:
        self._table.put(
            rows.new_row(
                SUMMARIES,
                rows.job_sort_key(job.machine, job.name),
                newest_complete_at=rows.format_instant(summary.newest_complete_at),
                chain_length=summary.chain_length,
                stored_bytes=summary.stored_bytes,
                oldest_complete_at=rows.format_instant(summary.oldest_complete_at),
                volumes=summary.volumes,
            )
        )

    def summaries(self, machine: str) -> dict[str, SealedSummary]:
        """By job; a job that nobody summarized yet is not in it, nor one that a version before 0.2 summarized."""
        found = self._table.query(SUMMARIES, f"{machine}/")
        return {item["sk"].partition("/")[2]: _summary_of(item) for item in found if "volumes" in item}

    def summaries_of_all(self) -> dict[str, SealedSummary]:
        """The same of all machines, by ``machine/job``."""
        found = self._table.query(SUMMARIES)
        return {item["sk"]: _summary_of(item) for item in found if "volumes" in item}

    def open_ids(self, job: Job, now: datetime) -> list[SetId]:
        """The sets that are begun and not sealed, whether or not anything of them is catalogued."""
        found = self._table.query(OPEN_SETS, catalogue_rows.job_set_sort_key(job, None))
        return [catalogue_rows.job_set_of(item)[1] for item in found if _is_open(item, now)]

    def open_sets(self, job: Job, now: datetime) -> list[BackupSet]:
        """The same as far as they are catalogued."""
        found = self.open_ids(job, now)
        known = self._table.get_many(
            [(catalogue_rows.job_partition(job), catalogue_rows.set_sort_key(set_id)) for set_id in found]
        )
        by_id = {backup_set.set_id: backup_set for backup_set in map(catalogue_rows.set_of, known.values())}
        return [by_id.get(set_id, BackupSet(set_id)) for set_id in found]

    def open_sets_of_all(self, jobs: Iterable[Job], now: datetime) -> dict[str, list[BackupSet]]:
        """Those of these jobs, by ``machine/job``: one query for all jobs, and one request for a hundred open sets."""
        partitions = {
            rows.job_sort_key(job.machine, job.name): catalogue_rows.job_partition(job) for job in jobs
        }
        found = [
            catalogue_rows.job_set_of(item) for item in self._table.query(OPEN_SETS) if _is_open(item, now)
        ]
        keys = {
            (partitions[name], catalogue_rows.set_sort_key(set_id)): (name, set_id)
            for name, set_id in found
            if name in partitions
        }
        known = self._table.get_many(list(keys))
        open_sets: dict[str, list[BackupSet]] = defaultdict(list)
        for key, (name, set_id) in keys.items():
            of_set = known.get(key)
            open_sets[name].append(catalogue_rows.set_of(of_set) if of_set else BackupSet(set_id))
        return open_sets

    def begin(self, job: Job, set_id: SetId, now: datetime) -> None:
        """Its first file was permitted."""
        expires = int((now + EMPTY_LIFE).timestamp())
        attempted(
            self._table.put,
            {**_open_item(job, set_id), "expires_at_epoch": expires},
            "attribute_not_exists(pk) OR expires_at_epoch <= :now",
            {":now": int(now.timestamp())},
        )

    def set_open(self, job: Job, backup_set: BackupSet) -> None:
        """As the catalogue has it: open with something stored, or not."""
        item = _open_item(job, backup_set.set_id)
        if backup_set.is_open:
            self._table.put(item)
        else:
            self._table.delete(item["pk"], item["sk"])

    def bring_up_to_date(self, job: Job, sets: Sequence[BackupSet], now: datetime) -> SealedSummary:
        """From all sets of the job that count; some of it may be there already, perhaps of sets that do not count any
        more."""
        summary = summarize(sets)
        self.put_summary(job, summary)
        known = {one.set_id: one for one in self.open_sets(job, now)}
        wanted = {backup_set.set_id: backup_set for backup_set in sets if backup_set.is_open}
        for set_id in wanted.keys() - known.keys():
            self.set_open(job, wanted[set_id])
        for set_id in known.keys() - wanted.keys():
            if known[set_id].current:  # else it is begun only
                self._table.delete(OPEN_SETS, catalogue_rows.job_set_sort_key(job, set_id))
        return summary


def _open_item(job: Job, set_id: SetId) -> Item:
    return rows.new_row(OPEN_SETS, catalogue_rows.job_set_sort_key(job, set_id))


def _is_open(item: Item, now: datetime) -> bool:
    return bool(item.get("expires_at_epoch", now.timestamp() + 1) > now.timestamp())


def _summary_of(item: Item) -> SealedSummary:
    newest, oldest = (rows.parse_instant(item.get(f"{which}_complete_at")) for which in ("newest", "oldest"))
    return SealedSummary(
        newest, int(item["chain_length"]), int(item["stored_bytes"]), oldest, int(item["volumes"])
    )
