"""Calls of the service's API: retries, and every refusal as an ``ApiError`` with the service's own message.

This is the border to the service, which may be broken or in somebody else's hands: answers have a largest size,
waits a longest time, texts no control characters, and URLs lead to S3 (network.py).
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import httpx

from panicroom import __version__, wire
from panicroom.exit_codes import ExitCode, Problem
from panicroom.network import TooLarge, http_client, link_fault, read_capped
from panicroom.settings import MACHINE_OR_JOB
from panicroom.shown import cleaned, shown
from panicroom.wire import ErrorCode

UNREACHABLE = "unreachable"
"""``ApiError.code`` where no answer came at all; every other code is the service's (``wire.ErrorCode``)."""

UNKNOWN_CALL = "unknown_call"
"""``ApiError.code`` where the service is older than this client and does not know the call."""

BAD_LINK = "bad_link"
"""``ApiError.code`` where the service gave a URL or a header that is none of S3's."""

ASKING_SECONDS = 8.0
"""How long a command that somebody waits for keeps trying."""

RUNNING_SECONDS = 900.0
"""How long a run outlives a lost network: less than the lease, so that it is still ours then."""

LONGEST_RETRY_AFTER_SECONDS = 300
"""Whatever the service asks for: so that nobody can stop a backup for good."""

ANSWER_BYTES = 16 * 2**20
"""The largest answer. A page of 1,000 names has 200 KB, a hundred permits 300 KB."""

LISTED_FILES = 2_000_000
"""The most files of one job: fifty terabytes in volumes of 25 MB."""

_ANSWER_SECONDS = 35.0
"""An answer may take as long as API Gateway lets a function run."""

_NO_SUCH_CALL = "Missing Authentication Token"
"""What API Gateway answers to a path that it does not have."""

_NOT_FOR_NOW = (ErrorCode.THAW_CAP, ErrorCode.TOO_MANY_TRIES)
"""Refusals with status 429 that last for hours: trying again at once is in vain."""

_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,4}", re.ASCII)
_RUN = re.compile(r"[A-Za-z0-9-]{1,100}")
_THAW = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)

Shape = TypeVar("Shape")

_EXIT_CODES = {
    UNREACHABLE: ExitCode.TRY_LATER,
    ErrorCode.TRY_AGAIN: ExitCode.TRY_LATER,
    ErrorCode.RUN_IN_PROGRESS: ExitCode.TRY_LATER,
    ErrorCode.SET_SEALING: ExitCode.TRY_LATER,
    ErrorCode.DOWNLOAD_CAP: ExitCode.TRY_LATER,
    ErrorCode.INTERNAL: ExitCode.TRY_LATER,
    ErrorCode.THAW_BUDGET: ExitCode.TRY_LATER,
    ErrorCode.THAW_CAP: ExitCode.TRY_LATER,
    ErrorCode.THAW_IN_PROGRESS: ExitCode.TRY_LATER,
    ErrorCode.PRICE_UNKNOWN: ExitCode.TRY_LATER,
    ErrorCode.DRILL_ALLOWANCE: ExitCode.TRY_LATER,
    ErrorCode.PLAN_CHANGED: ExitCode.TRY_LATER,
    ErrorCode.UNKNOWN_THAW: ExitCode.TRY_LATER,
    ErrorCode.TIER_UNAVAILABLE: ExitCode.USAGE,
    ErrorCode.TOO_MANY_TRIES: ExitCode.TRY_LATER,
    ErrorCode.READ_ONLY: ExitCode.SETTINGS,
    ErrorCode.BAD_CODE: ExitCode.ENROLMENT,
    ErrorCode.CODE_USED: ExitCode.ENROLMENT,
    ErrorCode.NOT_AUTHORIZED: ExitCode.NOT_AUTHORIZED,
    ErrorCode.MACHINE_REVOKED: ExitCode.NOT_AUTHORIZED,
    ErrorCode.LEASE_LOST: ExitCode.LEASE_LOST,
    ErrorCode.UNKNOWN_RUN: ExitCode.LEASE_LOST,
    ErrorCode.NOT_FOUND: ExitCode.NOT_FOUND,
    ErrorCode.CLOCK_WRONG: ExitCode.CLOCK,
    ErrorCode.NAME_IN_FUTURE: ExitCode.CLOCK,
}


