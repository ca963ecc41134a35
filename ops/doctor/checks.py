"""``python -m ops doctor``: checks everything on the cloud side that a backup depends on.

It changes nothing. A check that could not be made is a complaint as well: what is not known is not well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.bucket_settings import SettingsReader
from chalicelib.adapters.price_files import price_table
from chalicelib.domain.audit.bucket_settings import Expected, check_settings
from chalicelib.domain.audit.findings import at_stage
from chalicelib.domain.costs.price_table import OLD_AFTER_DAYS
from chalicelib.metrics import HEARTBEAT_HOURS
from ops.aws import Aws
from ops.buckets.adopt import plans_for_adopted
from ops.doctor.failures import failures
from ops.doctor.mail_refusals import refusals
from ops.errors import OpsError
from ops.functions.compare_api import unexpected_answers
from ops.functions.compare_functions import finish_differences, function_differences, wanted_service
from ops.functions.concurrency import account_limit, concurrency_complaints
from ops.resources.alarm_subscription import CONFIRM_WITHIN_HOURS, unconfirmed
from ops.resources.mail_identities import unverified_addresses
from ops.resources.stack import changed_resources
from ops.service.admin_client import AdminClient
from ops.service.deployed_stage import DeployedStage
from ops.service.lambda_function import LambdaFunction
from ops.stages import Stage

SILENCE = timedelta(hours=6)
"""CloudWatch's numbers come late; a shorter time says nothing about a schedule that runs every minute."""

MAIL_OVERDUE = timedelta(days=8)
"""A week, and a day in which a refused mail is tried again."""

MOST_WAITING = 5000
"""Events; a large first backup has fewer of them under way."""


@dataclasses.dataclass(frozen=True)
class Check:
    """``wrong`` says what is wrong and what to do, a line each; empty if all is well."""

    title: str
    wrong: list[str]

    @property
    def ok(self) -> bool:
        return not self.wrong


@dataclasses.dataclass(frozen=True)
class Patient:
    """The stage that is checked."""

    aws: Aws
    stage: Stage
    project: Path
    now: datetime


def examine(aws: Aws, stage: Stage, project: Path, now: datetime | None = None) -> Iterator[Check]:
    """Every check, in the order of what stands on what."""
    patient = Patient(aws, stage, project, now or datetime.now(timezone.utc))
    for title, check in CHECKS.items():
        try:
            yield Check(title, check(patient))
        except (ClientError, BotoCoreError, OpsError) as error:
            yield Check(title, [f"could not be checked: {error}"])


def _resources(patient: Patient) -> list[str]:
    changes = changed_resources(patient.aws, patient.stage)
    return [f"{change}: `python -m ops deploy --stage {patient.stage.name}` does it" for change in changes]


def _functions(patient: Patient) -> list[str]:
    wanted = wanted_service(patient.stage, patient.project)
    differences = function_differences(patient.aws, patient.stage, wanted)
    return [f"{one}: `python -m ops deploy --stage {patient.stage.name}` repairs it" for one in differences]


def _left_out(patient: Patient) -> list[str]:
    differences = finish_differences(patient.aws, patient.stage)
    return [
        f"not set: {one}; `python -m ops deploy --stage {patient.stage.name}` does it" for one in differences
    ]


def _concurrency(patient: Patient) -> list[str]:
    return concurrency_complaints(account_limit(patient.aws))


def _api(patient: Patient) -> list[str]:
    where = f"the log of {patient.stage.prefix} and {patient.stage.function('authorizer')} says why"
    return [f"{one}: {where}" for one in unexpected_answers(patient.aws, patient.stage)]


def _bucket(patient: Patient) -> list[str]:
    """As the daily audit checks it; rules, policy and lock are among the resources, uploads are the audit's alone."""
    stage = patient.stage
    settings = SettingsReader(patient.aws.client("s3")).read(stage.bucket, uploads=False)
    expected = Expected(stage.region, stage.arn("sqs", stage.queue), ("",))
    return [
        f"{one.message} {' or '.join(f'`{line}`' for line in at_stage(one.commands, stage.name))}".strip()
        for one in check_settings(settings, expected, patient.now)
    ]


