"""Every route, event and schedule of the service: a table of contents.

A handler parses, calls a journey, and answers. The rules are in ``chalicelib/domain``, what is done with them in
``chalicelib/journeys``, the calls to AWS in ``chalicelib/adapters``. A journey that no request and no event waits for
is imported in its handler: all functions have this module in common, and load it at each cold start.
"""

from __future__ import annotations

import dataclasses
import os
from functools import partial
from typing import Any

from chalice import Chalice
from chalice.app import AuthRequest, AuthResponse, CloudWatchEvent, Response, SQSEvent

from chalicelib import metrics, queue_batches, web, wire, wiring
from chalicelib.callers import calling_job, calling_machine, in_run, writing_job
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.authenticate import authenticate, refuse_readers
from chalicelib.journeys.conduct_run import CHECK, start_run, update_run
from chalicelib.journeys.describe_machine import describe_machine
from chalicelib.journeys.downloads.issue_download_urls import issue_download_urls
from chalicelib.journeys.enrol_machine import enrol_machine
from chalicelib.journeys.list_files import list_files
from chalicelib.journeys.offer_client import offer_requirements, offer_wheel
from chalicelib.journeys.report_false_proofs import report_false_proofs
from chalicelib.journeys.uploads.discard_files import ask_to_discard, discard_files
from chalicelib.journeys.uploads.issue_upload_urls import issue_upload_urls
from chalicelib.journeys.uploads.upload_in_parts import upload_in_parts

app = Chalice(app_name="panicroom")
app.register_middleware(web.observed, "all")


# ---------------------------------------------------------------- authentication


@app.authorizer(ttl_seconds=300)
def authorizer(request: AuthRequest) -> AuthResponse:
    """Rejects unauthenticated calls. Handlers check again: the gateway caches this answer for minutes."""
    try:
        stores = wiring.machine_store(), wiring.recovery_store()
        bearer = authenticate(*stores, request.token, web.now())
    except Refusal:
        return AuthResponse(routes=[], principal_id="unknown")
    # API Gateway uses the answer for other routes too while it remembers it.
    return AuthResponse(routes=["*"], principal_id=bearer.machine.name)


route = web.routes(app, authorizer)


# ---------------------------------------------------------------- the API


@route("POST", "/enrolments", authenticated=False)
def enrolments() -> Response:
    request = web.read_body(app.current_request, wire.EnrolmentRequest)
    stores = wiring.code_stores()
    caller = web.address_of(app.current_request), web.agent_of(app.current_request)
    return web.answer(enrol_machine(*stores, request, *caller, web.now()), status=201)


@route("POST", "/recoveries", authenticated=False)
def recoveries() -> Response:
    from chalicelib.journeys.use_recovery_code import use_recovery_code

    request = web.read_body(app.current_request, wire.RecoveryRequest)
    stores = wiring.code_stores()
    address = web.address_of(app.current_request)
    return web.answer(use_recovery_code(*stores, request, address, web.now()), status=201)


@route("GET", "/machine")
def machine() -> Response:
    bearer, now = calling_machine(app.current_request)
    stores = (
        wiring.machine_store(),
        wiring.recovery_store(),
        wiring.catalogue_store(),
        wiring.report_store(),
    )
    return web.answer(describe_machine(*stores, bearer, wiring.settings().place, now, wiring.prices))


@route("GET", "/client", authenticated=False)
def client() -> Response:
    return web.redirect(offer_wheel(wiring.client_folder()))


@route("GET", "/client/requirements.txt", authenticated=False)
def client_requirements() -> Response:
    return web.redirect(offer_requirements(wiring.client_folder()))


@route("GET", "/client/{version}", authenticated=False)
def client_of(version: str) -> Response:
    return web.redirect(offer_wheel(wiring.client_folder(), version))


@route("GET", "/client/{version}/requirements.txt", authenticated=False)
def client_requirements_of(version: str) -> Response:
    return web.redirect(offer_requirements(wiring.client_folder(), version))


@route("POST", "/jobs")
def jobs() -> Response:
    from chalicelib.journeys.photos.add_photo_job import add_photo_job

    bearer, now = calling_machine(app.current_request)
    request = web.read_body(app.current_request, wire.JobRequest)
    stores = wiring.machine_store(), wiring.notice_store()
    return web.answer(add_photo_job(*stores, bearer, request, wiring.settings().bucket, now), status=201)


