"""Who sends a request: its machine, the job that it is about, and the run that it belongs to."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from chalice.app import Request

from chalicelib import web, wire, wiring
from chalicelib.journeys.authenticate import (
    Bearer,
    Caller,
    authenticate,
    authenticate_for_job,
    record_use,
    refuse_readers,
)
from chalicelib.journeys.conduct_run import require_lease
from chalicelib.journeys.uploads.upload_context import UploadContext

OfRun = TypeVar("OfRun", wire.UploadRequest, wire.MultipartRequest, wire.DiscardRequest)


def calling_machine(request: Request) -> tuple[Bearer, datetime]:
    """The machine whose token the request carries, and the request's one time. This and what follows raises
    ``Refusal``."""
    now, stores = web.now(), (wiring.machine_store(), wiring.recovery_store())
    bearer = authenticate(*stores, _authorization(request), now)
    record_use(wiring.machine_store(), bearer, web.agent_of(request), now)
    return bearer, now


def calling_job(request: Request, job: str) -> tuple[Caller, datetime]:
    """The calling machine with its job of that name and the job's lease, and the request's one time."""
    now, stores = web.now(), (wiring.recovery_store(), wiring.run_store())
    caller = authenticate_for_job(*stores, _authorization(request), job, now)
    record_use(wiring.machine_store(), caller, web.agent_of(request), now)
    return caller, now


def writing_job(request: Request, job: str) -> tuple[Caller, datetime]:
    """``calling_job`` for what changes something: a recovery code's reader is refused."""
    caller, now = calling_job(request, job)
    refuse_readers(caller)
    return caller, now


def in_run(request: Request, job: str, shape: type[OfRun]) -> tuple[UploadContext, OfRun]:
    """What a request needs that carries the run which holds the job's lease, and the request's body."""
    caller, now = writing_job(request, job)
    body = web.read_body(request, shape)
    require_lease(wiring.run_store(), caller, body.run, now)
    return wiring.upload_context(caller, now), body


def _authorization(request: Request) -> str:
    return str(request.headers.get("authorization", ""))
