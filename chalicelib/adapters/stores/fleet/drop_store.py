"""Removes every row of a machine, once nothing of it is stored any more."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from chalicelib.adapters.s3_buckets import side_by_side
from chalicelib.adapters.stores import catalogue_rows, machine_rows
from chalicelib.adapters.stores.catalogue_store import STRAYS
from chalicelib.adapters.stores.finding_store import FINDINGS
from chalicelib.adapters.stores.retention.retention_store import ANNOUNCED, FETCHED, RETENTION
from chalicelib.adapters.stores.summary_store import OPEN_SETS, SUMMARIES
from chalicelib.adapters.table import Table
from chalicelib.domain.backups.machines import Job

MOST_ROWS = 50_000
"""Deleted in one call, side by side: minutes, where a function may run for fifteen."""

BELOW_ITS_NAME = (
    *(catalogue_rows.QUARANTINES, RETENTION, ANNOUNCED, FETCHED, SUMMARIES, OPEN_SETS, FINDINGS, "LEASES"),
    *("THAWS", "THAW_JOBS", machine_rows.FAMILIES, "JOBS"),
)
"""Partitions whose sort keys begin with ``<machine>/``. The jobs are last: by them the others are found."""


class DropStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def remove(self, machine: str, jobs: Sequence[Job], bucket: str, most: int = MOST_ROWS) -> bool:
        """False where there may be more: the next call goes on. ``bucket`` is the service's own.

        Notices and the figures of past mails stay: they say what was. The machine's own row is the last.
        """
        for partition, prefix in _rows_of(machine, jobs, bucket):
            found = itertools.islice(self._table.query(partition, prefix), most)
            keys = [(str(item["pk"]), str(item["sk"])) for item in found]
            side_by_side(lambda key: self._table.delete(*key), keys)
            most -= len(keys)
            if most <= 0:
                return False
        self._table.delete("RECOVERIES", machine)
        self._table.delete("MACHINES", machine)
        return True


def _rows_of(machine: str, jobs: Sequence[Job], bucket: str) -> Iterator[tuple[str, str]]:
    """Each partition, and what the sort keys in it begin with."""
    for job in jobs:
        yield catalogue_rows.objects_partition(job), ""
        yield catalogue_rows.job_partition(job), ""
        yield f"THAW_PLANS#{machine}/{job.name}", ""
        if job.location.bucket != bucket:
            yield f"LOCATIONS#{job.location.bucket}", f"{job.location.prefix}#"
    for partition in ("STORED", "DOWNLOADS", "UPLOADS", "THAW_MONTHS"):
        yield f"{partition}#{machine}", ""
    yield "ENROLMENTS", f"{machine}#"
    yield STRAYS, f"{bucket}/{machine}/"
    for partition in BELOW_ITS_NAME:
        yield partition, f"{machine}/"
