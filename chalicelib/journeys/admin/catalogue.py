"""The owner's commands about sets and what is stored by the catalogue."""

from __future__ import annotations

import itertools
from datetime import datetime

from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.admin.request import (
    AdminContext,
    Arguments,
    bad_request,
    known_job,
    read_identifier,
    read_time,
    staying_job,
)
from chalicelib.journeys.catalogue.catalogue_changes import refresh_findings
from chalicelib.journeys.catalogue.reconcile_job import find_differences
from chalicelib.owner_wire import (
    CatalogueDifferences,
    CataloguedObject,
    CataloguePage,
    JobListing,
    JobPlace,
    Quarantined,
)
from chalicelib.wire import ErrorCode

OBJECTS_A_PAGE = 5_000
"""An object takes some 200 bytes of JSON; a Lambda function answers with at most 6 MB."""


def set_quarantine(context: AdminContext, request: Arguments) -> Quarantined:
    """Hides a set from the listing (or shows it again), so that increments go on without it; deletes nothing."""
    job, since = staying_job(context, request), request.get("stored_since")
    hide = bool(since) or request.get("release") is not True
    found = (
        _since(context, job, read_time(since, "stored_since")) if since else [_named(context, job, request)]
    )
    for set_id in found:
        context.catalogue.quarantine(job, set_id, hide=hide)
    refresh_findings(context.catalogue, context.audit.findings, job, context.now)
    return Quarantined(job.machine, job.name, tuple(map(str, found)), hide)


def set_place(context: AdminContext, request: Arguments) -> JobPlace:
    """Where files of a set are brought back, one by one; a chain that was let go comes back as a whole."""
    job = staying_job(context, request)
    _check_not_let_go(context, job, _read_set(request))
    return _place_of(job)


def _read_set(request: Arguments) -> SetId:
    try:
        return SetId.parse(str(request.get("set")))
    except ValueError:
        raise bad_request(
            "Name the set as `python -m ops machine show` does, such as full.20261122T205000Z."
        ) from None


def _check_not_let_go(context: AdminContext, job: Job, set_id: SetId) -> None:
    """Raises ``Refusal``."""
    for let_go in context.retention.let_gos(job):
        if set_id in let_go.sets:
            chain = f"{job.machine} {job.name} {let_go.chain}"
            raise bad_request(
                f"{set_id} was dropped: it is hidden, and cannot be brought back."
                if let_go.dropped
                else f"{set_id} is of a chain that was let go: it is hidden, and comes back as a whole. While that "
                f"can be undone: python -m ops retention undo {chain}"
            )


def _named(context: AdminContext, job: Job, request: Arguments) -> SetId:
    set_id = _read_set(request)
    _check_not_let_go(context, job, set_id)
    if set_id not in {backup_set.set_id for backup_set in context.catalogue.sets(job)}:
        raise Refusal(ErrorCode.NOT_FOUND, f"{job.full_name} has no set {set_id}.")
    return set_id


def _since(context: AdminContext, job: Job, since: datetime) -> list[SetId]:
    """Every set of which S3 stored a file at ``since`` or later, whatever its name is dated, and those that were begun
    since and have no file yet: they would hold up the next backup."""
    changed = {
        backup_set.set_id
        for backup_set in context.catalogue.sets(job)
        if backup_set.changed_at is not None and backup_set.changed_at >= since
    }
    begun = {
        set_id
        for set_id in context.catalogue.summaries.open_ids(job, context.now)
        if (begun_at := context.catalogue.gate(job, set_id).begun_at) is not None and begun_at >= since
    }
    return sorted((changed | begun) - context.catalogue.hidden(job).every, key=str)


def job_list(context: AdminContext, request: Arguments) -> JobListing:
    """Every job, or those of one machine, with where it is kept and how."""
    name = read_identifier(request, "name") if request.get("name") else None
    return JobListing(tuple(_place_of(job) for job in context.machines.jobs(name)))


def _place_of(job: Job) -> JobPlace:
    return JobPlace(
        job.machine,
        job.name,
        job.location.bucket,
        job.location.prefix,
        job.storage.archive_class,
        job.storage.archive_after_days,
    )


def catalogue_objects(context: AdminContext, request: Arguments) -> CataloguePage:
    """A page of a job's objects, by the catalogue; without a job, of the strays in the service's own bucket."""
    job = known_job(context, request) if request.get("name") else None
    location = job.location if job else Location(context.bucket, "")
    after = str(request.get("after", "")).removeprefix(location.prefix)
    rows = (
        context.catalogue.objects_between(job, after)
        if job
        else context.catalogue.strays_between(location, after)
    )
    stored = (
        CataloguedObject(
            location.key(row.name), row.stored.size, row.stored.storage_class, row.stored.version_id
        )
        for row in rows
        if row.stored
    )
    page = list(itertools.islice(stored, OBJECTS_A_PAGE + 1))
    more = len(page) > OBJECTS_A_PAGE
    page = page[:OBJECTS_A_PAGE]
    return CataloguePage(tuple(page), page[-1].key if more else None)


def catalogue_differences(context: AdminContext, request: Arguments) -> CatalogueDifferences:
    """Which of a job's manifests and signatures are not catalogued as they are stored."""
    job = known_job(context, request)
    return CatalogueDifferences(tuple(find_differences(context.catalogue, context.buckets, job, context.now)))
