"""The owner's commands, as the ``admin`` function takes them: ``{"command": name, ...arguments}``.

IAM decides who may call it. Every answer is plain JSON; a refusal says what to do.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from chalicelib.adapters.catalogue_store import CatalogueStore
from chalicelib.adapters.machine_store import MachineStore
from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.ses_mailer import MailRefused
from chalicelib.domain.backups.freshness import State
from chalicelib.domain.backups.machines import (
    CODE_BYTES,
    CODE_LIFE,
    DAY_SECONDS,
    DEFAULT_JOB,
    EnrolmentCode,
    Job,
    Machine,
    format_code,
    sha256_hex,
)
from chalicelib.domain.backups.names import Location, SetId, is_identifier
from chalicelib.domain.backups.sets import BackupSet, StoredObject, format_ranges
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.audit_buckets import AuditDesk, audit_buckets
from chalicelib.journeys.describe_machine import describe_job, format_wire_time
from chalicelib.journeys.reconcile_job import find_drift
from chalicelib.journeys.send_alerts import AlertDesk, preview_alerts, send_alerts
from chalicelib.journeys.send_weekly_report import ReportDesk, preview, send_now
from chalicelib.wire import ErrorCode, to_json

Answer = dict[str, Any]
Arguments = Mapping[str, Any]

OBJECTS_A_PAGE = 5_000
"""An object takes some 200 bytes of JSON; a Lambda function answers with at most 6 MB."""


MOST_FINDINGS = 2_000


@dataclasses.dataclass(frozen=True)
class AdminDesk:
    machines: MachineStore
    catalogue: CatalogueStore
    buckets: Buckets
    bucket: str
    report: ReportDesk
    audit: AuditDesk
    alerts: AlertDesk
    now: datetime


def administer(desk: AdminDesk, request: Arguments) -> Answer:
    """``{"result": ...}``, or ``{"error": code, "message": what to do}``."""
    command = COMMANDS.get(str(request.get("command")))
    try:
        if command is None:
            raise bad_request(f"There is no command {request.get('command')!r}.")
        return {"result": command(desk, request)}
    except Refusal as refusal:
        return {"error": refusal.code.value, "message": refusal.message}


# ---------------------------------------------------------------- machines


def machine_add(desk: AdminDesk, request: Arguments) -> Answer:
    """A new machine, or a new code (and perhaps new jobs) for one that is there."""
    name = _identifier(request, "name")
    jobs = request.get("jobs") or [DEFAULT_JOB]
    if not isinstance(jobs, list) or not all(isinstance(job, str) and is_identifier(job) for job in jobs):
        raise bad_request(f"Names of jobs are {NAME_FORM}.")
    period = _positive(request, "period_seconds", DAY_SECONDS)
    grace = _positive(request, "grace_seconds", period)
    adopted = _adopted_location(desk, request, name, jobs)
    owner_mail = _owner_mail(request)
    desk.machines.create_machine(Machine(name, created_at=desk.now))
    if owner_mail is not None:
        desk.machines.set_owner_mail(name, owner_mail or None)
    for job in jobs:
        location = adopted or Location(desk.bucket, f"{name}/{job}/")
        new_job = Job(name, job, location, period, grace)
        if desk.machines.create_job(new_job) and adopted:
            desk.machines.adopt_location(new_job)
    code = format_code(secrets.token_bytes(CODE_BYTES))
    expires_at = desk.now + CODE_LIFE
    desk.machines.put_code(EnrolmentCode(sha256_hex(code), name, expires_at))
    known = [job.name for job in desk.machines.jobs(name)]
    return {"machine": name, "jobs": known, "code": code, "code_expires_at": format_wire_time(expires_at)}


def _adopted_location(desk: AdminDesk, request: Arguments, machine: str, jobs: list[str]) -> Location | None:
    """The place of a backup that was there before; ``None`` if the machine uses the service's own bucket."""
    bucket, prefix = request.get("bucket"), request.get("prefix") or ""
    if bucket is None:
        if prefix:
            raise bad_request("--prefix goes with --bucket.")
        return None
    if not isinstance(bucket, str) or not isinstance(prefix, str) or bucket == desk.bucket:
        raise bad_request("--bucket is for a bucket that is not the service's own.")
    if len(jobs) != 1:
        raise bad_request("A backup that was there before is one job: name one with --job.")
    known = desk.machines.jobs_named([(machine, jobs[0])]).get((machine, jobs[0]))
    if known is not None and known.location != Location(bucket, prefix):
        raise bad_request(f"{machine}/{jobs[0]} is kept elsewhere already. Choose another name for the job.")
    for other in desk.machines.adopted_jobs(bucket):
        nested = other.location.prefix.startswith(prefix) or prefix.startswith(other.location.prefix)
        if nested and (other.machine, other.name) != (machine, jobs[0]):
            raise bad_request(f"{other.machine}/{other.name} has this place, or one inside it, already.")
    return Location(bucket, prefix)


