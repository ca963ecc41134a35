"""The state of every machine at once, from whole partitions of the table: no query a machine, and none a job."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.domain.backups.freshness import (
    State,
    evaluate_freshness,
    evaluate_summary,
    summarize,
)
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.fleet.verdict import Reason, worst_verdict
from chalicelib.domain.mail.report_parts import EvaluatedJob, failed_job
from chalicelib.domain.photos.family import Family, stand_in, without_jobs
from chalicelib.domain.photos.summary import worst_state
from chalicelib.fleet_wire import JobState, MachineState
from chalicelib.journeys.admin.request import AdminContext, time_or_none
from chalicelib.journeys.describe_machine import describe_drill


@dataclasses.dataclass(frozen=True)
class Fleet:
    """``evaluated`` by machine, a family none of whose folders has come as one job; ``monthly`` is what each
    ``machine/job`` cost as of the last weekly mail, of ``costs_at``."""

    machines: Mapping[str, Machine]
    families: Mapping[str, Sequence[Family]]
    evaluated: Mapping[str, Sequence[EvaluatedJob]]
    monthly: Mapping[str, Decimal]
    costs_at: datetime | None


def gather_fleet(context: AdminContext) -> Fleet:
    """Reads nothing that grows with the number of sets; of open ones, a hundred a request."""
    machines = {machine.name: machine for machine in context.machines.machines()}
    jobs = [job for job in context.machines.jobs() if job.machine in machines]
    families = [family for family in context.machines.families() if family.machine in machines]
    evaluated: dict[str, list[EvaluatedJob]] = defaultdict(list)
    for one in _evaluate(context.catalogue, machines, jobs, context.now):
        evaluated[one.job.machine].append(one)
    for job in map(stand_in, without_jobs(families, jobs)):
        freshness = evaluate_freshness(machines[job.machine], job, [], context.now)
        evaluated[job.machine].append(EvaluatedJob(job, freshness))
    by_machine: dict[str, list[Family]] = defaultdict(list)
    for family in families:
        by_machine[family.machine].append(family)
    figures = context.report.reports.stored_job_figures()
    mailed = context.report.reports.stored_figures(1) if figures else []
    return Fleet(
        machines,
        by_machine,
        evaluated,
        {name: one.monthly for name, one in figures.items()},
        mailed[-1].written_at if mailed else None,
    )


def _evaluate(
    catalogue: CatalogueStore, machines: Mapping[str, Machine], jobs: Sequence[Job], now: datetime
) -> list[EvaluatedJob]:
    """What a job's sets come to is read as it was stored. Only of a job that nobody summarized yet its sets are read,
    and nothing is stored: these commands change nothing."""
    summaries = catalogue.summaries.summaries_of_all()
    missing = [job for job in jobs if job.full_name not in summaries]
    for sets in catalogue.sets_of_each(missing) if missing else ():
        summaries[sets.job.full_name] = summarize(sets.visible)
    open_sets = catalogue.summaries.open_sets_of_all(jobs, now)
    evaluated = []
    for job in jobs:
        found = summaries[job.full_name], open_sets.get(job.full_name, [])
        try:
            evaluated.append(EvaluatedJob(job, evaluate_summary(machines[job.machine], job, *found, now)))
        except Exception as error:
            evaluated.append(failed_job(job, error))
    return evaluated


def describe_state(fleet: Fleet, name: str, about: Sequence[Reason], now: datetime) -> MachineState:
    """``about`` are the reasons that name the machine."""
    machine = fleet.machines[name]
    jobs = tuple(_describe_job(one, fleet.monthly, now) for one in fleet.evaluated.get(name, ()))
    costs = [job.monthly for job in jobs if job.monthly is not None]
    return MachineState(
        machine=name,
        status=machine_status(machine, now),
        group=machine.group,
        owner_mail=machine.owner_mail,
        state=worst_state(State(job.state) for job in jobs).value if jobs else State.NEVER.value,
        client_version=machine.client_version,
        last_used_at=time_or_none(machine.last_used_at),
        stored_bytes=sum(job.stored_bytes for job in jobs),
        monthly=sum(costs) if costs else None,
        jobs=jobs,
        verdict=worst_verdict(reason.verdict for reason in about),
    )


def _describe_job(evaluated: EvaluatedJob, monthly: Mapping[str, Decimal], now: datetime) -> JobState:
    job, freshness = evaluated.job, evaluated.freshness
    cost = monthly.get(job.full_name)
    return JobState(
        job=job.name,
        family=job.family,
        state=freshness.state.value,
        newest_complete_at=time_or_none(freshness.newest_complete_at),
        checked_at=time_or_none(job.last_check.at if job.last_check else None),
        late_after_seconds=job.period_seconds + job.grace_seconds,
        stored_bytes=freshness.stored_bytes,
        monthly=float(cost) if cost is not None else None,
        drill=describe_drill(job, freshness.oldest_complete_at, now),
    )


def machine_status(machine: Machine, now: datetime) -> str:
    if machine.dropping_at is not None:
        return "dropping"
    if machine.is_paused(now):
        return State.PAUSED.value
    if machine.revoked_at is not None:
        return "revoked"
    return "enrolled" if machine.token_sha256 else "not enrolled yet"