class ApiError(Exception):
    """A call that failed for good: ``code`` is a value of ``wire.ErrorCode`` or ``UNREACHABLE``."""

    def __init__(self, code: str, message: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after_seconds = retry_after_seconds

    def as_problem(self) -> Problem:
        """The same as one line for a person, with the exit code that belongs to it."""
        return Problem(self.message, _EXIT_CODES.get(self.code, ExitCode.REFUSED))


def waits(
    patience_seconds: float, first_seconds: float = 0.5, longest_seconds: float = 30.0
) -> Iterator[float]:
    """Seconds to wait before each next try: doubling, with jitter, until the patience is used up.

    Jitter keeps a fleet that lost the network together from coming back in step.
    """
    give_up_at = time.monotonic() + patience_seconds
    step = first_seconds
    while True:
        wait = step * random.uniform(0.5, 1.0)  # noqa: S311
        if time.monotonic() + wait > give_up_at:
            return
        yield wait
        step = min(step * 2, longest_seconds)


def batches(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The names in groups, each as many as one request may have."""
    for start in range(0, len(names), wire.MAX_FILES_PER_REQUEST):
        yield tuple(names[start : start + wire.MAX_FILES_PER_REQUEST])


class Api:
    """The service as this machine sees it. Methods raise ``ApiError``. Safe to use from several threads."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        patience_seconds: float = ASKING_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"User-Agent": f"panicroom/{__version__}"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._url = url
        self._patience_seconds = patience_seconds
        self._sleep = sleep
        self._on_waiting: Callable[[float], None] = lambda _seconds: None
        headers["Accept-Encoding"] = "identity"
        self._http = http_client(httpx.Timeout(_ANSWER_SECONDS), headers=headers)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Api:
        return self

    def __exit__(self, _kind: object, failure: BaseException | None, _trace: object) -> None:
        """Closes it; an ``ApiError`` that nobody else took becomes the ``Problem`` of the command."""
        self.close()
        if isinstance(failure, ApiError):
            raise failure.as_problem() from None

    def outlast_the_network(self, on_waiting: Callable[[float], None]) -> None:
        """From now on a lost line is waited for, as in a run; ``on_waiting`` gets the seconds that it is lost, and 0
        once it is back."""
        self._patience_seconds, self._on_waiting = RUNNING_SECONDS, on_waiting

    def enrol(self, request: wire.EnrolmentRequest) -> wire.EnrolmentAnswer:
        answer = self._call("POST", "/enrolments", wire.EnrolmentAnswer, request)
        families = (family.family for family in answer.families)
        self._check_names([answer.machine, *(job.job for job in answer.jobs), *families])
        return answer

    def recover(self, request: wire.RecoveryRequest) -> wire.RecoveryAnswer:
        """Exchanges a recovery code for a reader's token; again with the same secret, for a lost answer."""
        answer = self._call("POST", "/recoveries", wire.RecoveryAnswer, request)
        self._check_names([answer.machine, *(job.job for job in answer.jobs)])
        self._check_times([answer.reader_until])
        if answer.machine != request.machine:
            raise self._odd(f"the code is for {answer.machine}")
        return answer

    def machine(self) -> wire.MachineStatus:
        status = self._call("GET", "/machine", wire.MachineStatus)
        families = (family.family for family in status.families)
        self._check_names([status.machine, *(job.job for job in status.jobs), *families])
        times = [status.server_time, status.last_weekly_mail_at, status.reader_until]
        self._check_times([*times, *(job.newest_complete_at for job in status.jobs)])
        for drill in (job.drill for job in status.jobs if job.drill is not None):
            self._check_times([drill.passed_at, drill.reported_at])
        for version in (status.newest_client_version, status.oldest_client_version):
            if not _VERSION.fullmatch(version):
                raise self._odd(f"{shown(version, 40)!r} is no version")
        return status

    def add_job(self, request: wire.JobRequest) -> wire.EnrolledJob:
        """Makes a job of a family of photo jobs; may be asked again."""
        answer = self._call("POST", "/jobs", wire.EnrolledJob, request)
        self._check_names([answer.job])
        return answer

    def report_checks(self, named: str, request: wire.RunStart) -> None:
        """Photo jobs of the family ``named`` were looked at, and have not changed."""
        self._call("POST", f"/jobs/{named}/runs", wire.RunStarted, request)

    def start_run(self, job: str, request: wire.RunStart) -> wire.RunStarted:
        answer = self._call("POST", f"/jobs/{job}/runs", wire.RunStarted, request)
        self._check_times([answer.server_time])
        if not _RUN.fullmatch(answer.run):
            raise self._odd(f"{shown(answer.run, 60)!r} is no run")
        return answer

    def update_run(self, job: str, run: str, request: wire.RunUpdate) -> None:
        self._answer("PATCH", f"/jobs/{job}/runs/{run}", request)

    def files(self, job: str) -> list[wire.ListedFile]:
        """Everything stored of the job, all pages of it."""
        found: list[wire.ListedFile] = []
        after: str | None = None
        while True:
            parameters = {"after": after} if after else None
            page = self._call("GET", f"/jobs/{job}/files", wire.FileListing, parameters=parameters)
            self._check_times([file.stored_at for file in page.files])
            found.extend(page.files)
            if page.next is None:
                return found
            if len(found) > LISTED_FILES or (after is not None and page.next <= after):
                raise self._odd("a listing without an end")
            after = page.next

    def uploads(self, job: str, request: wire.UploadRequest) -> wire.UploadAnswer:
        answer = self._call("POST", f"/jobs/{job}/uploads", wire.UploadAnswer, request)
        for permit in answer.files:
            self._check_link(permit.url, permit.headers or {})
        return answer

    def multiparts(self, job: str, request: wire.MultipartRequest) -> wire.MultipartAnswer:
        answer = self._call("POST", f"/jobs/{job}/multiparts", wire.MultipartAnswer, request)
        for part in answer.parts:
            self._check_link(part.url, part.headers)
        return answer

    def downloads(
        self, job: str, names: tuple[str, ...], *, facts_only: bool = False, facts_in_headers: bool = False
    ) -> wire.DownloadAnswer:
        request = wire.DownloadRequest(names, facts_only, facts_in_headers)
        answer = self._call("POST", f"/jobs/{job}/downloads", wire.DownloadAnswer, request)
        for permit in answer.files:
            self._check_link(permit.url, permit.headers or {})
        return answer

    def plan_thaw(self, job: str, request: wire.ThawRequest) -> wire.ThawPlan:
        """What bringing these volumes back would take; nothing is started."""
        plan = self._call("POST", f"/jobs/{job}/thaws", wire.ThawPlan, request)
        self._check_thaw(plan.thaw)
        self._check_times(time for offer in plan.tiers for time in (offer.ready_by, offer.readable_until))
        amounts = [plan.left_usd, plan.month_usd, *(offer.usd for offer in plan.tiers)]
        self._check_amounts([*amounts, *(offer.transfer_usd for offer in plan.tiers)])
        return plan

    def start_thaw(self, job: str, thaw: str, request: wire.ThawStart) -> wire.ThawStatus:
        """Starts what was planned; once, however often it is asked for."""
        return self._thaw_status("POST", f"/jobs/{job}/thaws/{thaw}/start", request)

    def thaw_status(self, job: str, thaw: str) -> wire.ThawStatus:
        return self._thaw_status("GET", f"/jobs/{job}/thaws/{thaw}")

    def report_drill(self, job: str, report: wire.DrillReport) -> wire.DrillStatus:
        """Reports how a drill went; what the service makes of it."""
        status = self._call("POST", f"/jobs/{job}/drills", wire.DrillStatus, report)
        self._check_times([status.passed_at, status.reported_at])
        return status

    def _thaw_status(self, method: str, path: str, body: object = None) -> wire.ThawStatus:
        status = self._call(method, path, wire.ThawStatus, body)
        self._check_thaw(status.thaw)
        self._check_times([status.ready_by, status.readable_until])
        self._check_amounts([status.usd])
        return status

    def discards(self, job: str, run: str, names: tuple[str, ...]) -> wire.DiscardAnswer:
        return self._call(
            "POST", f"/jobs/{job}/discards", wire.DiscardAnswer, wire.DiscardRequest(run, names)
        )

    def _call(
        self,
        method: str,
        path: str,
        shape: type[Shape],
        body: object = None,
        parameters: dict[str, str] | None = None,
    ) -> Shape:
        response = self._answer(method, path, body, parameters)
        try:
            return wire.from_json(shape, cleaned(json.loads(response.content)))
        except (ValueError, RecursionError) as error:  # WireError is a ValueError
            raise self._odd(shown(str(error), 200)) from None

    def _odd(self, what: str) -> ApiError:
        message = f"{self._url} gave an answer this client does not understand ({what}); is the URL right?"
        return ApiError(ErrorCode.INTERNAL, message)

    def _check_link(self, url: str | None, headers: Mapping[str, str]) -> None:
        """Raises an ``ApiError`` for a link that does not lead to S3, or asks for more than S3 needs."""
        fault = link_fault(url, headers, self._url) if url is not None else None
        if fault is not None:
            raise ApiError(
                BAD_LINK, f"the service gave a link that is not followed: {fault}; report it to the owner"
            )

    def _check_names(self, names: list[str]) -> None:
        """Names of machines and jobs become names of folders here."""
        for name in names:
            if not MACHINE_OR_JOB.fullmatch(name):
                raise self._odd(f"{shown(name, 60)!r} is no name")

    def _check_thaw(self, thaw: str) -> None:
        """It becomes a part of a path."""
        if not _THAW.fullmatch(thaw):
            raise self._odd(f"{shown(thaw, 60)!r} is no thaw")

    def _check_amounts(self, amounts: Iterable[float | None]) -> None:
        for amount in amounts:
            if amount is not None and amount < 0:
                raise self._odd(f"{amount} is no price")

    def _check_times(self, times: Iterable[str | None]) -> None:
        for text in times:
            if text is not None and not _is_time(text):
                raise self._odd(f"{shown(text, 40)!r} is no time")

    def _answer(
        self, method: str, path: str, body: object = None, parameters: dict[str, str] | None = None
    ) -> httpx.Response:
        content = None if body is None else wire.to_json(body)
        pauses = waits(self._patience_seconds)
        began_at = time.monotonic()
        lost = False
        while True:
            try:
                left = self._patience_seconds - (time.monotonic() - began_at)
                response = self._send(method, path, content, parameters, connect_seconds=left)
                failure = None if response.is_success else _refusal(response)
            except httpx.TransportError as error:
                failure = ApiError(
                    UNREACHABLE, f"the service at {self._url} cannot be reached: {reason(error)}"
                )
            except TooLarge as error:
                raise self._odd(str(error)) from None
            if failure is None:
                if lost:
                    self._on_waiting(0.0)
                return response
            pause = next(pauses, None)
            if pause is None or not _worth_another_try(failure):
                raise failure
            if failure.code == UNREACHABLE:
                lost = True
                self._on_waiting(time.monotonic() - began_at)
            self._sleep(max(pause, failure.retry_after_seconds or 0))

    def _send(
        self, method: str, path: str, content: Any, parameters: dict[str, str] | None, connect_seconds: float
    ) -> httpx.Response:
        """One call; the answer with its body, of at most ``ANSWER_BYTES``."""
        timeout = httpx.Timeout(_ANSWER_SECONDS, connect=min(max(connect_seconds, 1.0), 10.0))
        url = self._url + path
        with self._http.stream(method, url, json=content, params=parameters, timeout=timeout) as response:
            body = read_capped(response, ANSWER_BYTES)
            return httpx.Response(
                response.status_code, headers=response.headers, content=body, request=response.request
            )


def moment_of(text: str) -> datetime:
    """A time as the service writes it, or another text in ISO 8601. Raises ``ValueError``."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))  # which Python 3.10 does not take


def _is_time(text: str) -> bool:
    """Whether it is a time with its zone, as all of the service's are, and one of our days: others cannot be shown in
    every zone."""
    try:
        time = moment_of(text)
    except ValueError:
        return False
    return time.tzinfo is not None and 1970 < time.year < 2200


def _worth_another_try(failure: ApiError) -> bool:
    return failure.code in (UNREACHABLE, ErrorCode.TRY_AGAIN, ErrorCode.INTERNAL)


def _refusal(response: httpx.Response) -> ApiError:
    """The ``ApiError`` of an answer that is not 2xx, be it the service's or API Gateway's own."""
    try:
        data = cleaned(json.loads(response.content))
    except (ValueError, RecursionError):
        data = None
    status = response.status_code
    retry_after = retry_after_seconds(response)
    if isinstance(data, dict) and isinstance(data.get("error"), str):
        after = data.get("retry_after_seconds")
        throttled = status == 429 and data["error"] not in _NOT_FOR_NOW
        code = ErrorCode.TRY_AGAIN.value if throttled else shown(data["error"], 60)
        message = shown(str(data.get("message") or code))
        return ApiError(code, message, capped_wait(after) if isinstance(after, int) else retry_after)
    if status == 403 and isinstance(data, dict) and data.get("message") == _NO_SUCH_CALL:
        message = "the service is older than this client and cannot do this yet; ask its owner to upgrade it"
        return ApiError(UNKNOWN_CALL, message)
    if status in (401, 403):
        message = "the service does not accept this machine's token; ask the owner for a code and enrol again"
        return ApiError(ErrorCode.NOT_AUTHORIZED, message)
    if status == 429 or status >= 500:
        message = f"the service is not available just now (HTTP {status}); try again later"
        return ApiError(ErrorCode.TRY_AGAIN, message, retry_after)
    return ApiError(ErrorCode.BAD_REQUEST, f"{response.url} answers HTTP {status}; is the service URL right?")


def retry_after_seconds(response: httpx.Response) -> int:
    """``Retry-After``, where it is a number of seconds; at most five minutes."""
    value = response.headers.get("Retry-After", "")[:20]
    return capped_wait(int(value)) if value.isascii() and value.isdecimal() else 0


def capped_wait(seconds: int) -> int:
    return max(0, min(seconds, LONGEST_RETRY_AFTER_SECONDS))


def download_small(url: str, most_bytes: int) -> bytes:
    """The bytes behind a presigned URL that ``Api.downloads`` gave. Raises ``ApiError``."""
    try:
        with (
            http_client(httpx.Timeout(30.0, connect=10.0)) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status_code != 200:
                raise ApiError(ErrorCode.NOT_FOUND, f"S3 answers HTTP {response.status_code}")
            return read_capped(response, most_bytes)
    except httpx.HTTPError as error:
        raise ApiError(UNREACHABLE, f"S3 cannot be reached: {reason(error)}") from None
    except TooLarge as error:
        raise ApiError(ErrorCode.INTERNAL, f"S3 gave an odd answer: {error}") from None


def reason(error: Exception) -> str:
    """The shortest true account of a network error."""
    return shown(str(error) or type(error).__name__, 200)
