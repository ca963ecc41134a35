"""The owner's commands about letting chains go: show them, approve what was shown, hold, run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.retention.facts import RetentionFacts
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.domain.retention.looks import approve, digest_of, hold
from chalicelib.domain.retention.naming import NotNamed, matching, the_one
from chalicelib.domain.retention.rules import counted_chains
from chalicelib.journeys.admin.request import (
    AdminContext,
    Arguments,
    bad_request,
    known_job,
    known_machine,
    staying_job,
)
from chalicelib.journeys.catalogue.catalogue_changes import refresh_photo_findings
from chalicelib.journeys.retention.describe_retention import describe_retention
from chalicelib.journeys.retention.read_facts import FactSources, facts_of, read_surroundings
from chalicelib.owner_wire import JobRetention, RetentionListing, RetentionRan
from chalicelib.wire import ErrorCode

ROWS_A_PAGE = 4_000
"""Chains, sets that were let go and the like in one answer: 700 bytes each at most, and Lambda takes 6 MB."""

MOST_TRIES = 3
"""The choices of a job may be written by a chain that goes at the same time."""


@dataclasses.dataclass(frozen=True)
class JobFacts:
    """A job with what retention goes by, and its rows of chains that were let go."""

    job: Job
    facts: RetentionFacts
    let_gos: Sequence[LetGo]
    findings: Sequence[Finding]

    @property
    def name(self) -> str:
        return self.job.full_name


def retention_preview(context: AdminContext, request: Arguments) -> RetentionListing:
    """Of all jobs, those of a machine (``name``), or one (``job``); nothing is changed.

    With ``after``, a ``machine/job`` or an empty text, so many of the jobs behind that as one answer takes.
    """
    jobs = asked_jobs(context, request)
    if "after" not in request:
        return _listing(context, read_facts_of(context, jobs))
    return _page(context, jobs, str(request["after"]))


def _page(context: AdminContext, jobs: Sequence[Job], after: str) -> RetentionListing:
    waiting = sorted((job for job in jobs if job.full_name > after), key=lambda job: job.full_name)
    described: list[JobRetention] = []
    rows = 0
    for one in read_facts_of(context, waiting):
        described.append(_described(context, one))
        rows += _rows(described[-1])
        if rows >= ROWS_A_PAGE:
            break
    is_last = len(described) == len(waiting)
    listing = _listing_of(context, described)
    return listing if is_last else dataclasses.replace(listing, next=waiting[len(described) - 1].full_name)


def _rows(job: JobRetention) -> int:
    sets = sum(len(row.sets) for row in job.let_go)
    return 1 + len(job.chains) + len(job.loose) + len(job.let_go) + len(job.critical) + sets


def retention_approve(context: AdminContext, request: Arguments) -> RetentionListing:
    """The owner has looked at the lists that ``looks`` name by their digests, each with ``machine`` and ``job``; with
    ``chain`` that one is named besides. A list that is another by now is not approved."""
    looks = _looks(request)
    jobs = [staying_job(context, {"name": machine, "job": job}) for machine, job in looks]
    changed, approved = [], []
    for one in read_facts_of(context, jobs):
        named = _named_chain(context, one, request) if request.get("chain") else None
        if _record_look(context, one, looks[one.job.machine, one.job.name], named):
            approved.append(one.job)
            _acknowledge(context, one.job)
        else:
            changed.append(one.name)
    return dataclasses.replace(_listing(context, read_facts_of(context, jobs)), changed=tuple(changed))


def _looks(request: Arguments) -> dict[tuple[str, str], str]:
    looks = request.get("looks")
    if not isinstance(looks, list) or not looks or not all(isinstance(one, Mapping) for one in looks):
        raise bad_request("Say which lists were looked at, each with machine, job and digest.")
    if request.get("chain") and len(looks) != 1:
        raise bad_request("A chain is named together with its own job.")
    return {(str(one.get("machine")), str(one.get("job"))): str(one.get("digest")) for one in looks}


def _record_look(context: AdminContext, one: JobFacts, digest: str, named: SetId | None) -> bool:
    """False where the chains, or what the owner has said of them, are not as they were shown."""
    chains = counted_chains(one.facts)
    if digest_of(chains) != digest:
        return False
    chosen = approve(one.facts.choices, chains, context.now, named)
    return context.retention.choose(one.job, chosen)


def _acknowledge(context: AdminContext, job: Job) -> None:
    """Whoever has looked at a photo job's backups has seen as well what was changed in it."""
    if job.old_change is not None:
        context.machines.record_old_change(job, None)
        seen = dataclasses.replace(job, old_change=None)
        refresh_photo_findings(context.audit.findings, seen, context.now)