def machine_list(desk: AdminDesk, _: Arguments) -> Answer:
    jobs = desk.machines.jobs()
    return {
        "machines": [
            {
                "machine": machine.name,
                "status": _status(machine, desk.now),
                "jobs": [job.name for job in jobs if job.machine == machine.name],
                "created_at": format_wire_time(machine.created_at),
                "last_used_at": _time_or_none(machine.last_used_at),
            }
            for machine in desk.machines.machines()
        ]
    }


def machine_show(desk: AdminDesk, request: Arguments) -> Answer:
    machine = _known_machine(desk, request)
    jobs = []
    for job in desk.machines.jobs(machine.name):
        sets = sorted(desk.catalogue.sets(job), key=lambda one: one.set_id.end)
        hidden = desk.catalogue.quarantined(job)
        status = to_json(describe_job(desk.catalogue, machine, job, desk.now))
        jobs.append({**status, "sets": [_describe_set(one, one.set_id in hidden) for one in sets]})
    return {
        "machine": machine.name,
        "status": _status(machine, desk.now),
        "created_at": format_wire_time(machine.created_at),
        "last_used_at": _time_or_none(machine.last_used_at),
        "owner_mail": machine.owner_mail,
        "jobs": jobs,
    }


def machine_set(desk: AdminDesk, request: Arguments) -> Answer:
    machine = _known_machine(desk, request)
    wanted = request.get("job")
    jobs = [job for job in desk.machines.jobs(machine.name) if wanted in (None, job.name)]
    if not jobs:
        raise Refusal(ErrorCode.UNKNOWN_JOB, f"{machine.name} has no job called {wanted}.")
    for job in jobs:
        desk.machines.set_period(
            dataclasses.replace(
                job,
                period_seconds=_positive(request, "period_seconds", job.period_seconds),
                grace_seconds=_positive(request, "grace_seconds", job.grace_seconds),
            )
        )
    desk.machines.set_caps(
        dataclasses.replace(
            machine,
            storage_cap_bytes=_positive(request, "storage_cap_bytes", machine.storage_cap_bytes),
            download_cap_bytes=_positive(request, "download_cap_bytes", machine.download_cap_bytes),
        )
    )
    owner_mail = _owner_mail(request)
    if owner_mail is not None:
        desk.machines.set_owner_mail(machine.name, owner_mail or None)
    return machine_show(desk, request)


def _owner_mail(request: Arguments) -> str | None:
    """An address, nothing ("") for no longer any, ``None`` where none is named."""
    address = request.get("owner_mail")
    if address is None or address == "":
        return address
    if not isinstance(address, str) or not _MAIL_ADDRESS.fullmatch(address):
        raise bad_request(f"{address!r} is no mail address: write one such as anna@example.org.")
    return address


def machine_pause(desk: AdminDesk, request: Arguments) -> Answer:
    machine = _known_machine(desk, request)
    until = request.get("until")
    desk.machines.pause(machine.name, desk.now, _read_time(until, "until") if until else None)
    return {"machine": machine.name, "paused_until": until}


def machine_resume(desk: AdminDesk, request: Arguments) -> Answer:
    machine = _known_machine(desk, request)
    if machine.is_paused(desk.now):
        desk.machines.pause(machine.name, machine.paused_at, desk.now)
    return {"machine": machine.name}


def machine_revoke(desk: AdminDesk, request: Arguments) -> Answer:
    machine = _known_machine(desk, request)
    desk.machines.revoke(machine.name, desk.now)
    return {"machine": machine.name, "revoked_at": format_wire_time(desk.now)}


def machine_remove(desk: AdminDesk, request: Arguments) -> Answer:
    machine = _known_machine(desk, request)
    desk.machines.remove_machine(machine.name)
    return {"machine": machine.name, "kept": f"What it stored stays in the bucket under {machine.name}/."}


def machine_rotate(desk: AdminDesk, request: Arguments) -> Answer:
    """A new code for a machine that is there; its token works until the code is used."""
    machine = _known_machine(desk, request)
    return machine_add(
        desk, {"name": machine.name, "jobs": [j.name for j in desk.machines.jobs(machine.name)]}
    )


