"""The owner's commands that remove a machine for good, with all that it stored.

No function may delete a version: the owner's own credentials do that between ``machine_drop``, from which on nothing
comes any more, and ``machine_dropped``, which removes the rows once the bucket is empty of it. Each may be repeated.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.names import is_identifier, own_location
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.fleet_wire import DropPlace, MachineDropped, MachineDropPlan
from chalicelib.journeys.admin.request import (
    AdminContext,
    Arguments,
    known_machine,
    read_identifier,
    read_time,
    time_or_none,
)
from chalicelib.journeys.gather_thaws import thaws_as_of
from chalicelib.wire import ErrorCode, ThawState

MOST_KEYS_COUNTED = 1000


def machine_drop_plan(context: AdminContext, request: Arguments) -> MachineDropPlan:
    """What is the machine's, and where; nothing is changed. Refused while a backup or a thaw of it is under way."""
    _check_not_removed(context, request)
    machine = known_machine(context, request)
    jobs = [*context.machines.jobs(machine.name), *_forgotten_jobs(context, machine)]
    _check_no_run(context, jobs)
    _check_no_thaw(context, machine)
    return _plan(context, machine, jobs)


def machine_drop(context: AdminContext, request: Arguments) -> MachineDropPlan:
    """Ends token and recovery code, expects no backups and finds nothing missing: from now on its files may go.

    ``jobs`` are those that the owner has confirmed; refused where there are others by now.
    """
    plan = machine_drop_plan(context, request)
    if [place.job for place in plan.jobs] != request.get("jobs"):
        raise Refusal(
            ErrorCode.TRY_AGAIN,
            f"The jobs of {plan.machine} have changed since they were shown: type the command again.",
        )
    for job in _forgotten_jobs(context, known_machine(context, request)):
        context.machines.create_job(job)
        context.catalogue.summarize_anew(job, context.now)
    # From here on nothing gives the machine a code: one that was made just before ends with the rest.
    context.machines.begin_drop(known_machine(context, request), context.now)
    context.recoveries.end(plan.machine)
    others = {(job.machine, job.name) for job in context.machines.jobs() if job.machine != plan.machine}
    context.audit.findings.forget_others(others)
    return _plan(context, known_machine(context, request), context.machines.jobs(plan.machine))


def machine_dropped(context: AdminContext, request: Arguments) -> MachineDropped:
    """Removes the rows where nothing is stored any more; what a lock holds back keeps the machine in the list, with
    ``held_until``."""
    machine = known_machine(context, request)
    if machine.dropping_at is None:
        raise Refusal(
            ErrorCode.BAD_REQUEST,
            f"{machine.name} is not being removed: `python -m ops machine drop {machine.name}` begins with it.",
        )
    jobs = context.machines.jobs(machine.name)
    left = len(list(itertools.islice(_keys_left(context, machine, jobs), MOST_KEYS_COUNTED)))
    if left:
        until = request.get("held_until")
        context.machines.hold_drop(machine.name, read_time(until, "held_until") if until else None)
        return MachineDropped(machine.name, False, left)
    return MachineDropped(machine.name, context.drops.remove(machine.name, jobs, context.bucket))


def _plan(context: AdminContext, machine: Machine, jobs: list[Job]) -> MachineDropPlan:
    return MachineDropPlan(
        machine.name,
        context.bucket,
        f"{machine.name}/",
        tuple(
            DropPlace(
                job.name,
                job.location.bucket,
                job.location.prefix,
                len(context.catalogue.sets(job)),
                job.storage.archive_class,
                job.storage.archive_after_days,
            )
            for job in jobs
        ),
        time_or_none(machine.dropping_at),
    )


def _forgotten_jobs(context: AdminContext, machine: Machine) -> list[Job]:
    """Jobs from before the machine was removed and added again, of which files are left: their rows in the catalogue
    must go with them, else a job of that name would have backups that nobody can restore."""
    known = {job.name for job in context.machines.jobs(machine.name)}
    return [
        Job(machine.name, name, own_location(context.bucket, machine.name, name), added_at=context.now)
        for name in context.buckets.list_folders(context.bucket, f"{machine.name}/")
        if is_identifier(name) and name not in known
    ]


def _check_not_removed(context: AdminContext, request: Arguments) -> None:
    """`machine remove` leaves the files, and this removes them; says how, where only they are there."""
    name = read_identifier(request, "name")
    if context.machines.machine(name) is None and any(
        context.buckets.list_states(context.bucket, f"{name}/")
    ):
        raise Refusal(
            ErrorCode.NOT_FOUND,
            f"There is no machine called {name} any more, but files below {name}/. To remove them add it again,"
            f" `python -m ops machine add {name}`, and type this again.",
        )


def _check_no_run(context: AdminContext, jobs: list[Job]) -> None:
    for job in jobs:
        lease = context.runs.lease_state(job.machine, job.name).lease
        if lease is not None and lease.expires_at > context.now:
            raise Refusal(
                ErrorCode.TRY_AGAIN,
                f"A backup of {job.machine}/{job.name} is under way. End it there (Ctrl-C, or stop its timer), or wait"
                f" until {lease.expires_at:%Y-%m-%d %H:%M} UTC if the machine is gone; then type this again.",
            )


def _check_no_thaw(context: AdminContext, machine: Machine) -> None:
    known = thaws_as_of(context.thaws, context.machines, context.recoveries, context.now)
    for thaw in known:
        if thaw.machine == machine.name and (thaw.is_under_way or thaw.state is ThawState.WAITING):
            raise Refusal(ErrorCode.TRY_AGAIN, _about(thaw))


def _about(thaw: Thaw) -> str:
    whose = f"{thaw.machine}/{thaw.job}"
    if thaw.state is ThawState.WAITING:
        return (
            f"A restore of {whose} waits for your approval: `python -m ops thaw deny {thaw.id}` declines it; then type"
            " this again."
        )
    return (
        f"Files of {whose} are being brought out of the archive, which S3 does not stop: type this again after"
        f" {thaw.ready_by:%Y-%m-%d %H:%M} UTC."
    )


def _keys_left(context: AdminContext, machine: Machine, jobs: list[Job]) -> Iterator[str]:
    """Keys with any version or delete marker."""
    for key, _ in context.buckets.list_states(context.bucket, f"{machine.name}/"):
        yield key
    for place in {job.location for job in jobs if job.location.bucket != context.bucket}:
        if not context.buckets.exists(place.bucket):
            continue
        for key, _ in context.buckets.list_states(place.bucket, place.prefix):
            if place.has_file(key):
                yield key
