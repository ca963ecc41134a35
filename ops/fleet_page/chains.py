"""What the page says of each job's chains: what bringing one back costs, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta, tzinfo

from chalicelib.domain.backups.freshness import State
from chalicelib.domain.mail.cost_amounts import CLASS_NAMES
from chalicelib.domain.mail.phrases import count, format_bytes, format_estimate
from chalicelib.fleet_wire import JobState, MachineState
from chalicelib.owner_wire import ChainRestore, ChainRow, JobRetention
from ops.commands.retention.words import UNDER_WAY, becomes, day, days_of, gone_words, money
from ops.commands.status.shown import worst_first
from ops.fleet_page.content import ChainLine, JobPart, Listed, Section, owner_command
from ops.fleet_page.findings import drill_words

MOST_CHAINS = 4_000
"""On one page: where there are more, each job shows its newest, and those of which something is to be said."""


def job_parts(
    machines: Sequence[MachineState], retention: Iterable[JobRetention], zone: tzinfo
) -> tuple[JobPart, ...]:
    """In the order of the machines above, the worst first."""
    chains = {(one.machine, one.job): one.chains for one in retention}
    of_each = max(1, MOST_CHAINS // max(1, len(chains)))
    if sum(map(len, chains.values())) <= MOST_CHAINS:
        of_each = MOST_CHAINS
    return tuple(
        _job_part(one.machine, job, chains.get((one.machine, job.job), ()), zone, of_each)
        for one in worst_first(machines)
        for job in one.jobs
    )


def _job_part(machine: str, job: JobState, chains: Sequence[ChainRow], zone: tzinfo, newest: int) -> JobPart:
    oldest_shown = len(chains) - newest
    shown = [row for index, row in enumerate(chains) if index >= oldest_shown or _is_open(row)]
    return JobPart(
        f"{machine}/{job.job}",
        job.state,
        _job_notes(job, zone),
        tuple(chain_line(row, zone) for row in reversed(shown)),
        len(chains) - len(shown),
    )


def _job_notes(job: JobState, zone: tzinfo) -> tuple[str, ...]:
    if job.looked_at is None:
        return ("no backup yet",)
    checked = f"looked at {day(job.looked_at, zone)}" if job.state == State.SETTLED.value else ""
    return tuple(note for note in (checked, drill_words(job.drill, zone)) if note)


def chain_line(row: ChainRow, zone: tzinfo) -> ChainLine:
    return ChainLine(
        days_of(row, zone),
        f"{format_bytes(row.bytes)}{_stored_in(row.restore)}",
        "" if row.monthly is None else money(row.monthly),
        _restore(row.restore),
        _fate(row, zone),
    )


def _stored_in(restore: ChainRestore | None) -> str:
    """In which class most of it is."""
    sizes = restore.bytes_by_class if restore else {}
    if not sizes:
        return ""
    most = max(sizes, key=lambda name: sizes[name])
    return f", {SHORT_CLASS_NAMES.get(most, CLASS_NAMES.get(most, most))}"


SHORT_CLASS_NAMES: Mapping[str, str] = {
    "GLACIER_IR": "Instant",
    "GLACIER": "Flexible",
    "DEEP_ARCHIVE": "Deep Archive",
}
"""In a table; the page says once what they stand for."""


def _restore(restore: ChainRestore | None) -> str:
    if restore is None:
        return "price not known"
    wait = timedelta(seconds=restore.wait_seconds)
    return f"{money(restore.usd)} in {format_estimate(wait)}" if wait else money(restore.usd)


def _is_open(row: ChainRow) -> bool:
    return row.verdict in ("goes", "needs_you") or row.goes_on is not None or row.held


def _fate(row: ChainRow, zone: tzinfo) -> str:
    """In few words: the section on letting go has the sentences."""
    if row.verdict == "needs_you":
        return "waits for you"
    if row.held:
        return "you hold it"
    if row.goes_on:
        return f"goes {day(row.goes_on, zone)}"
    return "stays"


# ---------------------------------------------------------------- letting go


def letting_go(retention: Sequence[JobRetention], zone: tzinfo, stage: str) -> Section:
    """What waits for the owner, what goes next, and what can still be brought back."""
    lines = [*_waiting(retention, zone, stage), *_going(retention, zone), *_gone(retention, zone, stage)]
    waiting = sum(any(row.verdict == "needs_you" for row in job.chains) for job in retention)
    if not lines:
        return Section("No old backup goes, and none waits for you.")
    verb = "waits" if waiting == 1 else "wait"
    asked = f"{count(waiting, 'job')} {verb} for you. " if waiting else ""
    return Section(f"{asked}Nothing goes that you have not seen the successor of.", tuple(lines))


def _waiting(retention: Iterable[JobRetention], zone: tzinfo, stage: str) -> Iterator[Listed]:
    for job in retention:
        rows = [row for row in job.chains if row.verdict == "needs_you"]
        if rows:
            approve = owner_command(stage, "retention", "approve", job.machine, job.job)
            note = f"{days_of(rows[0], zone)}, {format_bytes(rows[0].bytes)}"
            more = f", and {count(len(rows) - 1, 'other chain')}" if len(rows) > 1 else ""
            yield Listed(_name(job), becomes(rows[0], zone), note + more, approve)


def _going(retention: Iterable[JobRetention], zone: tzinfo) -> Iterator[Listed]:
    found = [
        (row.goes_on, job, row)
        for job in retention
        for row in job.chains
        if row.goes_on and row.verdict != "needs_you" and not row.held
    ]
    for _, job, row in sorted(found, key=lambda one: (one[0], _name(one[1]))):
        yield Listed(_name(job), becomes(row, zone), f"{days_of(row, zone)}, {format_bytes(row.bytes)}")


def _gone(retention: Iterable[JobRetention], zone: tzinfo, stage: str) -> Iterator[Listed]:
    for job in retention:
        for row in job.let_go:
            if row.state in UNDER_WAY:
                undo = owner_command(stage, "retention", "undo", row.machine, row.job, row.chain)
                commands = undo if row.state in ("hidden", "undoing") else ()
                yield Listed(_name(job), gone_words(row, zone), "", commands)


def _name(job: JobRetention) -> str:
    return f"{job.machine}/{job.job}"
