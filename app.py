"""Every route, event and schedule of the service: a table of contents.

A handler parses, calls a journey, and answers. The rules are in ``chalicelib/domain``, what is done with them in
``chalicelib/journeys``, the calls to AWS in ``chalicelib/adapters``. A journey that no request and no event waits for
is imported in its handler: all functions have this module in common, and load it at each cold start.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any, TypeVar

from chalice import Chalice
from chalice.app import AuthRequest, AuthResponse, CloudWatchEvent, Response, SQSEvent

from chalicelib import metrics, queue_batches, web, wire, wiring
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.authenticate import authenticate, authenticate_for_job
from chalicelib.journeys.conduct_run import require_lease, start_run, update_run
from chalicelib.journeys.describe_machine import describe_machine
from chalicelib.journeys.discard_files import ask_to_discard, discard_files
from chalicelib.journeys.enrol_machine import enrol_machine
from chalicelib.journeys.issue_download_urls import issue_download_urls
from chalicelib.journeys.issue_upload_urls import issue_upload_urls
from chalicelib.journeys.list_files import list_files
from chalicelib.journeys.report_false_proofs import report_false_proofs
from chalicelib.journeys.upload_in_parts import upload_in_parts

app = Chalice(app_name="panicroom")
answering = web.answering(app)


@app.middleware("all")
def observing(event: Any, respond: Callable[[Any], Any]) -> Any:
    """Each line of the log names its request; failures outside a view are counted and raised again."""
    context = getattr(event, "lambda_context", None) or getattr(event, "context", None)
    web.logger.append_keys(request=getattr(context, "aws_request_id", None))
    try:
        return respond(event)
    except Exception:
        metrics.emit(wiring.settings().stage, Failures=1)
        raise


# ---------------------------------------------------------------- authentication


@app.authorizer(ttl_seconds=300)
def authorizer(request: AuthRequest) -> AuthResponse:
    """Rejects unauthenticated calls. Handlers check again: the gateway caches this answer for minutes."""
    try:
        machine = authenticate(wiring.machine_store(), request.token)
    except Refusal:
        return AuthResponse(routes=[], principal_id="unknown")
    # API Gateway uses the answer for other routes too while it remembers it.
    return AuthResponse(routes=["*"], principal_id=machine.name)


def _authorization() -> str:
    return str(app.current_request.headers.get("authorization", ""))


def _machine() -> Machine:
    return authenticate(wiring.machine_store(), _authorization())


OfRun = TypeVar("OfRun", wire.UploadRequest, wire.MultipartRequest, wire.DiscardRequest)


def _in_run(job: str, shape: type[OfRun]) -> tuple[Machine, Job, OfRun]:
    """The caller, its job, and what it asks for in the run that holds the job's lease."""
    now = web.now()
    store = wiring.machine_store()
    caller, known_job, lease_state = authenticate_for_job(store, _authorization(), job, now)
    request = web.read_body(app.current_request, shape)
    require_lease(store, known_job, lease_state, request.run, now)
    return caller, known_job, request


# ---------------------------------------------------------------- the API


@app.route("/enrolments", methods=["POST"])
@answering
def enrolments() -> Response:
    request = web.read_body(app.current_request, wire.EnrolmentRequest)
    return web.answer(enrol_machine(wiring.machine_store(), request, web.now()), status=201)


@app.route("/machine", methods=["GET"], authorizer=authorizer)
@answering
def machine() -> Response:
    stores = wiring.machine_store(), wiring.catalogue_store(), wiring.report_store()
    return web.answer(describe_machine(*stores, _machine(), wiring.settings().region, web.now()))


@app.route("/jobs/{job}/runs", methods=["POST"], authorizer=authorizer)
@answering
def runs(job: str) -> Response:
    now = web.now()
    store = wiring.machine_store()
    _, known_job, lease_state = authenticate_for_job(store, _authorization(), job, now)
    request = web.read_body(app.current_request, wire.RunStart)
    return web.answer(start_run(store, known_job, lease_state, request, now), status=201)


@app.route("/jobs/{job}/runs/{run}", methods=["PATCH"], authorizer=authorizer)
@answering
def run(job: str, run: str) -> Response:
    now = web.now()
    store = wiring.machine_store()
    _, known_job, lease_state = authenticate_for_job(store, _authorization(), job, now)
    request = web.read_body(app.current_request, wire.RunUpdate)
    update_run(store, known_job, lease_state, run, request, now)
    if request.false_proofs is not None:
        stores = store, wiring.catalogue_store(), wiring.finding_store()
        report_false_proofs(*stores, known_job, request.false_proofs, now)
    return web.answer({})


@app.route("/jobs/{job}/uploads", methods=["POST"], authorizer=authorizer)
@answering
def uploads(job: str) -> Response:
    caller, known_job, request = _in_run(job, wire.UploadRequest)
    answer = issue_upload_urls(wiring.upload_context(caller, known_job, web.now()), request.files)
    web.logger.info("uploads", urls=sum(file.url is not None for file in answer.files))
    return web.answer(answer)


@app.route("/jobs/{job}/multiparts", methods=["POST"], authorizer=authorizer)
@answering
def multiparts(job: str) -> Response:
    caller, known_job, request = _in_run(job, wire.MultipartRequest)
    return web.answer(upload_in_parts(wiring.upload_context(caller, known_job, web.now()), request))