def machine_recount(desk: AdminDesk, request: Arguments) -> Answer:
    """Counts what the machine has in the bucket, every version, for its storage cap."""
    machine = _known_machine(desk, request)
    places = {Location(desk.bucket, f"{machine.name}/")}
    places |= {job.location for job in desk.machines.jobs(machine.name) if job.location.bucket != desk.bucket}
    stored = sum(desk.buckets.bytes_of_all_versions(place.bucket, place.prefix) for place in places)
    desk.machines.set_stored_bytes(machine, stored)
    return {"machine": machine.name, "stored_bytes": stored, "storage_cap_bytes": machine.storage_cap_bytes}


# ---------------------------------------------------------------- sets


def set_quarantine(desk: AdminDesk, request: Arguments) -> Answer:
    """Hides a set from the listing (or shows it again), so that increments go on without it; deletes nothing."""
    job = _known_job(desk, request)
    try:
        set_id = SetId.parse(str(request.get("set")))
    except ValueError:
        raise bad_request("Name the set as 'ops machine show' does, such as full.20261122T205000Z.") from None
    if set_id not in {backup_set.set_id for backup_set in desk.catalogue.sets(job)}:
        raise Refusal(ErrorCode.NOT_FOUND, f"{job.machine}/{job.name} has no set {set_id}.")
    hide = request.get("release") is not True
    desk.catalogue.quarantine(job, set_id, hide=hide)
    return {"machine": job.machine, "job": job.name, "set": str(set_id), "quarantined": hide}


# ---------------------------------------------------------------- catalogue and report


def job_list(desk: AdminDesk, request: Arguments) -> Answer:
    """Every job, or those of one machine, with where it is kept and how."""
    name = _identifier(request, "name") if request.get("name") else None
    return {
        "jobs": [
            {
                "machine": job.machine,
                "job": job.name,
                "bucket": job.location.bucket,
                "prefix": job.location.prefix,
                "archive_class": job.storage.archive_class,
                "archive_after_days": job.storage.archive_after_days,
            }
            for job in desk.machines.jobs(name)
        ]
    }


def findings(desk: AdminDesk, _: Arguments) -> Answer:
    """What is kept as wrong, as the last events and the last audit left it."""
    return {"findings": [dataclasses.asdict(finding) for finding in desk.report.findings.findings()]}


def audit(desk: AdminDesk, _: Arguments) -> Answer:
    """Audits every bucket now; what is wrong, worst first."""
    found = [dataclasses.asdict(finding) for finding in audit_buckets(desk.audit)]
    return {"findings": found[:MOST_FINDINGS], "left_off": max(0, len(found) - MOST_FINDINGS)}


def alerts_preview(desk: AdminDesk, request: Arguments) -> Answer:
    """The alert that would be mailed now, or ``at`` another time; nothing is sent."""
    mail = preview_alerts(_alerts_at(desk, request))
    return {"mail": dataclasses.asdict(mail) if mail else None}


def alerts_send(desk: AdminDesk, request: Arguments) -> Answer:
    """Sends what is due now, as the schedule would within a minute, or what were due ``at`` another time."""
    return {"message_id": send_alerts(_alerts_at(desk, request))}


def _alerts_at(desk: AdminDesk, request: Arguments) -> AlertDesk:
    at = request.get("at")
    return dataclasses.replace(desk.alerts, now=_read_time(at, "at")) if at else desk.alerts


def catalogue_objects(desk: AdminDesk, request: Arguments) -> Answer:
    """A page of what the catalogue says is stored of a job; without one, of the strays in the service's own bucket."""
    job = _known_job(desk, request) if request.get("name") else None
    location = job.location if job else Location(desk.bucket, "")
    after = str(request.get("after", "")).removeprefix(location.prefix)
    rows = (
        desk.catalogue.objects_between(job, after) if job else desk.catalogue.strays_between(location, after)
    )
    stored = (_describe_object(location.key(row.name), row.stored) for row in rows if row.stored)
    page = list(itertools.islice(stored, OBJECTS_A_PAGE + 1))
    more = len(page) > OBJECTS_A_PAGE
    page = page[:OBJECTS_A_PAGE]
    return {"objects": page, "next": page[-1]["key"] if more else None}


def catalogue_drift(desk: AdminDesk, request: Arguments) -> Answer:
    """Which of a job's manifests and signatures are not catalogued as they are stored."""
    return {"keys": find_drift(desk.catalogue, desk.buckets, _known_job(desk, request), desk.now)}


