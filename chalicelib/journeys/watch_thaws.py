"""Keeps the findings about thaws: opened and closed by what the rows of all thaws say now."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.audit.codes.code import Concern
from chalicelib.domain.audit.findings import Finding, codes_about
from chalicelib.domain.restore.thaw_findings import find_thaw_trouble


def watch_thaws(
    thaws: ThawStore, machines: MachineStore, findings: FindingStore, now: datetime
) -> list[Finding]:
    """All that is wrong with thaws of jobs that there are; kept until it is over."""
    codes = codes_about(Concern.THAWS)
    of_job: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for found in find_thaw_trouble(thaws.thaws(), now):
        of_job[found.machine, found.job].append(found)
    open_ones = {
        (open_one.machine, open_one.job) for open_one in findings.findings() if open_one.code in codes
    }
    wanted = open_ones | of_job.keys()
    jobs = [job for job in machines.jobs() if (job.machine, job.name) in wanted] if wanted else []
    for job in jobs:
        findings.replace(job, of_job[job.machine, job.name], now, codes=codes)
    return [found for job in jobs for found in of_job[job.machine, job.name]]
