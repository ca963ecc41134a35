"""The weekly mail: evaluate every job, price what it stores, compose, send once to each who is to have it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from chalicelib.adapters.ses_mailer import Mailer, MailRefused
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
from chalicelib.adapters.stores.report_store import ReportStore
from chalicelib.adapters.stores.retention.retention_store import RetentionStore
from chalicelib.adapters.stores.run_store import RunStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.audit.findings import Finding, at_stage
from chalicelib.domain.audit.notices import OF_THAWS, OVER_BUDGET, REPORT_INCOMPLETE, Notice
from chalicelib.domain.backups.freshness import evaluate_freshness
from chalicelib.domain.backups.machines import Job, Machine, machines_by_owner
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.backups.tallies import total_bytes
from chalicelib.domain.costs.figures import Figures, JobFigures, job_figures
from chalicelib.domain.costs.price_table import PriceTable, PriceUnknown
from chalicelib.domain.costs.statement import WEEKS_OF_TREND, Statement, state_costs
from chalicelib.domain.costs.usage import JobUsage, job_usage
from chalicelib.domain.mail.cost_parts import CostSection
from chalicelib.domain.mail.cost_section import describe_costs
from chalicelib.domain.mail.phrases import format_money
from chalicelib.domain.mail.report import broken_jobs, compose_report, needs_owner
from chalicelib.domain.mail.report_parts import (
    EvaluatedJob,
    LastIssue,
    LettingGoSection,
    Report,
    ThawSection,
    failed_job,
)
from chalicelib.domain.photos.family import stand_in, without_jobs
from chalicelib.domain.restore.thaw_section import describe_thaws
from chalicelib.domain.retention.section import describe_letting_go
from chalicelib.domain.weekly import WeeklyTime
from chalicelib.journeys.gather_thaws import GatheredThaws, gather_thaws
from chalicelib.journeys.retention.gather_chains import ChainGatherer, GatheredChains
from chalicelib.journeys.retention.read_facts import FactSources
from chalicelib.rendering import Mail, render

NOTICES_SHOWN = timedelta(days=8)
"""A day more than a week, so that nothing falls between two mails."""

MONTH_SECONDS = 30 * 86_400
WEEKS_A_MONTH = 4


class RecipientsRefused(Exception):
    """SES refused the weekly mail for some; the others have it. The function fails with it, which raises an alarm."""


@dataclasses.dataclass(frozen=True)
class ReportContext:
    """``prices`` are missing where those of the region are not known, ``budget`` (USD a month) where there is none.
    ``stage`` is named in the commands that a mail advises."""

    machines: MachineStore
    notice_store: NoticeStore
    runs: RunStore
    catalogue: CatalogueStore
    findings: FindingStore
    thaws: ThawStore
    retention: RetentionStore
    recoveries: RecoveryStore
    reports: ReportStore
    mailer: Mailer
    weekly_time: WeeklyTime
    recipients: Sequence[str]
    now: datetime
    stage: str = "local"
    prices: PriceTable | None = None
    budget: Decimal | None = None
    has_job_metrics: bool = False

    @property
    def fact_sources(self) -> FactSources:
        return FactSources(
            self.retention, self.machines, self.runs, self.notice_store, self.findings, self.thaws
        )


@dataclasses.dataclass(frozen=True)
class Gathered:
    """All that the mails of one issue are made from."""

    machines: Mapping[str, Machine]
    evaluated: Sequence[EvaluatedJob]
    findings: Sequence[Finding]
    notices: Sequence[Notice]
    earlier: Sequence[Figures]
    stored_bytes: int
    removed_bytes: int
    statement: Statement | None
    monthly: Mapping[str, JobFigures]
    thaws: GatheredThaws
    letting_go: GatheredChains

    def figures(self, now: datetime) -> Figures:
        broken = broken_jobs(self.findings)
        statement = self.statement
        return Figures(
            written_at=now,
            backups=len(self.evaluated),
            in_need=sum(needs_owner(evaluated_job, broken) for evaluated_job in self.evaluated),
            stored_bytes=self.stored_bytes,
            monthly=statement.monthly if statement else None,
            so_far=statement.so_far.total if statement else None,
            forecast=statement.forecast.total if statement else None,
        )


def gather(context: ReportContext) -> Gathered:
    """Reads everything once."""
    machines = {machine.name: machine for machine in context.machines.machines()}
    earlier = context.reports.stored_figures(WEEKS_OF_TREND - 1)
    chains = ChainGatherer(context.fact_sources, context.prices, context.weekly_time, context.now)
    jobs = _evaluate_jobs(context, machines, chains, earlier[-1].written_at if earlier else None)
    usages = jobs.usages
    thaws = gather_thaws(
        context.thaws, context.machines, context.recoveries, context.now - NOTICES_SHOWN, context.now
    )
    statement = _state_costs(context, usages, int(jobs.runs), thaws.this_month, earlier)
    notices = _notices(context)
    if isinstance(statement, Exception):
        notices = [_costs_failed(statement, context.now), *notices]
        statement = None
    return Gathered(
        machines,
        jobs.evaluated,
        _findings(context),
        notices,
        earlier,
        sum(usage.stored_bytes for usage in usages),
        sum(total_bytes(usage.news.removed) for usage in usages),
        statement,
        job_figures(context.prices, usages) if context.prices is not None and statement else {},
        thaws,
        chains.gathered,
    )


def _notices(context: ReportContext) -> list[Notice]:
    """Without those of thaws, which have a section of their own."""
    recent = context.notice_store.since(context.now - NOTICES_SHOWN)
    return [notice for notice in recent if notice.code not in OF_THAWS]


def _findings(context: ReportContext) -> list[Finding]:
    """With the commands as they are typed for this stage."""
    return [
        dataclasses.replace(finding, commands=at_stage(finding.commands, context.stage))
        for finding in context.findings.findings()
    ]


@dataclasses.dataclass
class _EvaluatedJobs:
    """``usages`` has none of a job that could not be evaluated; ``runs`` are those that a month brings."""

    evaluated: list[EvaluatedJob] = dataclasses.field(default_factory=list)
    usages: list[JobUsage] = dataclasses.field(default_factory=list)
    runs: Decimal = Decimal(0)


def _evaluate_jobs(
    context: ReportContext, machines: Mapping[str, Machine], chains: ChainGatherer, since: datetime | None
) -> _EvaluatedJobs:
    """Job after job: the sets of one are forgotten when they are evaluated and counted."""
    every = _EvaluatedJobs()
    jobs = [job for job in context.machines.jobs() if job.machine in machines]
    for sets in context.catalogue.sets_of_each(jobs):
        job = sets.job
        try:
            freshness = evaluate_freshness(machines[job.machine], job, sets.visible, context.now)
            usage = job_usage(
                job,
                sets.every,
                context.now,
                since=since,
                first_backup=freshness.progress,
                let_gos=chains.let_gos_of(job),
            )
            if not job.is_dropping:
                chains.add(machines[job.machine], sets)
        except Exception as error:
            every.evaluated.append(failed_job(job, error))
            continue
        every.evaluated.append(EvaluatedJob(job, freshness))
        every.usages.append(usage)
        every.runs += Decimal(MONTH_SECONDS) / job.period_seconds
    for job in map(stand_in, without_jobs(context.machines.families(), jobs)):
        if job.machine in machines:
            freshness = evaluate_freshness(machines[job.machine], job, [], context.now)
            every.evaluated.append(EvaluatedJob(job, freshness))
    return every


def _costs_failed(error: Exception, now: datetime) -> Notice:
    message = f"The costs could not be worked out ({type(error).__name__}): see the service's log."
    return Notice(REPORT_INCOMPLETE, "", "", message, now)


def _state_costs(
    context: ReportContext,
    usages: Sequence[JobUsage],
    runs_a_month: int,
    thaws: Decimal,
    earlier: Sequence[Figures],
) -> Statement | Exception | None:
    if context.prices is None:
        return None
    try:
        return state_costs(
            context.prices,
            usages,
            runs_a_month=runs_a_month,
            mails_a_month=WEEKS_A_MONTH * len(context.recipients),
            has_job_metrics=context.has_job_metrics,
            now=context.now,
            thaws=thaws,
            before=(earlier[-1], context.reports.stored_job_figures()) if earlier else None,
        )
    except PriceUnknown:
        return None  # a class that nobody here writes, in an adopted bucket
    except Exception as error:
        return error  # a line of the mail says so


def compose(context: ReportContext, gathered: Gathered) -> Report:
    """The owner's report."""
    return compose_report(
        gathered.evaluated,
        gathered.findings,
        gathered.notices,
        now=context.now,
        next_issue=context.weekly_time.next_issue(context.now),
        zone=context.weekly_time.zone,
        stored_bytes=gathered.stored_bytes,
        thaws=_thaw_section(context, gathered, gathered.machines),
        letting_go=_letting_go(context, gathered, gathered.machines, to_the_owner=True),
        costs=_cost_section(context, gathered),
        monthly={name: figures.monthly for name, figures in gathered.monthly.items()},
        last=_last_issue(gathered),
    )


