"""Takes a client's report of a drill. A failure is a finding at once, and none any more once a drill has passed.

What a reader reports is kept nowhere: whoever found the paper could hide a failure by it, or write to the owner.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime

from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.domain.audit.codes.code import Concern
from chalicelib.domain.audit.findings import codes_about
from chalicelib.domain.restore.drill_findings import find_failed_drill
from chalicelib.domain.restore.drills import after_report
from chalicelib.journeys.authenticate import Caller
from chalicelib.journeys.describe_machine import describe_drill
from chalicelib.wire import DrillOutcome, DrillReport, DrillStatus


def report_drill(
    machines: MachineStore, findings: FindingStore, caller: Caller, report: DrillReport, now: datetime
) -> DrillStatus:
    job = caller.job
    if caller.reader is not None:
        return describe_drill(job, None, now)
    drilled = dataclasses.replace(job, last_drill=after_report(job.last_drill, report, now))
    assert drilled.last_drill is not None
    machines.record_drill(job, drilled.last_drill)
    if report.outcome in (DrillOutcome.PASSED, DrillOutcome.FAILED):
        # After either no drill is overdue; what is asked for or skipped changes nothing before the next audit.
        found = find_failed_drill(drilled)
        findings.replace(job, found, now, codes=codes_about(Concern.DRILLS))
    return describe_drill(drilled, None, now)
