"""The owner's commands about machines: add, list, show, set, pause, revoke, rotate, remove, recount."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.backups.freshness import Freshness, evaluate_freshness
from chalicelib.domain.backups.machines import (
    CODE_BYTES,
    CODE_LIFE,
    DEFAULT_JOB,
    EnrolmentCode,
    Job,
    Machine,
    format_code,
    sha256_hex,
)
from chalicelib.domain.backups.names import Location, is_identifier, own_location, prefixes_overlap
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.fleet.following import OF_JOBS, OF_MACHINES, settled, sources, with_own
from chalicelib.domain.fleet.group import MachineGroup
from chalicelib.domain.photos.family import Family
from chalicelib.domain.ranges import format_gaps
from chalicelib.domain.recovery.sealed_code import seal
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.sealing.hidden import HiddenSets
from chalicelib.journeys.admin.families import check_names_of_jobs, read_family, show_families
from chalicelib.journeys.admin.machine_settings import change_machine, change_or_refuse
from chalicelib.journeys.admin.recovery import end_recovery, first_recovery_code, show_recovery
from chalicelib.journeys.admin.request import (
    NAME_FORM,
    AdminContext,
    Arguments,
    bad_request,
    check_not_dropping,
    group_of,
    job_of,
    known_group,
    known_machine,
    read_identifier,
    read_time,
    staying_machine,
    time_or_none,
)
from chalicelib.journeys.admin.settings import check_no_other_settings, first_job_settings, machine_settings
from chalicelib.journeys.admin.states import Fleet, describe_state, gather_fleet, machine_status
from chalicelib.journeys.describe_machine import describe_family, describe_job, format_wire_time
from chalicelib.owner_wire import (
    JobShown,
    MachineAdded,
    MachineChanged,
    MachineListing,
    MachineRow,
    MachineShown,
    SetRow,
    StoredCount,
)
from chalicelib.wire import ErrorCode


@dataclasses.dataclass(frozen=True)
class Addition:
    """What adding a machine comes to: ``machine`` as it is or would be at first, and as it is ``wanted``."""

    machine: Machine
    wanted: Machine
    family: Family | None
    jobs: Sequence[Job]
    is_adopted: bool


def machine_add(context: AdminContext, request: Arguments) -> MachineAdded:
    """A new machine, or a new code (and perhaps new jobs) for one that is there."""
    addition = plan_addition(context, request)
    add_as_planned(context, addition)
    return _with_codes(context, addition.wanted.name)


def plan_addition(context: AdminContext, request: Arguments) -> Addition:
    """Checks all of it, and writes nothing. Raises ``Refusal``."""
    name = read_identifier(request, "name")
    known = context.machines.machine(name)
    if known is not None:
        check_not_dropping(known)
    group = _group_at_adding(context, request, known)
    family = read_family(context, request, name)
    jobs = _named_jobs(context, request, name, family)
    adopted = _adopted_location(context, request, name, jobs)
    _refuse_other_settings(context, request, name, jobs)
    machine = known or Machine(name, context.now, group=group.name if group else None, follows=OF_MACHINES)
    wanted = settled(with_own(machine, machine_settings(request)), group, context.now)
    new_jobs = [_new_job(context, request, name, job, adopted, group) for job in jobs]
    family = settled(family, group, context.now) if family else None
    return Addition(machine, wanted, family, new_jobs, adopted is not None)


def add_as_planned(context: AdminContext, addition: Addition) -> None:
    """Raises ``Refusal`` where somebody else has changed the machine at the same moment."""
    if not context.machines.create_machine(addition.wanted):
        change_or_refuse(context, addition.machine, addition.wanted)
    if addition.family is not None:
        context.machines.put_family(addition.family)
    for job in addition.jobs:
        if context.machines.create_job(job):
            # Here once, so that whoever reads the state of all jobs finds one of this.
            context.catalogue.summarize_anew(job, context.now)
            if addition.is_adopted:
                context.machines.adopt_location(job)


def _named_jobs(context: AdminContext, request: Arguments, machine: str, family: Family | None) -> list[str]:
    """Those that are asked for; the default one where nothing is, and the machine has no family of photo jobs."""
    jobs = request.get("jobs") or []
    if not isinstance(jobs, list) or not all(isinstance(job, str) and is_identifier(job) for job in jobs):
        raise bad_request(f"Names of jobs are {NAME_FORM}.")
    check_names_of_jobs(context, machine, jobs, family)
    if jobs or family or context.machines.families(machine):
        return jobs
    return [DEFAULT_JOB]


def _with_codes(context: AdminContext, name: str) -> MachineAdded:
    machine = known_machine(context, {"name": name})
    codes = make_codes(context, machine)
    return MachineAdded(
        name,
        tuple(job.name for job in context.machines.jobs(name)),
        codes.enrolment,
        codes.expires_at,
        codes.recovery,
        show_recovery(context, machine),
        tuple(map(describe_family, context.machines.families(name))),
        machine.group,
    )


@dataclasses.dataclass(frozen=True)
class Codes:
    """``recovery`` is there where one was made."""

    enrolment: str
    expires_at: str
    recovery: str | None


def make_codes(context: AdminContext, machine: Machine) -> Codes:
    """An enrolment code, and the machine's first recovery code, which the laptop is given together with it."""
    code = format_code(secrets.token_bytes(CODE_BYTES))
    expires_at = context.now + CODE_LIFE
    recovery_code = first_recovery_code(context, machine)
    sealed = seal(recovery_code, code) if recovery_code else None
    enrolment = EnrolmentCode(sha256_hex(code), machine.name, expires_at, sealed_recovery_code=sealed)
    context.machines.put_code(enrolment)
    return Codes(code, format_wire_time(expires_at), recovery_code)


