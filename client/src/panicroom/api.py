"""Calls of the service's API: retries, and every refusal as an ``ApiError`` with the service's own words."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx

from panicroom import __version__, wire
from panicroom.exit_codes import ExitCode, Problem
from panicroom.wire import ErrorCode

UNREACHABLE = "unreachable"
"""``ApiError.code`` where no answer came at all; every other code is the service's (``wire.ErrorCode``)."""

ASKING_SECONDS = 8.0
"""How long a command that somebody waits for keeps trying."""

RUNNING_SECONDS = 900.0
"""How long a run outlives a lost network: less than the lease, so that it is still ours then."""

_LONGEST_RETRY_AFTER = 300

Shape = TypeVar("Shape")

_EXIT_CODES = {
    UNREACHABLE: ExitCode.TRY_LATER,
    ErrorCode.TRY_AGAIN: ExitCode.TRY_LATER,
    ErrorCode.RUN_IN_PROGRESS: ExitCode.TRY_LATER,
    ErrorCode.SET_SEALING: ExitCode.TRY_LATER,
    ErrorCode.DOWNLOAD_CAP: ExitCode.TRY_LATER,
    ErrorCode.INTERNAL: ExitCode.TRY_LATER,
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
        # Reading may take as long as API Gateway lets a function run.
        self._http = httpx.Client(headers=headers, timeout=httpx.Timeout(35.0, connect=10.0))

    def close(self) -> None:
        self._http.close()

    def enrol(self, request: wire.EnrolmentRequest) -> wire.EnrolmentAnswer:
        return self._call("POST", "/enrolments", wire.EnrolmentAnswer, request)

    def machine(self) -> wire.MachineStatus:
        return self._call("GET", "/machine", wire.MachineStatus)

    def start_run(self, job: str, request: wire.RunStart) -> wire.RunStarted:
        return self._call("POST", f"/jobs/{job}/runs", wire.RunStarted, request)

    def update_run(self, job: str, run: str, request: wire.RunUpdate) -> None:
        self._answer("PATCH", f"/jobs/{job}/runs/{run}", request)

    def files(self, job: str) -> list[wire.ListedFile]:
        """Everything stored of the job, all pages of it."""
        found: list[wire.ListedFile] = []
        after: str | None = None
        while True:
            parameters = {"after": after} if after else None
            page = self._call("GET", f"/jobs/{job}/files", wire.FileListing, parameters=parameters)
            found.extend(page.files)
            if page.next is None:
                return found
            after = page.next

    def uploads(self, job: str, request: wire.UploadRequest) -> wire.UploadAnswer:
        return self._call("POST", f"/jobs/{job}/uploads", wire.UploadAnswer, request)

    def multiparts(self, job: str, request: wire.MultipartRequest) -> wire.MultipartAnswer:
        return self._call("POST", f"/jobs/{job}/multiparts", wire.MultipartAnswer, request)

    def downloads(self, job: str, names: tuple[str, ...], *, facts_only: bool = False) -> wire.DownloadAnswer:
        request = wire.DownloadRequest(names, facts_only)
        return self._call("POST", f"/jobs/{job}/downloads", wire.DownloadAnswer, request)

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
            return wire.from_json(shape, response.json())
        except ValueError as error:  # WireError is one
            raise ApiError(
                ErrorCode.INTERNAL,
                f"{self._url} gave an answer this client does not understand ({error}); is the URL right?",
            ) from None

    def _answer(
        self, method: str, path: str, body: object = None, parameters: dict[str, str] | None = None
    ) -> httpx.Response:
        content = None if body is None else wire.to_json(body)
        pauses = waits(self._patience_seconds)
        while True:
            try:
                response = self._http.request(method, self._url + path, json=content, params=parameters)
                failure = None if response.is_success else _refusal(response)
            except httpx.TransportError as error:
                failure = ApiError(
                    UNREACHABLE, f"the service at {self._url} cannot be reached: {reason(error)}"
                )
            if failure is None:
                return response
            pause = next(pauses, None)
            if pause is None or not _worth_another_try(failure):
                raise failure
            self._sleep(max(pause, failure.retry_after_seconds or 0))


def _worth_another_try(failure: ApiError) -> bool:
    return failure.code in (UNREACHABLE, ErrorCode.TRY_AGAIN, ErrorCode.INTERNAL)


def _refusal(response: httpx.Response) -> ApiError:
    """The ``ApiError`` of an answer that is not 2xx, be it the service's or API Gateway's own."""
    try:
        data = response.json()
    except ValueError:
        data = None
    status = response.status_code
    retry_after = retry_after_seconds(response)
    if isinstance(data, dict) and isinstance(data.get("error"), str):
        after = data.get("retry_after_seconds")
        code = ErrorCode.TRY_AGAIN.value if status == 429 else data["error"]
        return ApiError(
            code, str(data.get("message") or code), after if isinstance(after, int) else retry_after
        )
    if status in (401, 403):
        message = "the service does not accept this machine's token; ask the owner for a code and enrol again"
        return ApiError(ErrorCode.NOT_AUTHORIZED, message)
    if status == 429 or status >= 500:
        message = f"the service is not available just now (HTTP {status}); try again later"
        return ApiError(ErrorCode.TRY_AGAIN, message, retry_after)
    return ApiError(ErrorCode.BAD_REQUEST, f"{response.url} answers HTTP {status}; is the service URL right?")


def retry_after_seconds(response: httpx.Response) -> int:
    """``Retry-After``, where it is a number of seconds; at most five minutes, so that nobody can stop us for good."""
    value = response.headers.get("Retry-After", "")
    return min(int(value), _LONGEST_RETRY_AFTER) if value.isascii() and value.isdecimal() else 0


def reason(error: Exception) -> str:
    """The shortest true account of a network error."""
    return str(error) or type(error).__name__