def _last_issue(gathered: Gathered) -> LastIssue | None:
    if not gathered.earlier:
        return None
    last = gathered.earlier[-1]
    return LastIssue(last.written_at, last.stored_bytes, gathered.removed_bytes)


def compose_for(context: ReportContext, gathered: Gathered, machines: frozenset[str]) -> Report:
    """A report about some machines only, for their own owner; what they cost is the other owner's affair."""
    return compose_report(
        [evaluated_job for evaluated_job in gathered.evaluated if evaluated_job.job.machine in machines],
        [finding for finding in gathered.findings if finding.machine in machines],
        [notice for notice in gathered.notices if notice.machine in machines],
        now=context.now,
        next_issue=context.weekly_time.next_issue(context.now),
        zone=context.weekly_time.zone,
        thaws=_thaw_section(context, gathered, machines),
        letting_go=_letting_go(context, gathered, machines, to_the_owner=False),
    )


def _thaw_section(
    context: ReportContext, gathered: Gathered, machines: Collection[str]
) -> ThawSection | None:
    """About those machines only."""
    return describe_thaws(
        [thaw for thaw in gathered.thaws.recent if thaw.machine in machines],
        gathered.thaws.months,
        {name: machine.thaw_budget_usd for name, machine in gathered.machines.items()},
        zone=context.weekly_time.zone,
        stage=context.stage,
    )