def retention_hold(context: AdminContext, request: Arguments) -> RetentionListing:
    """A chain, or without ``chain`` all of the job's, stays until the owner releases it (``release``)."""
    job = staying_job(context, request)
    [one] = read_facts_of(context, [job])
    chain = _named_chain(context, one, request) if request.get("chain") else None
    change_hold(context, job, chain, release=request.get("release") is True)
    return _listing(context, read_facts_of(context, [job]))


def change_hold(context: AdminContext, job: Job, chain: SetId | None, *, release: bool = False) -> None:
    store = context.retention
    for _ in range(MOST_TRIES):
        if store.choose(job, hold(store.choices(job), chain, release=release)):
            if not release:
                store.forget_announcements(job, chain)
            return
    raise Refusal(ErrorCode.TRY_AGAIN, "Something else is changing this job just now: type it again.")


def retention_run(context: AdminContext, request: Arguments) -> RetentionRan:
    """Has the function that lets chains go look at one job now, and waits for it."""
    return context.let_go.run(staying_job(context, request))


# ---------------------------------------------------------------- what they share


def asked_jobs(context: AdminContext, request: Arguments) -> list[Job]:
    """Where none is named, without those of machines that are being removed: nobody is to approve their chains."""
    if not request.get("name"):
        return [job for job in context.machines.jobs() if not job.is_dropping]
    if request.get("job"):
        return [known_job(context, request)]
    return context.machines.jobs(known_machine(context, request).name)


def read_facts_of(context: AdminContext, jobs: Sequence[Job]) -> Iterator[JobFacts]:
    """Job after job; what all of them share is read once."""
    machines = {machine.name: machine for machine in context.machines.machines()}
    stores = context.retention, context.machines, context.runs, context.notices
    sources = FactSources(*stores, context.audit.findings, context.thaws)
    snapshot = read_surroundings(sources, context.now)
    settings = {
        bucket: context.audit.settings.read(bucket, uploads=False)
        for bucket in {job.location.bucket for job in jobs}
    }
    for job_sets in context.catalogue.sets_of_each(jobs):
        job = job_sets.job
        bucket = settings[job.location.bucket]
        facts = facts_of(snapshot, machines[job.machine], job, job_sets, context.now, settings=bucket)
        mine = [one for one in snapshot.findings if (one.machine, one.job) == (job.machine, job.name)]
        yield JobFacts(job, facts, snapshot.let_gos_of(job), mine)


def _listing(context: AdminContext, found: Iterator[JobFacts]) -> RetentionListing:
    return _listing_of(context, [_described(context, one) for one in found])


def _listing_of(context: AdminContext, jobs: Sequence[JobRetention]) -> RetentionListing:
    return RetentionListing(tuple(jobs), zone=context.report.weekly_time.zone.key)


def _described(context: AdminContext, one: JobFacts) -> JobRetention:
    critical = [finding.message for finding in one.findings if finding.severity is Severity.CRITICAL]
    report = context.report
    return describe_retention(
        one.job, one.facts, one.let_gos, critical, report.prices, report.weekly_time, context.now
    )


def _named_chain(context: AdminContext, one: JobFacts, request: Arguments) -> SetId:
    """One of the chains that count. Raises ``Refusal`` with what there is."""
    chains = {chain.id: chain.first_sealed_at for chain in counted_chains(one.facts)}
    gone = {let_go.chain: let_go.begun_at for let_go in one.let_gos}
    zone = context.report.weekly_time.zone
    typed = str(request["chain"])
    if not matching(typed, chains, zone) and matching(typed, gone, zone):
        raise Refusal(
            ErrorCode.BAD_REQUEST,
            f"{matching(typed, gone, zone)[0]} of {one.name} was let go: `python -m ops retention preview"
            f" {one.job.machine} {one.job.name}` says whether it can be brought back.",
        )
    return the_one_named(context, one.name, typed, chains)


def the_one_named(
    context: AdminContext, job_name: str, typed: str, known: Mapping[SetId, datetime | None]
) -> SetId:
    """Raises ``Refusal`` where the text names none of them, or several."""
    try:
        return the_one(typed, known, context.report.weekly_time.zone, job_name)
    except NotNamed as error:
        raise Refusal(ErrorCode.NOT_FOUND, str(error)) from None