def _group_at_adding(context: AdminContext, request: Arguments, known: Machine | None) -> MachineGroup | None:
    """The group that is named, or that the machine is in already. Refuses to move one that is there."""
    if request.get("group") is None:
        return group_of(context, known) if known else None
    group = known_group(context, request["group"])
    if known and known.group != group.name:
        raise bad_request(
            f"{known.name} is there already: `python -m ops machine set {known.name} --group {group.name}` puts it into"
            " the group."
        )
    return group


def _new_job(
    context: AdminContext,
    request: Arguments,
    machine: str,
    name: str,
    adopted: Location | None,
    group: MachineGroup | None,
) -> Job:
    """With what is named as its own, and all else as the group has it."""
    location = adopted or own_location(context.bucket, machine, name)
    job = Job(machine, name, location, added_at=context.now, follows=OF_JOBS)
    chosen = with_own(job, first_job_settings(request, job))
    return dataclasses.replace(settled(chosen, group, context.now), storage_since=None)


def _refuse_other_settings(context: AdminContext, request: Arguments, machine: str, jobs: list[str]) -> None:
    for job in context.machines.jobs_named([(machine, job) for job in jobs]).values():
        check_no_other_settings(request, job)


def _adopted_location(
    context: AdminContext, request: Arguments, machine: str, jobs: list[str]
) -> Location | None:
    """The place of a backup that was there before; ``None`` if the machine uses the service's own bucket."""
    bucket, prefix = request.get("bucket"), request.get("prefix") or ""
    if bucket is None:
        if prefix:
            raise bad_request("--prefix goes with --bucket.")
        return None
    if not isinstance(bucket, str) or not isinstance(prefix, str) or bucket == context.bucket:
        raise bad_request("--bucket is for a bucket that is not the service's own.")
    if len(jobs) != 1:
        raise bad_request("A backup that was there before is one job: name one with --job.")
    known = context.machines.jobs_named([(machine, jobs[0])]).get((machine, jobs[0]))
    if known is not None and known.location != Location(bucket, prefix):
        raise bad_request(f"{machine}/{jobs[0]} is kept elsewhere already. Choose another name for the job.")
    for other in context.machines.adopted_jobs(bucket):
        nested = prefixes_overlap(other.location.prefix, prefix)
        if nested and (other.machine, other.name) != (machine, jobs[0]):
            raise bad_request(f"{other.machine}/{other.name} has this place, or one inside it, already.")
    return Location(bucket, prefix)


def machine_list(context: AdminContext, _: Arguments) -> MachineListing:
    fleet = gather_fleet(context)
    groups = {group.name: group for group in context.groups.groups()}
    return MachineListing(
        tuple(
            _machine_row(fleet, machine, groups.get(machine.group or ""), context.now)
            for machine in fleet.machines.values()
        )
    )


def _machine_row(fleet: Fleet, machine: Machine, group: MachineGroup | None, now: datetime) -> MachineRow:
    state = describe_state(fleet, machine.name, (), now)
    jobs = [(one.job, one.freshness) for one in fleet.evaluated.get(machine.name, ()) if not one.is_stand_in]
    return MachineRow(
        machine.name,
        state.status,
        tuple(job.name for job, _ in jobs),
        format_wire_time(machine.created_at),
        state.last_used_at,
        show_families(machine, fleet.families.get(machine.name, ()), jobs, group, now),
        state.state,
        state.looked_at,
        state.stored_bytes,
        state.monthly,
        machine.owner_mail,
        machine.group,
        machine.client_version,
    )


def machine_show(context: AdminContext, request: Arguments) -> MachineShown:
    machine = known_machine(context, request)
    jobs = context.machines.jobs(machine.name)
    group = group_of(context, machine)
    shown = [_show_job(context, machine, job, group) for job in jobs]
    evaluated = [(job, freshness) for job, (_, freshness) in zip(jobs, shown, strict=True)]
    return MachineShown(
        machine.name,
        machine_status(machine, context.now),
        format_wire_time(machine.created_at),
        tuple(of_job for of_job, _ in shown),
        time_or_none(machine.last_used_at),
        machine.owner_mail,
        float(machine.thaw_budget_usd),
        float(context.thaws.month(machine.name, context.now).reserved),
        show_recovery(context, machine),
        show_families(machine, context.machines.families(machine.name), evaluated, group, context.now),
        group=machine.group,
        sources=sources(machine, group),
        client_version=machine.client_version,
    )