def report_preview(desk: AdminDesk, _: Arguments) -> Answer:
    return dataclasses.asdict(preview(desk.report))


def report_status(desk: AdminDesk, _: Arguments) -> Answer:
    """When the newest weekly mail reached anybody, and whom it could not reach, with SES's reasons."""
    reports = desk.report.reports
    return {"last_sent_at": _time_or_none(reports.last_sent_at()), "refused": reports.refused()}


def report_send(desk: AdminDesk, request: Arguments) -> Answer:
    recipients = list(request.get("to") or desk.report.recipients)
    try:
        mail, message_id = send_now(desk.report, recipients)
    except MailRefused as refusal:
        raise bad_request(
            f"SES refused the mail to {', '.join(recipients)}: {refusal} `python -m ops doctor` says more."
        ) from refusal
    return {"sent_to": recipients, "subject": mail.subject, "message_id": message_id}


COMMANDS: Mapping[str, Callable[[AdminDesk, Arguments], Answer]] = {
    "machine_add": machine_add,
    "machine_list": machine_list,
    "machine_show": machine_show,
    "machine_set": machine_set,
    "machine_pause": machine_pause,
    "machine_resume": machine_resume,
    "machine_revoke": machine_revoke,
    "machine_remove": machine_remove,
    "machine_rotate": machine_rotate,
    "machine_recount": machine_recount,
    "set_quarantine": set_quarantine,
    "job_list": job_list,
    "findings": findings,
    "audit": audit,
    "alerts_preview": alerts_preview,
    "alerts_send": alerts_send,
    "catalogue_objects": catalogue_objects,
    "catalogue_drift": catalogue_drift,
    "report_preview": report_preview,
    "report_send": report_send,
    "report_status": report_status,
}

_MAIL_ADDRESS = re.compile(r"[^@\s,<>\"]+@[^@\s,<>\"]+\.[^@\s,<>\"]+")

NAME_FORM = "1 to 41 lower-case letters, digits and hyphens, not beginning with a hyphen"


def bad_request(message: str) -> Refusal:
    return Refusal(ErrorCode.BAD_REQUEST, message)


def _identifier(request: Arguments, field: str) -> str:
    value = request.get(field)
    if not isinstance(value, str) or not is_identifier(value):
        raise bad_request(f"The name of a machine is {NAME_FORM}.")
    return value


def _known_machine(desk: AdminDesk, request: Arguments) -> Machine:
    name = _identifier(request, "name")
    machine = desk.machines.machine(name)
    if machine is None:
        raise Refusal(ErrorCode.NOT_FOUND, f"There is no machine called {name}. See 'ops machine list'.")
    return machine


def _known_job(desk: AdminDesk, request: Arguments) -> Job:
    machine, name = _known_machine(desk, request), str(request.get("job"))
    for job in desk.machines.jobs(machine.name):
        if job.name == name:
            return job
    raise Refusal(ErrorCode.UNKNOWN_JOB, f"{machine.name} has no job called {name}.")


def _positive(request: Arguments, field: str, default: int) -> int:
    value = request.get(field)
    if value is None:
        return default
    if type(value) is not int or value <= 0:
        raise bad_request(f"{field} must be a whole number above zero.")
    return value


def _read_time(text: object, field: str) -> datetime:
    try:
        time = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        raise bad_request(f"{field} must be a day or a time such as 2026-12-24.") from None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _status(machine: Machine, now: datetime) -> str:
    if machine.is_paused(now):
        return State.PAUSED.value
    if machine.revoked_at is not None:
        return "revoked"
    return "enrolled" if machine.token_sha256 else "waiting for its laptop"


def _time_or_none(time: datetime | None) -> str | None:
    return format_wire_time(time) if time else None


def _describe_set(backup_set: BackupSet, quarantined: bool) -> Answer:
    return {
        "set": str(backup_set.set_id),
        "kind": backup_set.set_id.kind,
        "volumes": len(backup_set.volumes),
        "volumes_expected": backup_set.volumes_promised,
        "bytes": backup_set.stored_bytes,
        "sealed": backup_set.sealed,
        "complete": backup_set.complete,
        "gaps": format_ranges(backup_set.gaps),
        "quarantined": quarantined,
    }


def _describe_object(key: str, stored: StoredObject) -> Answer:
    return {
        "key": key,
        "size": stored.size,
        "storage_class": stored.storage_class,
        "version_id": stored.version_id,
    }
