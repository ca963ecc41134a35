"""Mails and publishes what is wrong in between the weekly mails: look, work out what is due, claim, send, record."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta, tzinfo

from chalicelib import metrics
from chalicelib.adapters.alerts_topic import AlertsTopic
from chalicelib.adapters.ses_mailer import Mailer, MailRefused
from chalicelib.adapters.stores.alert_store import AlertStore, KnownRecord
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.finding_store import FindingStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.alert_message import alert_message
from chalicelib.domain.audit.findings import OpenFinding
from chalicelib.domain.audit.notices import Notice, with_past
from chalicelib.domain.backups.freshness import Freshness, State, due_since, evaluate_freshness
from chalicelib.domain.backups.machines import Job, Machine, machines_by_owner
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.mail.alert_items import Alert, JobNow
from chalicelib.domain.mail.alert_record import AlertRecord
from chalicelib.domain.mail.alerts import NOTICES_MAILED_WITHIN, alerts_due
from chalicelib.domain.mail.phrases import format_age
from chalicelib.domain.photos.family import stand_in, without_jobs
from chalicelib.journeys.watch_thaws import watch_thaws
from chalicelib.rendering import Mail, render_alert

EVALUATED_EVERY = timedelta(minutes=30)
"""States change by the hour: looking at every job each minute would be most of what this service costs."""


@dataclasses.dataclass(frozen=True)
class AlertContext:
    """``stage`` is named in the commands that a mail advises; ``zone`` is the owner's."""

    machines: MachineStore
    notices: NoticeStore
    catalogue: CatalogueStore
    findings: FindingStore
    thaws: ThawStore
    alerts: AlertStore
    mailer: Mailer
    topic: AlertsTopic
    recipients: Sequence[str]
    stage: str
    zone: tzinfo
    now: datetime
    has_job_metrics: bool = False
    """Whether the age of each job's newest backup goes to CloudWatch when the jobs are evaluated."""


@dataclasses.dataclass(frozen=True)
class _Facts:
    """What is so now, read once for both ways. ``jobs`` is None where it was not time to evaluate them; ``machines``
    are those that stay: it is no good news that nothing is wrong any more with one that is being removed."""

    findings: Sequence[OpenFinding]
    notices: Sequence[Notice]
    jobs: Sequence[JobNow] | None
    machines: Collection[str]


@dataclasses.dataclass(frozen=True)
class DeliveredAlerts:
    """What went out. ``message_id`` is SES's of the mail; each is None where nothing was due, or it failed.

    ``mail_error`` may stand beside a mail that went out: that to a machine's own owner failed.
    """

    message_id: str | None = None
    publish_id: str | None = None
    mail_error: Exception | None = None
    publish_error: Exception | None = None


def send_alerts(context: AlertContext) -> str | None:
    """Publishes and mails what is due now; SES's id of the mail, or ``None`` where none was due.

    Raises what one of the two ways failed with, after the other was tried.
    """
    delivered = deliver_alerts(context)
    errors = [error for error in (delivered.mail_error, delivered.publish_error) if error is not None]
    if errors:
        raise errors[0] from (errors[1] if len(errors) > 1 else None)
    return delivered.message_id


def deliver_alerts(context: AlertContext, *, rests: bool = True) -> DeliveredAlerts:
    """Each way has its own record, which is claimed before a message goes and written when it was taken, so that what
    one way refuses neither delays nor repeats the other. A call that dies before the answer is made up for when its
    claim has lapsed; only one that dies between the answer and its own record makes a second message.

    A way that refuses rests, longer with each try, and nothing is read for it meanwhile. ``rests=False`` tries at once.
    """
    known = _read_records(context)
    awake = [one for one in known if not (one.is_claimed(context.now) or (rests and one.rests(context.now)))]
    if not awake:
        return DeliveredAlerts()
    facts = _read_facts(context, [one.record for one in awake])
    mailed, published = known
    delivered = DeliveredAlerts()
    if published in awake:  # first: its answer comes within seconds, whatever is the matter
        delivered = _published(context, published, facts)
    return _mailed(context, mailed, facts, delivered) if mailed in awake else delivered


