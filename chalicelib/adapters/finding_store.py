"""What is wrong, while it is: one row a finding, kept from when it was first seen until it is gone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chalicelib.adapters import rows
from chalicelib.adapters.table import Table
from chalicelib.domain.anomalies import Finding
from chalicelib.domain.machines import Job


class FindingStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def findings(self, job: Job | None = None) -> list[Finding]:
        prefix = f"{rows.job_sort_key(job.machine, job.name)}#" if job else ""
        return [rows.finding_of(item) for item in self._table.query("FINDINGS", prefix)]

    def replace(self, job: Job, found: Iterable[Finding], now: datetime) -> None:
        """Makes the job's findings these: new ones are added, those that are gone removed, the rest left as it is."""
        known = {rows.finding_sort_key(finding): finding for finding in self.findings(job)}
        wanted = {rows.finding_sort_key(finding): finding for finding in found}
        for key in known.keys() - wanted.keys():
            self._table.delete("FINDINGS", key)
        for key, finding in wanted.items():
            if key not in known:
                self._table.put(rows.finding_item(finding, now))
            elif known[key] != finding:
                changes = {"message": finding.message, "advice": finding.advice}
                self._table.update("FINDINGS", key, changes)
