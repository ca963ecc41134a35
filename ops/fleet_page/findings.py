"""What the page says of findings, thaws and drills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from chalicelib.domain.audit.findings import Finding, at_stage, command, worst_first
from chalicelib.domain.mail.phrases import count, format_bytes, in_zone
from chalicelib.domain.restore.thaw_section import OPEN
from chalicelib.fleet_wire import JobState, MachineState
from chalicelib.owner_wire import ThawBudget, ThawListing, ThawRow
from chalicelib.wire import DrillOutcome, DrillStatus, ThawState
from ops.commands.retention.words import day, money
from ops.commands.thaws.shown import state_words
from ops.fleet_page.content import FindingGroup, Listed, Section, owner_command

MOST_FINDINGS = 500

MOST_OVER = 20
"""Of thaws that are over."""

MOST_DUE = 100
"""Of jobs whose drill is due."""


def finding_groups(findings: Sequence[Finding], zone: tzinfo, stage: str) -> tuple[FindingGroup, ...]:
    """The worst first; those of one kind together, with their advice once."""
    kinds: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in worst_first(findings)[:MOST_FINDINGS]:
        kinds.setdefault((finding.severity.value, finding.title, finding.advice), []).append(finding)
    return tuple(
        FindingGroup(*kind, tuple(_listed(one, zone, stage) for one in alike))
        for kind, alike in kinds.items()
    )


def _listed(finding: Finding, zone: tzinfo, stage: str) -> Listed:
    return Listed(finding.whose, in_zone(finding.message, zone), "", at_stage(finding.commands, stage))


# ---------------------------------------------------------------- thaws


def thaw_section(thaws: ThawListing, zone: tzinfo, stage: str) -> Section:
    """Those that are open, then the newest of those that are over, then what they come to this month."""
    rows = thaws.thaws
    if not rows:
        return Section("No restore from the archive in the last two months.")
    over = [row for row in rows if row.state not in OPEN]
    lines = [_thaw(row, zone, stage) for row in rows if row.state in OPEN]
    waiting = sum(row.state is ThawState.WAITING for row in rows)
    summary = (
        f"{count(len(lines), 'thaw')} under way, {waiting:,} of them waiting for you, {len(over):,} over."
    )
    lines += [_thaw(row, zone, stage) for row in over[:MOST_OVER]]
    with_thaws = {row.machine for row in rows}
    lines += [_budget(budget) for budget in thaws.budgets if budget.machine in with_thaws]
    more = f"And {count(len(over) - MOST_OVER, 'thaw')} more that are over." if len(over) > MOST_OVER else ""
    return Section(summary, tuple(lines), more)


def _thaw(row: ThawRow, zone: tzinfo, stage: str) -> Listed:
    price = "price not known" if row.usd is None else money(row.usd)
    what = f"{format_bytes(row.bytes)} by {row.tier.value}, {price}, {_when(row, zone)}"
    commands = owner_command(stage, "thaw", "approve", row.thaw)
    return Listed(
        f"{row.machine}/{row.job}",
        state_words(row),
        what,
        commands if row.state is ThawState.WAITING else (),
    )


def _when(row: ThawRow, zone: tzinfo) -> str:
    if row.readable_until is not None:
        return f"until {day(row.readable_until, zone)}"
    return f"asked for {day(row.started_at, zone)}"


def _budget(one: ThawBudget) -> Listed:
    approved = f", and {money(one.approved_usd)} that you approved" if one.approved_usd else ""
    drills = f", and {money(one.drills_usd)} for drills" if one.drills_usd else ""
    spent = f"{money(one.reserved_usd)} of {money(one.budget_usd)}{approved}{drills}"
    return Listed(one.machine, f"of its budget for thaws this month: {spent}")


# ---------------------------------------------------------------- drills


def drill_section(machines: Sequence[MachineState], zone: tzinfo) -> Section:
    """Those that failed with the reason, then the names of those that are due; how many have passed."""
    jobs = [(one.machine, job) for one in machines for job in one.jobs if job.drill is not None]
    passed = sum(_outcome(job) is DrillOutcome.PASSED for _, job in jobs)
    failed = list(_failed(jobs, zone))
    due = [f"{machine}/{job.job}" for machine, job in jobs if job.drill and job.drill.due]
    of_all = count(len(jobs), "job")
    summary = f"{passed:,} of {of_all} passed the last drill, {len(failed):,} failed, {len(due):,} due."
    return Section(summary, (*failed, *_due(due)))


def _failed(jobs: Sequence[tuple[str, JobState]], zone: tzinfo) -> Iterator[Listed]:
    for machine, job in jobs:
        if job.drill and job.drill.outcome is DrillOutcome.FAILED:
            when = f"failed {day(job.drill.reported_at, zone)}" if job.drill.reported_at else "failed"
            reason = f": {in_zone(job.drill.message, zone)}" if job.drill.message else ""
            yield Listed(
                f"{machine}/{job.job}",
                f"{when}{reason}",
                "",
                (command("panicroom", "drill", "--job", job.job),),
                machine,
            )


def _due(names: Sequence[str]) -> Iterator[Listed]:
    if names:
        more = f", and {len(names) - MOST_DUE:,} more" if len(names) > MOST_DUE else ""
        note = "Each does it by itself after a backup; `panicroom drill` there does it now."
        yield Listed("Due:", f"{', '.join(names[:MOST_DUE])}{more}", note)


def _outcome(job: JobState) -> DrillOutcome | None:
    return job.drill.outcome if job.drill else None


def drill_words(drill: DrillStatus | None, zone: tzinfo) -> str:
    if drill is None or drill.outcome is None:
        return ""
    if drill.outcome is DrillOutcome.FAILED:
        return "drill failed"
    return f"drill passed {day(drill.passed_at, zone)}" if drill.passed_at else ""