@route("POST", "/jobs/{job}/runs")
def runs(job: str) -> Response:
    bearer, now = calling_machine(app.current_request)
    refuse_readers(bearer)
    request = web.read_body(app.current_request, wire.RunStart)
    if request.kind == CHECK:
        from chalicelib.journeys.photos.record_checks import record_checks

        stores = wiring.machine_store(), wiring.finding_store()
        return web.answer(record_checks(*stores, bearer, job, request, now), status=201)
    caller, now = writing_job(app.current_request, job)
    return web.answer(start_run(wiring.run_store(), wiring.notice_store(), caller, request, now), status=201)


@route("PATCH", "/jobs/{job}/runs/{run}")
def run(job: str, run: str) -> Response:
    caller, now = writing_job(app.current_request, job)
    request = web.read_body(app.current_request, wire.RunUpdate)
    machines, findings = wiring.machine_store(), wiring.finding_store()
    update_run(wiring.run_store(), machines, findings, caller, run, request, now)
    if request.false_proofs is not None:
        stores = machines, wiring.catalogue_store(), findings
        report_false_proofs(*stores, caller.job, request.false_proofs, now)
    return web.answer({})


@route("POST", "/jobs/{job}/uploads")
def uploads(job: str) -> Response:
    context, request = in_run(app.current_request, job, wire.UploadRequest)
    return web.answer(issue_upload_urls(context, request.files))


@route("POST", "/jobs/{job}/multiparts")
def multiparts(job: str) -> Response:
    return web.answer(upload_in_parts(*in_run(app.current_request, job, wire.MultipartRequest)))


@route("GET", "/jobs/{job}/files")
def files(job: str) -> Response:
    caller, _ = calling_job(app.current_request, job)
    after = (app.current_request.query_params or {}).get("after", "")
    return web.answer(list_files(wiring.catalogue_store(), wiring.buckets(), caller.job, after))


@route("POST", "/jobs/{job}/downloads")
def downloads(job: str) -> Response:
    caller, now = calling_job(app.current_request, job)
    request = web.read_body(app.current_request, wire.DownloadRequest)
    context = wiring.download_context(caller, now)
    return web.answer(issue_download_urls(context, request))


@route("POST", "/jobs/{job}/discards")
def discards(job: str) -> Response:
    context, request = in_run(app.current_request, job, wire.DiscardRequest)
    ask = wiring.discard_function().ask
    return web.answer(ask_to_discard(context.notices, ask, context.job, request.names, context.now))


@route("POST", "/jobs/{job}/thaws")
def thaws(job: str) -> Response:
    from chalicelib.journeys.thaws.plan_thaw import plan_thaw

    caller, now = calling_job(app.current_request, job)
    request = web.read_body(app.current_request, wire.ThawRequest)
    return web.answer(plan_thaw(wiring.thaw_context(caller, now), request))


@route("POST", "/jobs/{job}/thaws/{thaw}/start")
def thaw_start(job: str, thaw: str) -> Response:
    from chalicelib.journeys.thaws.start_thaw import start_thaw

    caller, now = calling_job(app.current_request, job)
    request = web.read_body(app.current_request, wire.ThawStart)
    return web.answer(start_thaw(wiring.thaw_context(caller, now), thaw, request))


@route("GET", "/jobs/{job}/thaws/{thaw}")
def thaw_status(job: str, thaw: str) -> Response:
    from chalicelib.journeys.thaws.describe_thaw import describe_thaw

    caller, now = calling_job(app.current_request, job)
    return web.answer(
        describe_thaw(wiring.thaw_store(), wiring.recovery_store(), caller.machine, caller.job, thaw, now)
    )


@route("POST", "/jobs/{job}/drills")
def drills(job: str) -> Response:
    from chalicelib.journeys.thaws.report_drill import report_drill

    caller, now = calling_job(app.current_request, job)
    request = web.read_body(app.current_request, wire.DrillReport)
    stores = wiring.machine_store(), wiring.finding_store()
    return web.answer(report_drill(*stores, caller, request, now))


# ---------------------------------------------------------------- events, schedules, and functions


