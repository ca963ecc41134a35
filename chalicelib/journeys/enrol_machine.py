"""A laptop turns its one-time code into a token of its own making."""

from __future__ import annotations

import re
from datetime import datetime

from chalicelib.adapters.stores.fleet.journal_store import JournalStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
from chalicelib.domain.audit.notices import CODE_RETYPED, CODE_REUSED, Notice
from chalicelib.domain.backups.machines import EnrolmentCode, is_sha256_hex, normalized_code, sha256_hex
from chalicelib.domain.recovery.recovery import code_matches
from chalicelib.domain.recovery.sealed_code import unseal
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.describe_machine import describe_family
from chalicelib.journeys.journal.write_journal import write_enrolment
from chalicelib.wire import EnrolledJob, EnrolmentAnswer, EnrolmentRequest, ErrorCode


def enrol_machine(
    machines: MachineStore,
    recoveries: RecoveryStore,
    notices: NoticeStore,
    journal: JournalStore,
    request: EnrolmentRequest,
    address: str,
    agent: str,
    now: datetime,
) -> EnrolmentAnswer:
    """Registers the secret's hash under the code's machine, in place of any older token.

    The same code with the same hash may be sent again, since answers get lost. With another hash it is refused and
    a notice is recorded: one of the two was not the owner's laptop, unless both came from one network ``address``
    within the hour. A client that cannot back up anything of the machine, as its ``agent`` says, is refused before
    the code is used.
    """
    if not is_sha256_hex(request.secret_sha256):
        raise Refusal(ErrorCode.BAD_DIGEST, "secret_sha256 must be 64 lower-case hex digits.")
    typed = normalized_code(request.code)
    code = machines.code(sha256_hex(typed))
    if code is None or code.has_expired(now):
        raise _bad_code()
    jobs, families = machines.jobs(code.machine), machines.families(code.machine)
    if families and not jobs and _KNOWS_NO_FAMILIES.match(agent):
        raise _too_old(code.machine)
    if not machines.use_code(code, request.secret_sha256, address, now):
        raise _used_code(notices, machines.code(code.code_sha256) or code, address, now)
    was_used = _register(machines, journal, code, request.secret_sha256, address, now)
    # The code stays in the shell's history for as long as it is valid; the token is used at once.
    recovery_code = None if was_used else _recovery_code(recoveries, code, typed)
    return EnrolmentAnswer(
        code.machine,
        tuple(EnrolledJob(job.name, job.period_seconds, job.family) for job in jobs),
        recovery_code,
        tuple(describe_family(family) for family in families),
    )


def _register(
    machines: MachineStore,
    journal: JournalStore,
    code: EnrolmentCode,
    secret_sha256: str,
    address: str,
    now: datetime,
) -> bool:
    """Makes the secret the machine's token; whether it was that already, and has been used. Raises ``Refusal``."""
    before = machines.machine(code.machine)
    is_again = before is not None and before.token_sha256 == secret_sha256
    if not machines.set_token(code, secret_sha256, now, is_new=not is_again):
        raise _bad_code()
    if not is_again:
        replaces = before is not None and before.token_sha256 is not None
        write_enrolment(journal, code.machine, address, now, replaces=replaces)
    return is_again and before is not None and before.last_used_at is not None


_KNOWS_NO_FAMILIES = re.compile(r"panicroom/0\.1\.")
"""Clients of before families of photos: of such a machine they would have nothing to back up, and not say why."""


def _too_old(machine: str) -> Refusal:
    return Refusal(
        ErrorCode.BAD_REQUEST,
        f"{machine} backs up pictures, which this version of panicroom cannot do. Install the one that"
        " `python -m ops machine add` names in its first line, and type this line again: the code is still valid.",
    )


def _recovery_code(recoveries: RecoveryStore, code: EnrolmentCode, typed: str) -> str | None:
    """The one that was made together with the enrolment code, if it is still the one that counts."""
    unsealed = unseal(code.sealed_recovery_code, typed) if code.sealed_recovery_code else None
    if unsealed is None:
        return None
    machine, recovery = recoveries.with_machine(code.machine)
    return unsealed if code_matches(unsealed, recovery, machine) else None


def _used_code(notices: NoticeStore, code: EnrolmentCode, address: str, now: datetime) -> Refusal:
    if code.was_just_used_from(address, now):
        message = f"The enrolment code of {code.machine} was typed again from the same address, and refused."
        notices.put(Notice(CODE_RETYPED, code.machine, "", message, now))
        advice = "If this computer is enrolled, nothing has to be done. If not, ask the owner for a new one."
        return Refusal(ErrorCode.CODE_USED, f"This code was used already. {advice}")
    message = (
        f"The enrolment code of {code.machine} was used twice, with two secrets. One of the two is not "
        "yours: revoke the machine and its recovery code, which goes with an enrolment, and enrol it again."
    )
    notices.put(Notice(CODE_REUSED, code.machine, "", message, now))
    advice = "the owner gets a mail. Ask the owner for a new one."
    return Refusal(ErrorCode.CODE_USED, f"This code was used already; {advice}")


def _bad_code() -> Refusal:
    return Refusal(
        ErrorCode.BAD_CODE,
        "This code is not valid, has expired or was replaced. Ask the owner for a new one.",
    )
