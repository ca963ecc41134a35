"""A laptop makes a job of a family of photo jobs: what it may be called and how it is kept, the owner has said."""

from __future__ import annotations

from datetime import datetime

from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.domain.audit.notices import job_added
from chalicelib.domain.photos.family import check_child, child_job
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.authenticate import Bearer, refuse_readers
from chalicelib.wire import EnrolledJob, ErrorCode, JobRequest


def add_photo_job(
    machines: MachineStore,
    notices: NoticeStore,
    bearer: Bearer,
    request: JobRequest,
    bucket: str,
    now: datetime,
) -> EnrolledJob:
    """Asked for a job that is there it answers the same. The owner gets a notice of each. Raises ``Refusal``."""
    refuse_readers(bearer)
    machine = bearer.machine.name
    family = next((family for family in machines.families(machine) if family.name == request.family), None)
    if family is None:
        raise Refusal(
            ErrorCode.UNKNOWN_JOB, f"{machine} has no family of photo jobs called {request.family}."
        )
    jobs = {job.name: job for job in machines.jobs(machine)}
    known = jobs.get(request.job)
    if known is not None and known.family == family.name:
        return EnrolledJob(known.name, known.period_seconds, known.family)
    if known is not None:
        raise Refusal(
            ErrorCode.BAD_NAME, f"{machine} has a job called {request.job} that is not of {family.name}."
        )
    check_child(family, request.job, sum(job.family == family.name for job in jobs.values()))
    job = child_job(family, request.job, bucket, now)
    machines.create_job(job)
    notices.put(job_added(machine, family.name, job.name, now))
    return EnrolledJob(job.name, job.period_seconds, job.family)