@app.on_sqs_message(
    queue=os.environ.get("PANICROOM_QUEUE", "panicroom-events"),
    batch_size=25,
    maximum_batching_window_in_seconds=1,
    maximum_concurrency=2,
)
def catalogue(event: SQSEvent) -> dict[str, Any]:
    """S3's events from the queue; returns the messages to retry."""
    from chalicelib.journeys.thaws.record_restore_events import record_restore_events

    context = wiring.catalogue_context(web.now())
    record_restores = partial(record_restore_events, context, wiring.thaw_store(), wiring.thaw_function())
    return queue_batches.handle(event.to_dict(), context, record_restores)


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
    """Each minute, since safety findings cannot wait; the journeys decide what is due."""
    from chalicelib.journeys.send_alerts import send_alerts
    from chalicelib.journeys.thaws.ask_due_thaws import ask_due_thaws

    message_id = None
    try:
        context = wiring.alert_context(web.now(), has_job_metrics=wiring.settings().has_job_metrics)
        message_id = send_alerts(context)
    finally:  # a mail that nobody takes must not stop a restore
        thaws_asked = ask_due_thaws(wiring.thaw_store(), wiring.thaw_function(), web.now())
        web.logger.info("alerts", sent=message_id is not None, thaws=thaws_asked)


@app.schedule("cron(15 4 * * ? *)")
def daily_audit(_: CloudWatchEvent) -> None:
    """Once a day for what sends no event: settings, rules, and the passing of time."""
    from chalicelib.journeys.audit_buckets import audit_buckets

    context = wiring.audit_context(web.now())
    found = audit_buckets(context)
    metrics.emit(wiring.settings().stage, Findings=len(context.findings.findings()))
    web.logger.info("daily audit", findings=len(found))


def _job_of(event: dict[str, Any]) -> Job:
    names = event["machine"], event["job"]
    return wiring.machine_store().jobs_named([names])[names]


@app.lambda_function()
def discard(event: dict[str, Any], _: object) -> dict[str, Any]:
    """``{"machine", "job", "names"}`` -> ``DiscardAnswer``. The only function that may write delete markers."""
    job = _job_of(event)
    answer = discard_files(wiring.catalogue_store(), wiring.buckets(), job, event["names"], web.now())
    web.logger.info("discard", machine=job.machine, job=job.name, discarded=len(answer.discarded))
    return wire.to_json(answer)


@app.lambda_function()
def thaw(event: dict[str, Any], _: object) -> None:
    """``{"machine", "job", "thaw"}``. The only function that may ask S3 for archived volumes."""
    from chalicelib.journeys.thaws.continue_thaw import continue_thaw

    worker = wiring.thaw_worker(web.now, web.for_seconds(web.SCHEDULED_SECONDS))
    after = continue_thaw(worker, event["machine"], event["job"], event["thaw"])
    web.logger.info("thaw", **event, state=after.state.value if after else None)


@app.schedule("cron(45 5 * * ? *)")
def let_go(event: CloudWatchEvent) -> dict[str, Any]:
    """Once a day for all jobs; for the owner, of one: ``{"machine", "job"}`` -> ``RetentionRan``. It alone may mark
    files of finished sets deleted, and no function may delete a version."""
    from chalicelib.journeys.retention.let_chains_go import let_chains_go

    asked = event.detail if event.detail.get("machine") else None
    context = wiring.retention_context(web.now(), web.for_seconds(web.SCHEDULED_SECONDS))
    ran, failed = let_chains_go(context, _job_of(asked) if asked else None)
    web.log_failed_jobs(failed)
    web.logger.info("let go", chains=len(ran.let_go), waits=len(ran.waits))
    return wire.to_json(ran)


@app.lambda_function()
def reconcile(event: dict[str, Any], _: object) -> dict[str, Any]:
    """``{"machine", "job", "after"}`` -> what differed, and where to go on."""
    from chalicelib.journeys.catalogue.reconcile_job import reconcile_job

    job = _job_of(event)
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
    reconciled, failed = reconcile_in_turn(context, has_time)
    web.log_failed_jobs(failed)
    web.logger.info("weekly reconcile", reconciled=len(reconciled))


@app.lambda_function()
def admin(event: dict[str, Any], _: object) -> dict[str, Any]:
    """The owner's commands; IAM decides who may invoke this function."""
    from chalicelib.journeys.admin import administer as owner

    answer = owner.administer(wiring.admin_context(web.now()), event, owner.COMMANDS)
    web.logger.info("admin", command=event.get("command"), error=answer.get("error"))
    return answer


@app.lambda_function()
def admin_read(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Those of the owner's commands that change nothing, for whoever may look; its role may only read."""
    from chalicelib.journeys.admin import administer as owner

    answer = owner.administer(wiring.admin_context(web.now()), event, owner.READS)
    web.logger.info("admin_read", command=event.get("command"), error=answer.get("error"))
    return answer
