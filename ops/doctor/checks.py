"""``python -m ops doctor``: checks everything on the cloud side that a backup depends on.

It changes nothing. A check that could not be made is a complaint as well: what is not known is not well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.bucket_settings import SettingsReader
from chalicelib.adapters.price_files import price_table
from chalicelib.domain.audit.bucket_settings import Expected, check_settings
from chalicelib.domain.audit.findings import at_stage
from chalicelib.domain.costs.price_table import OLD_AFTER_DAYS
from chalicelib.owner_wire import CatalogueDifferences
from ops.aws import Aws
from ops.buckets.adopt import plans_for_adopted
from ops.client.offer import client_changes
from ops.doctor.alarms import alarms
from ops.doctor.failures import failures
from ops.doctor.mail import mail
from ops.doctor.patient import Patient, admin
from ops.doctor.schedules import schedules
from ops.errors import OpsError
from ops.functions.boundary import boundary_changes
from ops.functions.compare_api import unexpected_answers
from ops.functions.compare_functions import finish_differences, function_differences, wanted_service
from ops.functions.concurrency import concurrency_complaints, limit_for_stage
from ops.resources.stack import changed_resources
from ops.service.deployed_stage import DeployedStage
from ops.stages import Stage

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


def examine(aws: Aws, stage: Stage, project: Path, now: datetime | None = None) -> Iterator[Check]:
    """Every check, in the order of what stands on what."""
    patient = Patient(aws, stage, project, now or datetime.now(timezone.utc))
    for title, check in CHECKS.items():
        try:
            yield Check(title, check(patient))
        except (ClientError, BotoCoreError, OpsError) as error:
            yield Check(title, [f"could not be checked: {error}"])


def _resources(patient: Patient) -> list[str]:
    return _done_by_a_deploy(patient.stage, changed_resources(patient.aws, patient.stage))


def _roles(patient: Patient) -> list[str]:
    return _done_by_a_deploy(patient.stage, boundary_changes(patient.aws, patient.stage))


def _done_by_a_deploy(stage: Stage, changes: list[str]) -> list[str]:
    return [f"{change}: `python -m ops deploy --stage {stage.name}` does it" for change in changes]


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
    return concurrency_complaints(limit_for_stage(patient.aws, patient.stage))


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


def _client(patient: Patient) -> list[str]:
    """Without it a new computer gets nothing by the line of the recovery sheet."""
    return _done_by_a_deploy(patient.stage, client_changes(patient.aws, patient.stage))


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


def _failures(patient: Patient) -> list[str]:
    return failures(patient.aws, patient.stage, patient.now)


def _catalogue(patient: Patient) -> list[str]:
    """Each job's manifests and signatures, in adopted buckets too, as the bucket has them and as the catalogue does.

    Every set has some, the newest as well; `ops reconcile` also compares the volumes.
    """
    client, wrong = admin(patient.aws, patient.stage), []
    for job in client.jobs():
        differing = client.ask(
            CatalogueDifferences, "catalogue_differences", name=job.machine, job=job.job
        ).keys
        if differing:
            wrong.append(
                f"{len(differing)} of the manifests and signatures of {job.machine}/{job.job} are not"
                f" catalogued as they are stored, {differing[0]} first: `python -m ops reconcile"
                f" --machine {job.machine} --job {job.job} --stage {patient.stage.name}` repairs it"
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


CHECKS: dict[str, Callable[[Patient], list[str]]] = {
    "Resources": _resources,
    "Roles": _roles,
    "Functions": _functions,
    "What Chalice leaves out": _left_out,
    "Concurrency": _concurrency,
    "The API": _api,
    "The bucket": _bucket,
    "Adopted buckets": _adopted,
    "The client": _client,
    "Events": _queues,
    "Alarms": alarms,
    "Failures": _failures,
    "Mail": mail,
    "Schedules": schedules,
    "Catalogue": _catalogue,
    "Prices": _prices,
}
"""Every check, by its title."""