def _adopted(patient: Patient) -> list[str]:
    stage, wrong = patient.stage, []
    for one in plans_for_adopted(DeployedStage(patient.aws, stage)):
        if isinstance(one, OpsError):
            wrong.append(f"{one} Whoever deploys has to be allowed to change it")
        else:
            wrong += [
                f"{one.bucket}: {line}; `python -m ops deploy --stage {stage.name}` does it"
                for line in one.changes
            ]
    return wrong


def _queues(patient: Patient) -> list[str]:
    dead = _depth(patient, patient.stage.dead_letter_queue)
    waiting = _depth(patient, patient.stage.queue)
    wrong = []
    if dead:
        wrong.append(
            f"{dead} event{'s' if dead > 1 else ''} could not be catalogued:"
            f" `python -m ops dead-letters list --stage {patient.stage.name}`"
        )
    if waiting > MOST_WAITING:
        wrong.append(
            f"{waiting} events wait to be catalogued: the log of {patient.stage.function('catalogue')} says why"
        )
    return wrong


def _depth(patient: Patient, queue: str) -> int:
    sqs = patient.aws.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def _alarms(patient: Patient) -> list[str]:
    pages = (
        patient.aws.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"{patient.stage.prefix}-")
    )
    return [
        *(
            line
            for page in pages
            for alarm in page["MetricAlarms"]
            for line in alarm_complaints(alarm, patient.now)
        ),
        *(
            f"{address} has not confirmed that it wants alarms: follow the link in the mail from AWS"
            f" Notifications. AWS forgets the question after {CONFIRM_WITHIN_HOURS} hours;"
            f" `python -m ops deploy --stage {patient.stage.name}` then asks again"
            for address in unconfirmed(patient.aws.client("sns"), patient.stage)
        ),
    ]


def alarm_complaints(alarm: Mapping[str, Any], now: datetime) -> list[str]:
    """What an alarm's state means; the alarm itself only sends its reader here."""
    name, since = alarm["AlarmName"], alarm["StateUpdatedTimestamp"]
    if alarm["StateValue"] == "ALARM":
        where = "what failed stands under Events, Failures or Mail here"
        ends = f"the alarm ends by itself within {2 * HEARTBEAT_HOURS} hours of the last failure"
        return [f"{name} is raised since {since:%Y-%m-%d %H:%M} UTC: {where}; {ends}"]
    # A new alarm has no data until the first word.
    if alarm["StateValue"] == "INSUFFICIENT_DATA" and now - since > timedelta(hours=2 * HEARTBEAT_HOURS):
        why = "has not run, or cannot be loaded: Functions, Failures or Schedules here say why"
        return [f"{name} has no data since {since:%Y-%m-%d %H:%M} UTC: the function that reports them {why}"]
    return []


def _failures(patient: Patient) -> list[str]:
    return failures(patient.aws, patient.stage, patient.now)


def _mail(patient: Patient) -> list[str]:
    ses, stage = patient.aws.client("sesv2"), patient.stage
    account = ses.get_account()
    # Out of the sandbox SES asks for nobody's consent but the sender's.
    needed = [stage.sender] if account["ProductionAccessEnabled"] else [stage.sender, *stage.recipients]
    wrong = [
        f"{address} is not confirmed: follow the link in the mail from Amazon Web Services (a day old at most;"
        f" `aws sesv2 delete-email-identity --email-identity {address}` and a deploy send another)"
        for address in unverified_addresses(ses, list(dict.fromkeys(needed)))
    ]
    if not account["SendingEnabled"]:
        wrong.append("SES has stopped this account's mail: its page in the AWS console says why")
    return wrong + refusals(ses, admin(patient.aws, stage), stage) + _overdue(patient)


def _overdue(patient: Patient) -> list[str]:
    client = admin(patient.aws, patient.stage)
    last = client.call("report_status")["last_sent_at"]
    if last is None or not client.call("machine_list")["machines"]:
        return []
    sent_at = datetime.fromisoformat(last.replace("Z", "+00:00"))
    if patient.now - sent_at < MAIL_OVERDUE:
        return []
    return [f"the newest weekly mail went out on {sent_at:%Y-%m-%d}: Failures or Schedules here say why"]


