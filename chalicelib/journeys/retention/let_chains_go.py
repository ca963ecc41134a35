"""Lets chains go: one of a job a day, the oldest, and goes on with those that were begun.

What goes is planned from the table, then from what S3 says of the same sets, and written down on condition that the
owner has said nothing else meanwhile. From then on the chain is hidden, and everything after that can be repeated.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from chalicelib.adapters.s3_versions import RefusedByS3
from chalicelib.adapters.stores.catalogue_store import JobSets
from chalicelib.domain.audit.findings import Finding, new_finding
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.retention.compared import EVENTS_COME_WITHIN
from chalicelib.domain.retention.facts import RetentionFacts
from chalicelib.domain.retention.let_go import UNDO_IMPOSSIBLE, LetGo, let_go_of
from chalicelib.domain.retention.rules import counted_chains
from chalicelib.journeys.catalogue.catalogue_changes import refresh_findings
from chalicelib.journeys.journal.write_journal import write_let_go
from chalicelib.journeys.retention.choose_chain import ChainWaits, LettingGoStuck, choose_chain
from chalicelib.journeys.retention.describe_retention import let_go_row
from chalicelib.journeys.retention.extend_locks import extend_locks, locked_chains
from chalicelib.journeys.retention.mark_chain import mark_chain
from chalicelib.journeys.retention.read_facts import RetentionSnapshot, facts_of, read_surroundings
from chalicelib.journeys.retention.retention_context import RetentionContext
from chalicelib.owner_wire import LetGoRow, RetentionRan

LETGO_STUCK = "letgo_stuck"

STUCK_AFTER = timedelta(days=2)
"""A chain whose files are not all marked by then will not be by itself."""

JobFailures = list[tuple[Job, Exception]]


@dataclasses.dataclass(frozen=True)
class _Ran:
    went: list[LetGoRow] = dataclasses.field(default_factory=list)
    waits: list[str] = dataclasses.field(default_factory=list)
    failed: JobFailures = dataclasses.field(default_factory=list)


def let_chains_go(context: RetentionContext, asked: Job | None) -> tuple[RetentionRan, JobFailures]:
    """Of every job, or of the one that the owner asked for. One job's failure does not stop the others: it is returned
    with its error."""
    ran, snapshot = _Ran(), read_surroundings(context.sources, context.now)
    machines = {machine.name: machine for machine in context.sources.machines.machines()}
    jobs = [asked] if asked else [job for job in context.sources.machines.jobs() if not job.is_dropping]
    for job_sets in context.catalogue.sets_of_each(_in_turn(jobs, snapshot, context.now)):
        job = job_sets.job
        if not context.has_time():
            ran.waits.append(f"{job.full_name}: There was no time left; the next run goes on.")
            continue
        try:
            _run_job(context, snapshot, machines[job.machine], job_sets, ran)
        except Exception as error:
            ran.failed.append((job, error))
            ran.waits.append(f"{job.full_name}: It failed: {error}")
    return RetentionRan(tuple(ran.went), tuple(ran.waits)), ran.failed


def _in_turn(jobs: Sequence[Job], snapshot: RetentionSnapshot, now: datetime) -> list[Job]:
    """What was begun first, then the others in another order each day: where a run is too short for all of them, it is
    not always the same ones that wait."""

    def turn(job: Job) -> tuple[bool, bytes]:
        todays = f"{now:%Y-%m-%d} {job.full_name}"
        return not _going(snapshot, job), hashlib.sha256(todays.encode()).digest()

    return sorted(jobs, key=turn)


def _going(snapshot: RetentionSnapshot, job: Job) -> list[LetGo]:
    return [let_go for let_go in snapshot.let_gos_of(job) if let_go.is_going]


def _refilled(context: RetentionContext, snapshot: RetentionSnapshot, job_sets: JobSets) -> list[LetGo]:
    """Those of which something is stored again, though all was marked: by an old URL, or by hand. It is hidden, and
    billed, and nobody else would ever mark it."""
    stored = {one.set_id for one in job_sets.every if one.current}
    return [
        let_go
        for let_go in snapshot.let_gos_of(job_sets.job)
        if let_go.marked_at is not None
        and context.now - let_go.marked_at > EVENTS_COME_WITHIN  # the catalogue may only be behind
        and let_go.undone_at is None
        and not let_go.dropped
        and not stored.isdisjoint(let_go.sets)
    ]


def _run_job(
    context: RetentionContext, snapshot: RetentionSnapshot, machine: Machine, job_sets: JobSets, ran: _Ran
) -> None:
    job = job_sets.job
    facts = facts_of(snapshot, machine, job, job_sets, context.now)
    try:
        _let_go_of_job(context, snapshot, machine, job_sets, facts, ran)
    finally:  # whatever went wrong with a chain must not let the lock of the newest one lapse
        period = context.versions.default_lock(job.location.bucket)
        if period is not None:
            chains = locked_chains(facts)
            extend_locks(
                context.catalogue, context.versions, job, chains, period, context.now, context.has_time
            )


def _let_go_of_job(
    context: RetentionContext,
    snapshot: RetentionSnapshot,
    machine: Machine,
    job_sets: JobSets,
    facts: RetentionFacts,
    ran: _Ran,
) -> None:
    job = job_sets.job
    going, refilled = _going(snapshot, job), _refilled(context, snapshot, job_sets)
    steps: list[Callable[[], LetGo]] = [
        functools.partial(_mark, context, job, let_go) for let_go in (*going, *refilled)
    ]
    if not going:
        steps.append(lambda: _mark(context, job, _begin(context, machine, job_sets, facts)))
    went: list[LetGo] = []
    stuck: list[LettingGoStuck] = []
    for step in steps:
        try:
            went.append(step())
        except ChainWaits as reason:
            ran.waits.append(f"{job.full_name}: {reason}")
        except LettingGoStuck as reason:
            stuck.append(reason)
            ran.waits.append(f"{job.full_name}: {reason} {reason.evidence}")
    known = {one.chain for one in refilled}
    ran.went.extend(let_go_row(let_go, job, context.now) for let_go in went if let_go.chain not in known)
    _update_findings(context, snapshot, job, facts, stuck, [one.chain for one in went if one.marked_at])
    _forget_what_is_gone(context, snapshot, job, job_sets)


def _begin(context: RetentionContext, machine: Machine, job_sets: JobSets, facts: RetentionFacts) -> LetGo:
    """Hides the chain that goes now, all of it at once."""
    job = job_sets.job
    chain, choices = choose_chain(context, machine, job_sets, facts)
    let_go = let_go_of(job.machine, job.name, chain.id, chain.sets, context.now)
    if not context.sources.retention.begin(let_go, job, choices):
        raise ChainWaits("What you want of its chains has changed just now: the next run goes by that.")
    write_let_go(context.journal, job.machine, job.name, str(let_go.chain), context.now)
    return let_go


def _mark(context: RetentionContext, job: Job, let_go: LetGo) -> LetGo:
    """Goes on with it, alone: of two calls at once one marks its files. What it comes to now."""
    retention, by = context.sources.retention, secrets.token_hex(8)
    if not retention.claim(let_go, by, context.now):
        raise ChainWaits(f"Another run marks the files of {let_go.chain}, or you are bringing it back.")
    try:
        is_done = mark_chain(
            context.versions,
            job,
            let_go,
            lambda: context.has_time() and retention.claim(let_go, by, context.now),
        )
    except RefusedByS3 as error:
        retention.record(let_go)
        raise LettingGoStuck(let_go.chain, "S3 refused to mark files of this chain.", str(error)) from error
    _count_anew(context, job)
    after = dataclasses.replace(let_go, marked_at=let_go.marked_at or context.now) if is_done else let_go
    if not retention.claim(let_go, by, context.now) or not retention.record(after):
        raise ChainWaits(f"You are bringing {let_go.chain} back, or removing it: it is left alone.")
    if not is_done and context.now - let_go.begun_at > STUCK_AFTER:
        days = (context.now - let_go.begun_at).days
        message = f"This chain has been going for {days} days, and not all of its files are marked yet."
        raise LettingGoStuck(let_go.chain, message, f"begun {let_go.begun_at:%Y-%m-%d %H:%M} UTC")
    return after


def _count_anew(context: RetentionContext, job: Job) -> None:
    """What is hidden counts no more for the job; until S3 removes it, it is billed, and counts for the cap."""
    refresh_findings(context.catalogue, context.sources.findings, job, context.now)
    machine = context.sources.machines.machine(job.machine)
    if machine is not None:
        stored = context.catalogue.stored_bytes(context.sources.machines.jobs(job.machine))
        context.caps.recount(machine, stored, context.now)


def _update_findings(
    context: RetentionContext,
    snapshot: RetentionSnapshot,
    job: Job,
    facts: RetentionFacts,
    stuck: Sequence[LettingGoStuck],
    marked: Sequence[SetId],
) -> None:
    """It ends when its chain is marked, or not there any more; a chain that only waits may be as stuck as before."""
    there = {chain.id for chain in counted_chains(facts)} | {one.chain for one in _going(snapshot, job)}
    still = {str(chain) for chain in there - set(marked)}
    known = [
        finding
        for finding in snapshot.findings
        if (finding.code, finding.machine, finding.job) == (LETGO_STUCK, job.machine, job.name)
    ]
    found = {finding.subject: finding for finding in known if finding.subject in still}
    found |= {str(reason.chain): _finding(job, reason) for reason in stuck}
    if list(found.values()) != known:
        context.sources.findings.replace(job, found.values(), context.now, codes=[LETGO_STUCK])


def _finding(job: Job, stuck: LettingGoStuck) -> Finding:
    return new_finding(
        LETGO_STUCK,
        machine=job.machine,
        job=job.name,
        subject=str(stuck.chain),
        message=f"{stuck.chain} of {job.full_name}: {stuck}",
        evidence=stuck.evidence,
        commands=(
            f"python -m ops reconcile {job.machine} {job.name}",
            f"python -m ops retention run {job.machine} {job.name}",
        ),
    )


def _forget_what_is_gone(
    context: RetentionContext, snapshot: RetentionSnapshot, job: Job, job_sets: JobSets
) -> None:
    """Of what S3 has removed, or the owner, the row goes after a while; that it could not be brought back is settled
    then."""
    stored = {one.set_id for one in job_sets.every if one.current or one.noncurrent}
    for let_go in snapshot.let_gos_of(job):
        is_over = let_go.dropped or (not let_go.is_going and context.now >= let_go.final_at)
        if is_over and stored.isdisjoint(let_go.sets):
            context.sources.retention.forget_later(dataclasses.replace(let_go, undone_at=None), context.now)
            if let_go.undone_at is not None:
                context.sources.findings.replace(
                    job, [], context.now, codes=[UNDO_IMPOSSIBLE], subjects=[str(let_go.chain)]
                )
