"""Between HTTP and the journeys: bodies in, answers out, one log line a request."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any, TypeVar

from aws_lambda_powertools import Logger
from chalice import Chalice
from chalice.app import Request, Response

from chalicelib import config, metrics, wire
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ErrorCode

logger = Logger()

Shape = TypeVar("Shape")
View = Callable[..., Response]


def now() -> datetime:
    """The service's clock; ``python -m ops local clock`` sets that of the local stack ahead."""
    return datetime.now(timezone.utc) + config.clock_ahead()


ASKED_SECONDS = 60
"""For work that can go on in another call, and that a person waits for: some 20,000 keys are compared meanwhile."""

SCHEDULED_SECONDS = 600
"""The same where nobody waits. The third of the function's 900 that is left is for what follows a job's last key."""


def for_seconds(seconds: float) -> Callable[[], bool]:
    """Whether work that can be resumed should go on: true for so long from now."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


def read_body(request: Request, shape: type[Shape]) -> Shape:
    """The body as the contract's ``shape``; raises ``Refusal``."""
    raw = request.raw_body
    if len(raw) > wire.MAX_BODY_BYTES:
        raise Refusal(ErrorCode.BODY_TOO_LARGE, "This request is too large. Ask for fewer files at once.")
    try:
        data = json.loads(raw)
    except ValueError:  # JSONDecodeError and UnicodeDecodeError are both
        raise Refusal(ErrorCode.BAD_JSON, "The body is not JSON.") from None
    except RecursionError:
        raise Refusal(ErrorCode.BAD_JSON, "The body is nested too deeply.") from None
    try:
        body = wire.from_json(shape, data)
    except wire.WireError as error:
        raise Refusal(ErrorCode.BAD_REQUEST, f"This request is not as it should be: {error}.") from None
    listed: object = getattr(
        body, "files", getattr(body, "names", ())
    )  # a report of a drill has their number
    if isinstance(listed, tuple) and len(listed) > wire.MAX_FILES_PER_REQUEST:
        raise Refusal(
            ErrorCode.TOO_MANY_FILES,
            f"{len(listed)} files at once are too many: {wire.MAX_FILES_PER_REQUEST} at most.",
        )
    return body


def address_of(request: Request) -> str:
    """The network address that the gateway saw; empty where it names none."""
    identity = request.context.get("identity") or {}
    return str(identity.get("sourceIp") or "")


def agent_of(request: Request) -> str:
    """What the caller says that it is, as ``panicroom/0.2.0``; empty where it says nothing."""
    return str(request.headers.get("user-agent") or "")


def answer(body: Any, status: int = 200) -> Response:
    return Response(body=json.dumps(wire.to_json(body)), status_code=status, headers=HEADERS)


def redirect(offer: wire.ClientOffer) -> Response:
    """The same as a body, for who follows no redirect."""
    response = answer(offer, status=302)
    response.headers = {**HEADERS, "Location": offer.url}
    return response


def observed(event: Any, respond: Callable[[Any], Any]) -> Any:
    """Middleware: each line of the log names its request; failures outside a view are counted and raised again."""
    context = getattr(event, "lambda_context", None) or getattr(event, "context", None)
    logger.append_keys(request=getattr(context, "aws_request_id", None))
    try:
        return respond(event)
    except Exception:
        _count_failures(1)
        raise


def log_failed_jobs(failed: Sequence[tuple[Job, Exception]]) -> None:
    """Logs and counts jobs whose turn failed, each with its error."""
    for job, error in failed:
        logger.error("job failed", machine=job.machine, job=job.name, exc_info=error)
    if failed:
        _count_failures(len(failed))


def _count_failures(number: int) -> None:
    metrics.emit(os.environ.get("PANICROOM_STAGE", "unknown"), Failures=number)


HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}


def routes(app: Chalice, authorizer: Any) -> Callable[..., Callable[[View], View]]:
    """A decorator for the views of an API: ``@route("POST", "/jobs/{job}/runs")``."""

    def route(method: str, path: str, *, authenticated: bool = True) -> Callable[[View], View]:
        options = {"authorizer": authorizer} if authenticated else {}

        def decorate(view: View) -> View:
            decorated: View = app.route(path, methods=[method], **options)(answering(app)(view))
            return decorated

        return decorate

    return route


def answering(app: Chalice) -> Callable[[View], View]:
    """A decorator for views: refusals become answers, and each request leaves one line in the log.

    (Chalice's own middleware comes too late: Chalice has made a 500 of the exception by then.) The line names the
    route, never the path, the headers or the body: codes and tokens stay out of the logs.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def answer_always(**path_parameters: str) -> Response:
            began = time.perf_counter()
            refused = None
            try:
                response = view(**path_parameters)
            except Refusal as refusal:
                refused = refusal.code
                response = _error(refusal)
            except Exception:
                refused = ErrorCode.INTERNAL
                logger.exception("request failed")
                _count_failures(1)
                again = Refusal(
                    ErrorCode.INTERNAL, "Something failed in the service; its log has the error. Try again."
                )
                response = _error(again)
            _log(app.current_request, response.status_code, refused, began)
            return response

        return answer_always

    return decorate


def _log(request: Request, status: int, refused: ErrorCode | None, began: float) -> None:
    logger.info(
        "request",
        method=request.method,
        route=request.context.get("resourcePath"),
        status=status,
        error=refused.value if refused else None,
        machine=(request.context.get("authorizer") or {}).get("principalId"),
        job=(request.uri_params or {}).get("job"),
        milliseconds=round((time.perf_counter() - began) * 1000),
    )


def _error(refusal: Refusal) -> Response:
    headers = dict(HEADERS)
    if refusal.retry_after_seconds is not None:
        headers["Retry-After"] = str(refusal.retry_after_seconds)
    body = wire.ErrorAnswer(refusal.code.value, refusal.message, refusal.retry_after_seconds)
    return Response(body=json.dumps(wire.to_json(body)), status_code=refusal.status, headers=headers)
