"""How the service refuses: a code for programs, and a sentence for people on what to do."""

from __future__ import annotations

from chalicelib.wire import ErrorCode

STATUS_OF = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.BAD_JSON: 400,
    ErrorCode.BODY_TOO_LARGE: 413,
    ErrorCode.TOO_MANY_FILES: 400,
    ErrorCode.BAD_CODE: 403,
    ErrorCode.CODE_USED: 403,
    ErrorCode.NOT_AUTHORIZED: 401,
    ErrorCode.MACHINE_REVOKED: 403,
    ErrorCode.UNKNOWN_JOB: 404,
    ErrorCode.TOO_MANY_JOBS: 403,
    ErrorCode.UNKNOWN_RUN: 404,
    ErrorCode.RUN_IN_PROGRESS: 409,
    ErrorCode.LEASE_LOST: 409,
    ErrorCode.BAD_NAME: 400,
    ErrorCode.WRONG_PREFIX: 400,
    ErrorCode.CLOCK_WRONG: 400,
    ErrorCode.NAME_IN_FUTURE: 400,
    ErrorCode.NAME_OUT_OF_ORDER: 400,
    ErrorCode.BAD_DIGEST: 400,
    ErrorCode.FILE_TOO_LARGE: 413,
    ErrorCode.STORAGE_CAP: 403,
    ErrorCode.DOWNLOAD_CAP: 429,
    ErrorCode.SET_SEALED: 409,
    ErrorCode.SET_SEALING: 409,
    ErrorCode.SET_INCOMPLETE: 409,
    ErrorCode.SET_LIST_MISSING: 400,
    ErrorCode.PROOF_MISSING: 409,
    ErrorCode.BAD_PROOF: 400,
    ErrorCode.THAW_BUDGET: 403,
    ErrorCode.THAW_CAP: 429,
    ErrorCode.THAW_IN_PROGRESS: 409,
    ErrorCode.PLAN_CHANGED: 409,
    ErrorCode.TIER_UNAVAILABLE: 409,
    ErrorCode.PRICE_UNKNOWN: 403,
    ErrorCode.UNKNOWN_THAW: 404,
    ErrorCode.READ_ONLY: 403,
    ErrorCode.TOO_MANY_TRIES: 429,
    ErrorCode.DRILL_ALLOWANCE: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.TRY_AGAIN: 503,
    ErrorCode.INTERNAL: 500,
}
"""The HTTP status of each code, where a whole request is refused."""


class Refusal(Exception):
    """An expected refusal. ``names`` are the files it is about, ``retry_after_seconds`` when to ask again."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        names: tuple[str, ...] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.names = names
        self.retry_after_seconds = retry_after_seconds

    @property
    def status(self) -> int:
        return STATUS_OF[self.code]
