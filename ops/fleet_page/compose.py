"""Puts the page together from what the service answered."""

from __future__ import annotations

from chalicelib.domain.mail.phrases import count, format_date, format_moment
from chalicelib.domain.shown import all_shown
from chalicelib.owner_wire import moment_of
from ops.commands.status.shown import alike_reasons
from ops.fleet_page.chains import job_parts, letting_go
from ops.fleet_page.content import FleetPage, owner_command
from ops.fleet_page.facts import FleetFacts
from ops.fleet_page.findings import MOST_FINDINGS, drill_section, finding_groups, thaw_section
from ops.fleet_page.machines import MOST_NEEDS, group_lines, machine_lines, needs, sentence, tiles
from ops.fleet_page.plots import plots_of, table_of


def fleet_page(facts: FleetFacts) -> FleetPage:
    """With every hidden character of a name or a message shown as its escape."""
    status, zone, stage = facts.status, facts.zone, facts.stage
    [again] = owner_command(stage, "page")
    [add_machine] = owner_command(stage, "machine", "add", "NAME")
    [older] = owner_command(stage, "retention", "preview", "MACHINE", "JOB")
    reasons = alike_reasons(status.reasons)
    jobs = job_parts(status.machines, facts.retention, zone)
    page = FleetPage(
        title=f"Backups of {stage}",
        written_at=f"{format_moment(facts.now, zone)} ({facts.zone_name})",
        verdict=status.verdict,
        headline=sentence(status),
        tiles=tiles(status, zone),
        needs=needs(reasons),
        more_needs=_more(sum(map(len, reasons[MOST_NEEDS:])), "reason", "status", stage),
        plots=plots_of(facts.weeks, zone),
        weeks=table_of(facts.weeks, zone),
        machines=machine_lines(status, facts.weeks),
        trend_since=_trend_since(facts),
        groups=group_lines(status.machines),
        jobs=jobs,
        older_chains=older if any(job.older for job in jobs) else "",
        findings=finding_groups(facts.findings, zone, stage),
        more_findings=_more(
            len(facts.findings) + facts.findings_left_off - MOST_FINDINGS, "finding", "audit", stage
        ),
        thaws=thaw_section(facts.thaws, zone, stage),
        drills=drill_section(status.machines, zone),
        letting_go=letting_go(facts.retention, zone, stage),
        add_machine=add_machine,
        again=again,
    )
    return all_shown(page)


def _more(number: int, noun: str, command: str, stage: str) -> str:
    if number <= 0:
        return ""
    [line] = owner_command(stage, command)
    return f"And {count(number, f'more {noun}')}: {line}"


def _trend_since(facts: FleetFacts) -> str:
    """From when on the small curves are; empty where one mail at most went out."""
    issues = facts.weeks.issues
    return format_date(moment_of(issues[0]), facts.zone) if len(issues) > 1 else ""