def _show_job(
    context: AdminContext, machine: Machine, job: Job, group: MachineGroup | None
) -> tuple[JobShown, Freshness]:
    sets = sorted(context.catalogue.sets(job), key=lambda backup_set: backup_set.set_id.end)
    hidden = context.catalogue.hidden(job)
    visible = [backup_set for backup_set in sets if backup_set.set_id not in hidden]
    freshness = evaluate_freshness(machine, job, visible, context.now)
    status = describe_job(freshness, job, context.now)
    kept = dataclasses.asdict(job.retention)
    shown_sets = tuple(_set_row(one, hidden) for one in sets)
    return JobShown(**vars(status), sets=shown_sets, **kept, sources=sources(job, group)), freshness


def machine_set(context: AdminContext, request: Arguments) -> MachineShown:
    change_machine(context, request, staying_machine(context, request))
    return machine_show(context, request)


def machine_pause(context: AdminContext, request: Arguments) -> MachineChanged:
    """The machine, until a time or until it is resumed; or one of its jobs, until that is resumed."""
    machine = staying_machine(context, request)
    until = request.get("until")
    if request.get("job") is not None:
        job = job_of(context, machine, request)
        context.machines.pause_job(job, context.now)
        return MachineChanged(machine.name, job=job.name)
    ends = read_time(until, "until") if until else None
    if ends is not None and ends <= context.now:
        raise bad_request(f"{until} is over already: name a day that is still to come.")
    context.machines.pause(machine.name, context.now, ends)
    return MachineChanged(machine.name, paused_until=until)


def machine_resume(context: AdminContext, request: Arguments) -> MachineChanged:
    machine = staying_machine(context, request)
    if request.get("job") is not None:
        job = job_of(context, machine, request)
        context.machines.pause_job(job, None)
        return MachineChanged(machine.name, job=job.name)
    if machine.is_paused(context.now):
        context.machines.pause(machine.name, machine.paused_at, context.now)
    return MachineChanged(machine.name)


def machine_revoke(context: AdminContext, request: Arguments) -> MachineChanged:
    """The token, for a stolen laptop, or the recovery code with its readers, for a sheet that was found: never both, as
    each is the way back where the other was lost."""
    machine = staying_machine(context, request)
    if request.get("recovery"):
        return MachineChanged(machine.name, recovery_ended=end_recovery(context, machine))
    context.machines.revoke(machine.name, context.now)
    return MachineChanged(machine.name, revoked_at=format_wire_time(context.now))


def machine_remove(context: AdminContext, request: Arguments) -> MachineChanged:
    """Not in the middle of letting a chain go, or of bringing it back: nobody would go on with its files."""
    machine = staying_machine(context, request)
    for job in context.machines.jobs(machine.name):
        for let_go in context.retention.let_gos(job):
            is_dropping = let_go.dropped and let_go.marked_at is None
            if let_go.is_going or is_dropping or let_go.undone_at is not None:
                what, command = ("let go", "run") if let_go.is_going else ("brought back", "undo")
                what, command = ("removed for good", "drop") if is_dropping else (what, command)
                line = f"python -m ops retention {command} {job.machine} {job.name}"
                line += "" if let_go.is_going else f" {let_go.chain}"
                raise Refusal(
                    ErrorCode.BAD_REQUEST,
                    f"{let_go.chain} of {job.machine}/{job.name} is being {what}, and not all of its files are done: "
                    f"`{line}` goes on with it. Remove the machine after that.",
                )
    context.machines.remove_machine(machine.name)
    kept = f"What it stored stays in the bucket under {machine.name}/."
    return MachineChanged(machine.name, kept=kept)


def machine_rotate(context: AdminContext, request: Arguments) -> MachineAdded:
    """A new code for a machine that is there; its token works until the code is used."""
    machine = staying_machine(context, request)
    return _with_codes(context, machine.name)


def machine_recount(context: AdminContext, request: Arguments) -> StoredCount:
    """Counts what the machine has in the bucket, every version, for its storage cap."""
    machine = staying_machine(context, request)
    places = {Location(context.bucket, f"{machine.name}/")}
    places |= {
        job.location for job in context.machines.jobs(machine.name) if job.location.bucket != context.bucket
    }
    stored = sum(context.buckets.bytes_of_all_versions(place.bucket, place.prefix) for place in places)
    context.caps.set_stored_bytes(machine, stored, context.now)
    return StoredCount(machine.name, stored, machine.storage_cap_bytes)


def _set_row(backup_set: BackupSet, hidden: HiddenSets) -> SetRow:
    return SetRow(
        set=str(backup_set.set_id),
        kind=backup_set.set_id.kind,
        volumes=len(backup_set.volumes),
        volumes_expected=backup_set.volumes_promised,
        bytes=backup_set.stored_bytes,
        sealed=backup_set.sealed,
        complete=backup_set.complete,
        gaps=format_gaps(backup_set.gaps),
        quarantined=backup_set.set_id in hidden.quarantined,
        let_go=backup_set.set_id in hidden.let_go,
    )