def _read_records(context: AlertContext) -> tuple[KnownRecord, KnownRecord]:
    """What was mailed and what was published: a topic that is new does not repeat what was mailed before it."""
    mailed, published = context.alerts.read()
    if published.revision == 0 and context.alerts.replace(mailed.record, published, context.now):
        published = dataclasses.replace(published, record=mailed.record, revision=1)
    return mailed, published


def _published(context: AlertContext, known: KnownRecord, facts: _Facts) -> DeliveredAlerts:
    try:
        published = _deliver(context, known, facts, _publish)
    except Exception as error:
        return DeliveredAlerts(publish_error=error)
    return DeliveredAlerts(publish_id=published[1] if published else None)


def _mailed(
    context: AlertContext, known: KnownRecord, facts: _Facts, delivered: DeliveredAlerts
) -> DeliveredAlerts:
    """``delivered`` with what came of the mail."""
    try:
        mailed = _deliver(context, known, facts, _send)
    except Exception as error:
        return dataclasses.replace(delivered, mail_error=error)
    if mailed is None:
        return delivered
    alert, message_id = mailed
    delivered = dataclasses.replace(delivered, message_id=message_id)
    try:
        _send_to_owners(context, alert)
    except Exception as error:
        return dataclasses.replace(delivered, mail_error=error)
    return delivered


def _deliver(
    context: AlertContext,
    known: KnownRecord,
    facts: _Facts,
    send: Callable[[AlertContext, Alert], str],
) -> tuple[Alert, str] | None:
    """What went out one way, with its id."""
    alert, record = _due(context, known.record, facts)
    if alert is None:
        if record != known.record or known.tries:
            context.alerts.replace(record, known, context.now)
        return None
    if not context.alerts.claim(known, context.now):
        return None
    try:
        message_id = send(context, alert)
    except Exception:
        context.alerts.release(known)
        raise
    context.alerts.write(record, known)
    return alert, message_id


def _publish(context: AlertContext, alert: Alert) -> str:
    text = _render(context, alert).text
    return context.topic.publish(alert_message(alert, text, stage=context.stage, at=context.now))


def _send_to_owners(context: AlertContext, alert: Alert) -> None:
    """To each machine's own owner what concerns their machines: after the record, so that nobody gets one twice. Raises
    what the last one failed with, other than a refusal, when all were tried."""
    failed: Exception | None = None
    for address, names in machines_by_owner(context.machines.machines()).items():
        part = alert.of_machines(names)
        if part is None or address in context.recipients:
            continue  # the service's own recipients have it already
        try:
            context.mailer.send(_render(context, part), [address])
        except MailRefused:
            pass  # the doctor shows whom the weekly mail cannot reach
        except Exception as error:
            failed = error
    if failed is not None:
        raise failed


def _send(context: AlertContext, alert: Alert) -> str:
    """To all at once; where SES refuses one address (it does not name it), to each alone, so that the others get it."""
    mail = _render(context, alert)
    try:
        return context.mailer.send(mail, context.recipients)
    except MailRefused:
        taken: list[str] = []
        for recipient in context.recipients if len(context.recipients) > 1 else ():
            with contextlib.suppress(MailRefused):
                taken.append(context.mailer.send(mail, [recipient]))
        if not taken:
            raise
        return taken[0]


def preview_alerts(context: AlertContext) -> Mail | None:
    """The mail that would go out now; nothing is sent or recorded."""
    mailed, _ = context.alerts.read()
    alert, _ = _due(context, mailed.record, _facts(context, (mailed.record,), evaluate_jobs=True))
    return _render(context, alert) if alert else None


def _render(context: AlertContext, alert: Alert) -> Mail:
    return render_alert(alert, stage=context.stage, written_at=context.now.astimezone(context.zone))


def _is_time_to_evaluate(record: AlertRecord, now: datetime) -> bool:
    return record.evaluated_at is None or abs(now - record.evaluated_at) >= EVALUATED_EVERY


def _read_facts(context: AlertContext, records: Sequence[AlertRecord]) -> _Facts:
    """Also opens and closes the findings that time alone brings, where it is time to evaluate."""
    evaluates = any(_is_time_to_evaluate(record, context.now) for record in records)
    if evaluates:
        watch_thaws(context.thaws, context.machines, context.findings, context.now)
    facts = _facts(context, records, evaluate_jobs=evaluates)
    if context.has_job_metrics:
        _emit_ages(context, facts.jobs or ())
    return facts