def _letting_go(
    context: ReportContext, gathered: Gathered, machines: Collection[str], *, to_the_owner: bool
) -> LettingGoSection | None:
    """About those machines only."""
    earlier = gathered.earlier
    return describe_letting_go(
        [one for one in gathered.letting_go.outlooks if one.job.machine in machines],
        [one for one in gathered.letting_go.let_gos if one.machine in machines],
        since=earlier[-1].written_at if earlier else context.now - NOTICES_SHOWN,
        now=context.now,
        zone=context.weekly_time.zone,
        stage=context.stage,
        to_the_owner=to_the_owner,
    )


def _cost_section(context: ReportContext, gathered: Gathered) -> CostSection | None:
    if gathered.statement is None:
        return None
    return describe_costs(
        gathered.statement,
        gathered.earlier,
        budget=context.budget,
        now=context.now,
        zone=context.weekly_time.zone,
    )


def preview(context: ReportContext) -> Mail:
    return render(compose(context, gather(context)))


def send_now(context: ReportContext, recipients: Sequence[str]) -> tuple[Mail, str]:
    """The owner asked for it; the weekly issue still comes. Raises ``MailRefused``."""
    mail = preview(context)
    return mail, context.mailer.send(mail, recipients)


def send_if_due(context: ReportContext) -> str | None:
    """Sends the latest issue unless it went out; answers with SES's message id, or ``None``.

    A first mail waits for the first weekly hour after the first machine was added. Raises ``RecipientsRefused``
    when everybody was tried, and SES will not take it for some: they are tried again after a rest.
    """
    issue = context.weekly_time.latest_issue(context.now)
    added = [machine.created_at for machine in context.machines.machines()]
    if not added or min(added) > issue or not context.reports.claim(issue, context.now):
        return None
    try:
        message_id, refused = _deliver(context, issue)
    except Exception:
        context.reports.release(issue)
        raise
    if refused:
        context.reports.release(issue, refused)
        reasons = "; ".join(f"{recipient}: {reason}" for recipient, reason in refused.items())
        raise RecipientsRefused(
            f"The weekly mail was refused for {reasons}. `python -m ops doctor` shows more."
        )
    context.reports.mark_sent(issue, context.now)
    return message_id


def _deliver(context: ReportContext, issue: datetime) -> tuple[str | None, dict[str, str]]:
    """The newest message id, and who was refused with SES's reason."""
    gathered = gather(context)
    figures = gathered.figures(context.now)
    report_if_over_budget(context, gathered)
    done = context.reports.delivered(issue)
    refused: dict[str, str] = {}
    message_id: str | None = None

    def deliver(mail: Mail, recipients: Sequence[str], named: Sequence[tuple[Job, SetId]] = ()) -> None:
        """``named``: chains that this mail says will go."""
        nonlocal message_id
        try:
            message_id = context.mailer.send(mail, recipients)
        except MailRefused as refusal:
            if len(recipients) == 1:
                refused[recipients[0]] = str(refusal)
                return
            # One bad address must not keep the others from their mail.
            for recipient in recipients:
                deliver(mail, [recipient], named)
            return
        # Before the mail is known to be delivered: a call that dies between the two has it sent again, and an issue
        # that names a chain twice counts once. So no chain is announced without a mail, and none unannounced with one.
        if named:
            context.retention.announce(issue, named, context.now)
        context.reports.mark_delivered(issue, recipients, message_id, context.now)

    waiting = [recipient for recipient in context.recipients if recipient not in done]
    if waiting:
        report = compose(context, gathered)
        deliver(render(report), waiting, report.letting_go.named if report.letting_go else ())
    for address, machines in machines_by_owner(gathered.machines.values()).items():
        if address not in done and address not in context.recipients:
            deliver(render(compose_for(context, gathered, machines)), [address])
    if message_id is not None:
        context.reports.store_figures(issue, figures, gathered.monthly)
    return message_id, refused


def watch_budget(context: ReportContext) -> bool:
    """Once a day, at the hour of the weekly mail: true if a notice was recorded."""
    if (
        context.budget is None
        or context.now.astimezone(context.weekly_time.zone).hour != context.weekly_time.hour
    ):
        return False
    return report_if_over_budget(context, gather(context))


def report_if_over_budget(context: ReportContext, gathered: Gathered) -> bool:
    """Records a notice, once a month, if the month's forecast is over its budget."""
    if context.budget is None or gathered.statement is None:
        return False
    forecast = gathered.statement.forecast.total
    if forecast <= context.budget or not context.reports.first_over_budget(context.now):
        return False
    message = (
        f"This month will cost about {format_money(forecast)}, more than its budget of {format_money(context.budget)}. "
        "No backup is stopped for that; `python -m ops report preview` shows what costs it."
    )
    context.notice_store.put(Notice(OVER_BUDGET, "", "", message, context.now))
    return True
