"""Families of photo jobs in the owner's commands: added with a machine; their jobs the computer makes itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.backups.freshness import Freshness, evaluate_freshness
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.fleet.following import OF_PICTURES, sources, with_own
from chalicelib.domain.fleet.group import MachineGroup
from chalicelib.domain.photos.family import (
    PHOTO_FAMILY,
    Family,
    stand_in,
)
from chalicelib.domain.photos.summary import summarize_family
from chalicelib.journeys.admin.request import (
    AdminContext,
    Arguments,
    bad_request,
    time_or_none,
)
from chalicelib.journeys.admin.settings import check_no_other_settings, job_settings
from chalicelib.journeys.describe_machine import describe_family
from chalicelib.owner_wire import FamilyShown

LONGEST_HINT = 200
"""Letters: more than the path of a folder of pictures has."""


def read_family(context: AdminContext, request: Arguments, machine: str) -> Family | None:
    """The family that ``photos`` asks for, new or as it is; ``None`` where it is not asked for. Raises ``Refusal``."""
    hint = _source_hint(request)
    if not request.get("photos"):
        if hint:
            raise bad_request("--source-hint goes with --photos.")
        return None
    if request.get("bucket") is not None:
        raise bad_request("--photos begins anew in the service's own bucket: leave out --bucket.")
    for known in context.machines.families(machine):
        if known.name == PHOTO_FAMILY:
            return _known(known, request, hint)
    _check_name_is_free(context, machine)
    family = Family(
        machine,
        PHOTO_FAMILY,
        context.now,
        source_hint=hint,
        follows=OF_PICTURES,
    )
    return with_own(family, job_settings(request, family))


def check_names_of_jobs(
    context: AdminContext, machine: str, jobs: Sequence[str], family: Family | None
) -> None:
    """Refuses new jobs that are called like those which the computer makes in a family. Raises ``Refusal``."""
    families = {one.name for one in context.machines.families(machine)} | ({family.name} if family else set())
    known = context.machines.jobs_named([(machine, job) for job in jobs])
    for job in jobs:
        taken = next((name for name in families if job == name or job.startswith(f"{name}-")), None)
        if taken is not None and (machine, job) not in known:
            raise bad_request(
                f"{job} is a name of the family {taken}, whose jobs the computer makes itself, one for each folder."
                " Choose another name."
            )


def show_families(
    machine: Machine,
    families: Sequence[Family],
    evaluated: Sequence[tuple[Job, Freshness]],
    group: MachineGroup | None,
    now: datetime,
) -> tuple[FamilyShown, ...]:
    """``families`` and ``evaluated`` are all of the machine's."""
    return tuple(
        _show_family(machine, family, [one for one in evaluated if one[0].family == family.name], group, now)
        for family in families
    )


def _show_family(
    machine: Machine,
    family: Family,
    evaluated: Sequence[tuple[Job, Freshness]],
    group: MachineGroup | None,
    now: datetime,
) -> FamilyShown:
    empty = stand_in(family)
    found = summarize_family(family.name, evaluated or [(empty, evaluate_freshness(machine, empty, [], now))])
    return FamilyShown(
        **vars(describe_family(family)),
        jobs=found.jobs if evaluated else (),
        years=found.years,
        state=found.state.value,
        looked_at=time_or_none(found.looked_at),
        stored_bytes=found.stored_bytes,
        grace_seconds=family.grace_seconds,
        archive_class=family.storage.archive_class,
        archive_after_days=family.storage.archive_after_days,
        **dataclasses.asdict(family.retention),
        sources=sources(family, group),
    )


def _known(family: Family, request: Arguments, hint: str | None) -> Family:
    check_no_other_settings(request, family)
    return dataclasses.replace(family, source_hint=hint) if hint else family


def _check_name_is_free(context: AdminContext, machine: str) -> None:
    if context.machines.jobs_named([(machine, PHOTO_FAMILY)]):
        raise bad_request(
            f"{machine} has a job called {PHOTO_FAMILY} already, which is one backup of one folder. Add the pictures"
            " to another machine's name."
        )


def _source_hint(request: Arguments) -> str | None:
    hint = request.get("source_hint")
    if hint is None or hint == "":
        return None
    if not isinstance(hint, str) or len(hint) > LONGEST_HINT or not hint.isprintable():
        raise bad_request(f"--source-hint is the path of a folder, of at most {LONGEST_HINT} letters.")
    return hint