def _emit_ages(context: AlertContext, jobs: Sequence[JobNow]) -> None:
    for job in jobs:
        if job.newest_complete_at is not None:
            age = context.now - job.newest_complete_at
            metrics.emit_backup_age(context.stage, job.machine, job.job, age)


def _facts(context: AlertContext, records: Sequence[AlertRecord], *, evaluate_jobs: bool) -> _Facts:
    findings = context.findings.open_findings()
    # All of them, of which there may be a thousand, are not read each minute for nothing.
    open_keys = {finding.finding.key for finding in findings}
    is_over = any(record.findings.keys() - open_keys for record in records)
    known = context.machines.machines() if evaluate_jobs or is_over else []
    machines = {machine.name: machine for machine in known}
    return _Facts(
        findings,
        _notices(context, records),
        _evaluate_jobs(context, machines) if evaluate_jobs else None,
        {machine.name for machine in known if machine.dropping_at is None},
    )


def _notices(context: AlertContext, records: Sequence[AlertRecord]) -> list[Notice]:
    """Only for those that are still to be sent it is asked whether their machine is there."""
    notices = context.notices.since(context.now - NOTICES_MAILED_WITHIN)
    new = {one.machine for one in notices if any(one.key not in record.notices for record in records)}
    there = context.machines.machines_named(new - {""})
    return with_past(notices, {name for name, machine in there.items() if machine.dropping_at is None})


def _due(context: AlertContext, record: AlertRecord, facts: _Facts) -> tuple[Alert | None, AlertRecord]:
    return alerts_due(
        record,
        findings=facts.findings,
        notices=facts.notices,
        jobs=facts.jobs,
        machines=facts.machines,
        now=context.now,
        zone=context.zone,
    )


def _evaluate_jobs(context: AlertContext, machines: dict[str, Machine]) -> list[JobNow]:
    jobs = [job for job in context.machines.jobs() if job.machine in machines]
    empty = map(stand_in, without_jobs(context.machines.families(), jobs))
    return [
        *(
            _job_now(context, machines[sets.job.machine], sets.job, sets.visible)
            for sets in context.catalogue.sets_of_each(jobs)
        ),
        *(_job_now(context, machines[job.machine], job, []) for job in empty if job.machine in machines),
    ]


def _job_now(context: AlertContext, machine: Machine, job: Job, sets: Sequence[BackupSet]) -> JobNow:
    try:
        run, freshness = job.last_run, evaluate_freshness(machine, job, sets, context.now)
    except Exception as error:
        # One job's trouble must not silence the alerts about all others.
        detail = f"The state of {job.machine}/{job.name} could not be worked out ({type(error).__name__})."
        return JobNow(job.machine, job.name, State.FAILING, detail, family=job.family)
    return JobNow(
        job.machine,
        job.name,
        freshness.state,
        _detail(machine, job, freshness, context),
        is_running=run is not None and run.ended_at is None,
        newest_complete_at=freshness.newest_complete_at,
        pause_ended_at=machine.paused_until,
        never_came=freshness.newest_complete_at is None,
        family=job.family,
    )


def _detail(machine: Machine, job: Job, freshness: Freshness, context: AlertContext) -> str:
    every, grace = (timedelta(seconds=seconds) for seconds in (job.period_seconds, job.grace_seconds))
    expected = f" It should make one every {format_age(every)}, and may be {format_age(grace)} late."
    newest = freshness.newest_complete_at
    if newest is None:
        since = due_since(machine, job).astimezone(context.zone)
        return f"No backup of {job.machine}/{job.name} has come since {since:%a %d %b %Y}.{expected}"
    at = newest.astimezone(context.zone)
    detail = (
        f"The newest complete backup of {job.machine}/{job.name} is {format_age(context.now - newest)} old "
        f"({at:%a %d %b %Y, %H:%M})."
    )
    if job.last_check is not None and job.last_check.at > newest:
        detail += f" It was last looked at {format_age(context.now - job.last_check.at)} ago."
    run = job.last_run
    if freshness.state is State.OVERDUE:
        detail += expected
    if freshness.state is State.FAILING and run is not None and run.ended_at is not None:
        detail += f" The last run failed {format_age(context.now - run.ended_at)} ago (exit {run.exit_code})."
    return detail
