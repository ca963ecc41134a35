"""The owner changes the settings of a machine: its own, or those that it takes from its group."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.fleet.following import (
    Kind,
    following,
    may_follow,
    settled,
    since,
    with_own,
)
from chalicelib.domain.fleet.group import MachineGroup
from chalicelib.domain.photos.family import Family
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.admin.request import (
    NO_GROUP,
    AdminContext,
    Arguments,
    bad_request,
    group_of,
    known_group,
    read_drills,
    read_positive,
)
from chalicelib.journeys.admin.settings import job_settings, machine_settings, read_settings
from chalicelib.wire import ErrorCode


def change_machine(context: AdminContext, request: Arguments, machine: Machine) -> None:
    """All of it is checked before anything is written, so that a refusal leaves all as it was."""
    jobs, families = _named_rows(context, request, machine)
    moved = _moved(context, request, machine)
    group = group_of(context, moved)
    _check_followed(request, moved, [*jobs, *families])
    changes = _Changes(context, request, group)
    wanted_machine = changes.of_machine(moved)
    wanted_families = [(family, changes.of_family(family)) for family in families]
    wanted_jobs = [(job, changes.of_job(job)) for job in jobs]
    change_or_refuse(context, machine, wanted_machine)
    for family, wanted_family in wanted_families:
        change_or_refuse(context, family, wanted_family)
    for job, wanted_job in wanted_jobs:
        change_or_refuse(context, job, wanted_job)


def change_or_refuse(context: AdminContext, before: Kind, after: Kind) -> None:
    if not context.machines.change_settings(before, after):
        machine = before.name if isinstance(before, Machine) else before.machine
        raise bad_request(
            f"{machine} was changed by somebody else at the same moment: type the command again."
        )


def _named_rows(
    context: AdminContext, request: Arguments, machine: Machine
) -> tuple[list[Job], list[Family]]:
    """The jobs and families that ``job`` names, a family's name all of it; all of them where it is missing."""
    wanted = request.get("job")
    families = [one for one in context.machines.families(machine.name) if wanted in (None, one.name)]
    jobs = [job for job in context.machines.jobs(machine.name) if wanted in (None, job.name, job.family)]
    if wanted is not None and not jobs and not families:
        raise Refusal(ErrorCode.UNKNOWN_JOB, f"{machine.name} has no job called {wanted}.")
    return jobs, families


def _moved(context: AdminContext, request: Arguments, machine: Machine) -> Machine:
    """In the group that is named, in none, or where it is."""
    name = request.get("group")
    if name is None:
        return machine
    if request.get("job") is not None:
        raise bad_request("A machine is in a group with all of its jobs: leave out --job.")
    group = None if name == NO_GROUP else known_group(context, name).name
    return dataclasses.replace(machine, group=group)


def _check_followed(request: Arguments, machine: Machine, rows: Sequence[Job | Family]) -> None:
    """Refuses to follow where there is nothing to be followed, and what is to be its own at the same time."""
    settings = read_settings(request, "as_group")
    if not settings:
        return
    if machine.group is None:
        raise bad_request(
            f"{machine.name} is in no group: `python -m ops machine set {machine.name} --group GROUP` puts it into one."
        )
    known = rows[0] if rows else None
    chosen = machine_settings(request) | (job_settings(request, known) if known else {})
    if settings & set(chosen):
        raise bad_request("A setting is the machine's own or the group's: leave out one of the two.")
    if request.get("job") is not None and not any(settings & may_follow(row) for row in rows):
        raise bad_request(
            f"{request['job']} takes none of these from a group. Pictures take how long old chains are kept, and"
            " nothing else; the owner's address and the budget for thaws are of the whole machine."
        )


@dataclasses.dataclass(frozen=True)
class _Changes:
    """Each method gives a row as it is to be, or raises ``Refusal``."""

    context: AdminContext
    request: Arguments
    group: MachineGroup | None

    def of_machine(self, machine: Machine) -> Machine:
        capped = dataclasses.replace(
            machine,
            storage_cap_bytes=read_positive(self.request, "storage_cap_bytes", machine.storage_cap_bytes),
            download_cap_bytes=read_positive(self.request, "download_cap_bytes", machine.download_cap_bytes),
        )
        return self._settled(with_own(capped, machine_settings(self.request)))

    def of_family(self, family: Family) -> Family:
        """What its jobs are made with from now on; those that are there have settings of their own."""
        every = read_drills(self.request, family.drill_every_seconds)
        changed = dataclasses.replace(family, drill_every_seconds=every)
        return self._settled(with_own(changed, job_settings(self.request, family)))

    def of_job(self, job: Job) -> Job:
        """Drills are wanted from now on: nothing is overdue on the day after. Another storage holds for what is stored
        from now on: what is there has the tag of the one before."""
        every, changed = read_drills(self.request, job.drill_every_seconds), job
        if every != job.drill_every_seconds:
            changed = dataclasses.replace(job, drill_every_seconds=every, drills_since=self.context.now)
        chosen = since(changed, with_own(changed, job_settings(self.request, job)), self.context.now)
        return self._settled(chosen)

    def _settled(self, row: Kind) -> Kind:
        followed = following(row, read_settings(self.request, "as_group"))
        return settled(followed, self.group, self.context.now)