@app.route("/jobs/{job}/files", methods=["GET"], authorizer=authorizer)
@answering
def files(job: str) -> Response:
    _, known_job, _ = authenticate_for_job(wiring.machine_store(), _authorization(), job, web.now())
    after = (app.current_request.query_params or {}).get("after", "")
    return web.answer(list_files(wiring.catalogue_store(), wiring.buckets(), known_job, after))


@app.route("/jobs/{job}/downloads", methods=["POST"], authorizer=authorizer)
@answering
def downloads(job: str) -> Response:
    now = web.now()
    store = wiring.machine_store()
    caller, known_job, _ = authenticate_for_job(store, _authorization(), job, now)
    request = web.read_body(app.current_request, wire.DownloadRequest)
    return web.answer(issue_download_urls(store, wiring.buckets(), caller, known_job, request.names, now))


@app.route("/jobs/{job}/discards", methods=["POST"], authorizer=authorizer)
@answering
def discards(job: str) -> Response:
    _, known_job, request = _in_run(job, wire.DiscardRequest)
    ask = wiring.discard_function().ask
    return web.answer(ask_to_discard(wiring.machine_store(), ask, known_job, request.names, web.now()))


# ---------------------------------------------------------------- events, schedules, and functions


@app.on_sqs_message(
    queue=os.environ.get("PANICROOM_QUEUE", "panicroom-events"),
    batch_size=25,
    maximum_batching_window_in_seconds=1,
    maximum_concurrency=2,
)
def catalogue(event: SQSEvent) -> dict[str, Any]:
    """S3's events from the queue; returns the messages to retry."""
    return queue_batches.handle(event.to_dict(), wiring.catalogue_context(web.now()))


@app.schedule("cron(0 * * * ? *)")
def weekly_report(_: CloudWatchEvent) -> None:
    """Each hour, as EventBridge knows no time zones; the journey decides whether a mail is due."""
    from chalicelib.journeys.send_weekly_report import send_if_due, watch_budget

    context = wiring.report_context(web.now())
    message_id = send_if_due(context)
    over_budget = watch_budget(context)
    dead_letters = wiring.dead_letters().count()
    if dead_letters or context.now.hour % metrics.HEARTBEAT_HOURS == 0:
        metrics.emit(context.stage, Failures=dead_letters)
    web.logger.info("weekly report", sent=message_id is not None, over_budget=over_budget)


@app.schedule("rate(1 minute)")
def alerts(_: CloudWatchEvent) -> None:
    """Each minute, since safety findings cannot wait; the journey decides what is due."""
    from chalicelib.journeys.send_alerts import send_alerts

    message_id = send_alerts(wiring.alert_context(web.now()))
    web.logger.info("alerts", sent=message_id is not None)


@app.schedule("cron(15 4 * * ? *)")
def daily_audit(_: CloudWatchEvent) -> None:
    """Once a day for what sends no event: settings, rules, and the passing of time."""
    from chalicelib.journeys.audit_buckets import audit_buckets

    context = wiring.audit_context(web.now())
    found = audit_buckets(context)
    metrics.emit(wiring.settings().stage, Findings=len(context.findings.findings()))
    web.logger.info("daily audit", findings=len(found))


@app.lambda_function()
def discard(event: dict[str, Any], _: object) -> dict[str, Any]:
    """``{"machine", "job", "names"}`` -> ``DiscardAnswer``. The only function that may write delete markers."""
    job: Job = wiring.machine_store().jobs_named([(event["machine"], event["job"])])[
        event["machine"], event["job"]
    ]
    answer = discard_files(wiring.catalogue_store(), wiring.buckets(), job, event["names"], web.now())
    web.logger.info("discard", machine=job.machine, job=job.name, discarded=len(answer.discarded))
    return wire.to_json(answer)


@app.lambda_function()
def reconcile(event: dict[str, Any], _: object) -> dict[str, Any]:
    """``{"machine", "job", "after"}`` -> what differed, and where to go on."""
    from chalicelib.journeys.catalogue.reconcile_job import reconcile_job

    job = wiring.machine_store().jobs_named([(event["machine"], event["job"])])[
        event["machine"], event["job"]
    ]
    has_time = web.for_seconds(web.ASKED_SECONDS)
    done = reconcile_job(wiring.catalogue_context(web.now()), job, event.get("after") or "", has_time)
    web.logger.info("reconcile", machine=job.machine, job=job.name, differences=len(done.differences))
    return {"machine": job.machine, "job": job.name, **dataclasses.asdict(done)}


@app.schedule("cron(30 * * * ? *)")
def weekly_reconcile(_: CloudWatchEvent) -> None:
    """Each hour goes on with the week's reconciles, job after job: no call has to start the next one, which Lambda
    ends as a loop."""
    from chalicelib.journeys.catalogue.reconcile_in_turn import reconcile_in_turn

    context, has_time = wiring.catalogue_context(web.now()), web.for_seconds(web.SCHEDULED_SECONDS)
    compared, failed = reconcile_in_turn(context, has_time)
    for job, error in failed:
        web.logger.error("not compared", machine=job.machine, job=job.name, exc_info=error)
    if failed:
        metrics.emit(wiring.settings().stage, Failures=len(failed))
    web.logger.info("weekly reconcile", compared=len(compared))


@app.lambda_function()
def admin(event: dict[str, Any], _: object) -> dict[str, Any]:
    """The owner's commands; IAM decides who may invoke this function."""
    from chalicelib.journeys.admin import administer as owner

    answer = owner.administer(wiring.admin_context(web.now()), event)
    web.logger.info("admin", command=event.get("command"), error=answer.get("error"))
    return answer
