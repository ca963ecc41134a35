"""``status``: how every machine is, and why somebody should look."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.fleet.reasons import reasons_of
from chalicelib.domain.fleet.verdict import worst_verdict
from chalicelib.fleet_wire import FindingsCount, FleetStatus
from chalicelib.journeys.admin.request import AdminContext, Arguments, time_or_none
from chalicelib.journeys.admin.states import describe_state, gather_fleet
from chalicelib.journeys.admin.thaws import thaw_row
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.journeys.gather_thaws import thaws_as_of
from chalicelib.wire import ThawState


def status(context: AdminContext, _: Arguments) -> FleetStatus:
    fleet = gather_fleet(context)
    findings = context.report.findings.findings()
    thaws = thaws_as_of(context.thaws, context.machines, context.recoveries, context.now)
    every = [one for of_machine in fleet.evaluated.values() for one in of_machine]
    reasons = reasons_of(fleet.machines, every, findings, thaws, now=context.now, stage=context.report.stage)
    about = defaultdict(list)
    for reason in reasons:
        about[reason.machine].append(reason)
    return FleetStatus(
        format_wire_time(context.now),
        worst_verdict(reason.verdict for reason in reasons),
        reasons,
        tuple(describe_state(fleet, name, about[name], context.now) for name in fleet.machines),
        _count_findings(findings),
        tuple(thaw_row(thaw) for thaw in thaws if thaw.state is ThawState.WAITING),
        time_or_none(fleet.costs_at),
    )


def _count_findings(findings: Sequence[Finding]) -> tuple[FindingsCount, ...]:
    counts = Counter((finding.machine, finding.job, finding.severity) for finding in findings)
    return tuple(FindingsCount(*kind, count) for kind, count in counts.items())
