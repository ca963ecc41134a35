"""Families of photo jobs in the owner's commands: added with a machine; their jobs the computer makes itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from chalicelib.domain.backups.retention_policy import DEFAULT_RETENTION
from chalicelib.domain.backups.storage import StoragePolicy
from chalicelib.domain.photos.family import (
    PHOTO_FAMILY,
    PHOTO_GRACE_SECONDS,
    PHOTO_PERIOD_SECONDS,
    PHOTO_STORAGE,
    Family,
)
from chalicelib.journeys.admin.request import (
    AdminContext,
    Arguments,
    bad_request,
    read_positive,
    read_retention,
    read_storage,
)

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
    return Family(
        machine,
        PHOTO_FAMILY,
        context.now,
        read_positive(request, "period_seconds", PHOTO_PERIOD_SECONDS),
        read_positive(request, "grace_seconds", PHOTO_GRACE_SECONDS),
        read_storage(request) or PHOTO_STORAGE,
        retention=read_retention(request, DEFAULT_RETENTION),
        source_hint=hint,
    )


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


def _known(family: Family, request: Arguments, hint: str | None) -> Family:
    """Refuses other settings for a family that is there: what is typed here for it changes nothing."""
    storage: StoragePolicy | None = read_storage(request)
    if storage not in (None, family.storage) or read_retention(request, family.retention) != family.retention:
        raise bad_request(
            f"{family.machine}/{family.name} is there already: `python -m ops machine set {family.machine}"
            f" --job {family.name}` changes how it is kept."
        )
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
