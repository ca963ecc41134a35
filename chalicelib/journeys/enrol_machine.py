"""A laptop turns its one-time code into a token of its own making."""

from __future__ import annotations

from datetime import datetime

from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.domain.audit.notices import CODE_REUSED, Notice
from chalicelib.domain.backups.machines import is_sha256_hex, normalized_code, sha256_hex
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import EnrolledJob, EnrolmentAnswer, EnrolmentRequest, ErrorCode


def enrol_machine(
    machines: MachineStore, notices: NoticeStore, request: EnrolmentRequest, now: datetime
) -> EnrolmentAnswer:
    """Registers the secret's hash under the code's machine, in place of any older token.

    The same code with the same hash may be sent again, since answers get lost. With another hash it is refused and
    a notice is recorded: one of the two was not the owner's laptop.
    """
    if not is_sha256_hex(request.secret_sha256):
        raise Refusal(ErrorCode.BAD_DIGEST, "secret_sha256 must be 64 lower-case hex digits.")
    code = machines.code(sha256_hex(normalized_code(request.code)))
    if code is None or code.has_expired(now):
        raise _bad_code()
    if not machines.use_code(code, request.secret_sha256):
        notices.put(
            Notice(
                CODE_REUSED,
                code.machine,
                "",
                f"The enrolment code of {code.machine} was used twice, with two secrets. One of the two is not "
                f"yours: revoke the machine and enrol it again.",
                now,
            )
        )
        raise Refusal(
            ErrorCode.CODE_USED,
            "This code was used already; the owner gets a mail. Ask the owner for a new one.",
        )
    if not machines.set_token(code, request.secret_sha256):
        raise _bad_code()
    jobs = machines.jobs(code.machine)
    return EnrolmentAnswer(code.machine, tuple(EnrolledJob(job.name, job.period_seconds) for job in jobs))


def _bad_code() -> Refusal:
    return Refusal(
        ErrorCode.BAD_CODE,
        "This code is not valid, has expired or was replaced. Ask the owner for a new one.",
    )