def _schedules(patient: Patient) -> list[str]:
    cloudwatch, functions = patient.aws.client("cloudwatch"), patient.aws.client("lambda")
    wrong = []
    for short_name, every in _schedule_periods(patient):
        name = patient.stage.function(short_name)
        modified = functions.get_function_configuration(FunctionName=name)["LastModified"]
        changed = datetime.strptime(modified, "%Y-%m-%dT%H:%M:%S.%f%z")
        since = patient.now - max(2 * every, SILENCE)
        if changed > since:
            continue  # it may not have had its turn yet
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="Invocations",
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=since,
            EndTime=patient.now,
            Period=3600,
            Statistics=["Sum"],
        )
        if not sum(point["Sum"] for point in answer["Datapoints"]):
            wrong.append(
                f"{name} has not run since {since:%Y-%m-%d %H:%M} UTC: its rule in EventBridge's console, or"
                f" its log, says why; `python -m ops deploy --stage {patient.stage.name}` repairs the rule"
            )
    return wrong


def _schedule_periods(patient: Patient) -> Iterator[tuple[str, timedelta]]:
    for short_name, properties in wanted_service(patient.stage, patient.project).functions.items():
        for event in properties.get("Events", {}).values():
            if event["Type"] == "Schedule":
                yield short_name, schedule_period(event["Properties"]["Schedule"])


def schedule_period(expression: str) -> timedelta:
    """How far apart two runs of an EventBridge schedule are at most; for the forms that ``app.py`` has."""
    kind, _, inside = expression.rstrip(")").partition("(")
    words = inside.split()
    if kind == "rate":
        unit = words[1].rstrip("s") + "s"
        return timedelta(**{unit: int(words[0])})
    _, hour, _, _, weekday, _ = words
    if hour == "*":
        return timedelta(hours=1)
    return timedelta(days=1 if weekday in ("?", "*") else 7)


def _catalogue(patient: Patient) -> list[str]:
    """Each job's manifests and signatures, in adopted buckets too, as the bucket has them and as the catalogue does.

    Every set has some, the newest as well; `ops reconcile` also compares the volumes.
    """
    client, wrong = admin(patient.aws, patient.stage), []
    for job in client.call("job_list")["jobs"]:
        differing = client.call("catalogue_differences", name=job["machine"], job=job["job"])["keys"]
        if differing:
            wrong.append(
                f"{len(differing)} of the manifests and signatures of {job['machine']}/{job['job']} are not"
                f" catalogued as they are stored, {differing[0]} first: `python -m ops reconcile"
                f" --machine {job['machine']} --job {job['job']} --stage {patient.stage.name}` repairs it"
            )
    return wrong


def _prices(patient: Patient) -> list[str]:
    return price_complaints(patient.stage.region, patient.now)


def price_complaints(region: str, now: datetime) -> list[str]:
    """What is wrong with the prices that the weekly mail counts with."""
    table = price_table(region)
    refresh = f"`python -m ops prices refresh --region {region}`, then a deploy, brings them"
    if table is None:
        return [f"no prices of {region} are known, so that the mail names no cost: {refresh}"]
    age = table.age_days(now.date())
    return [f"the prices of {region} are {age} days old: {refresh}"] if age > OLD_AFTER_DAYS else []


def admin(aws: Aws, stage: Stage) -> AdminClient:
    """The owner's commands on a stage that is named by its settings."""
    return AdminClient(LambdaFunction(aws, stage.function("admin")))


CHECKS: dict[str, Callable[[Patient], list[str]]] = {
    "Resources": _resources,
    "Functions": _functions,
    "What Chalice leaves out": _left_out,
    "Concurrency": _concurrency,
    "The API": _api,
    "The bucket": _bucket,
    "Adopted buckets": _adopted,
    "Events": _queues,
    "Alarms": _alarms,
    "Failures": _failures,
    "Mail": _mail,
    "Schedules": _schedules,
    "Catalogue": _catalogue,
    "Prices": _prices,
}
"""Every check, by its title."""
