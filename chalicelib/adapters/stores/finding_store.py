"""What is wrong, while it is: one row a finding, kept from when it was first seen until it is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime

from chalicelib.adapters.stores import finding_rows, rows
from chalicelib.adapters.table import Table, attempted
from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.finding_codes import MOST_ALIKE
from chalicelib.domain.audit.findings import Finding, OpenFinding
from chalicelib.domain.backups.machines import Job

FINDINGS = "FINDINGS"


class FindingStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def findings(self, job: Job | None = None) -> list[Finding]:
        return [entry.finding for entry in self.open_findings(job)]

    def open_findings(self, job: Job | None = None) -> list[OpenFinding]:
        """Those of a job, or all; each with when it was first seen."""
        return self._below(f"{rows.job_sort_key(job.machine, job.name)}#" if job else "")

    def _below(self, prefix: str) -> list[OpenFinding]:
        return [finding_rows.open_finding_of(item) for item in self._table.query(FINDINGS, prefix)]

    def replace(
        self,
        job: Job | None,
        found: Iterable[Finding],
        now: datetime,
        *,
        codes: Collection[str],
        subjects: Collection[str] | None = None,
    ) -> None:
        """Makes these the findings of that job (``None``: of no job) that have those ``codes``, and, where they are
        named, those ``subjects``: new ones are added, what is gone is removed, the rest left as it is.

        Of findings of one code a hundred are stored, and one that counts the rest; those about safety all.
        Information is not stored.
        """
        prefix = f"{rows.job_sort_key(job.machine, job.name)}#" if job else finding_rows.OF_NO_JOB
        there = [entry.finding for entry in self._below(prefix)]
        wanted = {finding.key: finding for finding in found if finding.severity is not Severity.INFO}
        known = {finding.key: finding for finding in there if finding.code in codes}
        alike = Counter(finding.code for finding in there)
        for key, finding in known.items():
            if key not in wanted and (subjects is None or finding.subject in subjects):
                self._table.delete(FINDINGS, rows.sort_key(key))
                alike[finding.code] -= 1
        for key, finding in wanted.items():
            if key not in known:
                alike[finding.code] += 1
                if alike[finding.code] <= MOST_ALIKE + 1 or finding.is_safety:
                    self._table.put(finding_rows.finding_item(finding, now))
            elif known[key] != finding:
                attempted(  # a finding that another call has ended meanwhile is not made anew
                    self._table.update,
                    FINDINGS,
                    rows.sort_key(key),
                    finding_rows.finding_details(finding),
                    condition="attribute_exists(pk)",
                )

    def forget_others(self, jobs: Collection[tuple[str, str]]) -> None:
        """Removes the findings of jobs that are not there any more; ``jobs`` are machines and names of those that
        are."""
        for finding in self.findings():
            if finding.machine and (finding.machine, finding.job) not in jobs:
                self._table.delete(FINDINGS, rows.sort_key(finding.key))
