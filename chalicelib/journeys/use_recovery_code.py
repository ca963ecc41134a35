"""Somebody types the recovery code of a machine on another computer, and gets a reader's token of its making."""

from __future__ import annotations

from datetime import datetime

from chalicelib.adapters.stores.fleet.journal_store import JournalStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
from chalicelib.domain.audit.notices import RECOVERY_GUESSED, RECOVERY_USED, Notice
from chalicelib.domain.backups.machines import is_sha256_hex
from chalicelib.domain.backups.names import is_identifier
from chalicelib.domain.recovery.recovery import Reader, Recovery, code_matches, use
from chalicelib.domain.recovery.tries import GUESSED_FROM, MAX_TRIES_AN_HOUR, seconds_left
from chalicelib.domain.refusals import Refusal
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.journeys.journal.write_journal import write_recovery_use
from chalicelib.recovery_code import MistypedCode, read_recovery_code
from chalicelib.wire import EnrolledJob, ErrorCode, RecoveryAnswer, RecoveryRequest

MOST_WRITES = 5


def use_recovery_code(
    machines: MachineStore,
    recoveries: RecoveryStore,
    notices: NoticeStore,
    journal: JournalStore,
    request: RecoveryRequest,
    address: str,
    now: datetime,
) -> RecoveryAnswer:
    """Makes the secret's hash a reader of the code's machine. Raises ``Refusal``.

    What is mistyped is said without a look into the table. A try is counted before the code is compared, since tries
    may come side by side; the same code with the same secret is a lost answer and no try.
    """
    if not is_sha256_hex(request.secret_sha256):
        raise Refusal(ErrorCode.BAD_DIGEST, "secret_sha256 must be 64 lower-case hex digits.")
    code = _read(request.code)
    if not is_identifier(request.machine):
        raise _bad_code()
    if not recoveries.count_try(address, now):
        raise _too_many(now)
    for _ in range(MOST_WRITES):
        machine, known = recoveries.with_machine(request.machine)
        if known is None or not code_matches(code, known, machine):
            raise _wrong_code(recoveries, notices, request.machine, now, is_known=machine is not None)
        used, reader = use(known, request.secret_sha256, address, now)
        if used == known:
            recoveries.give_back_try(address, now)
        elif recoveries.use(used, known, _notice_of(used, reader)):
            write_recovery_use(journal, used, reader)
        else:
            continue
        jobs = tuple(EnrolledJob(job.name, job.period_seconds) for job in machines.jobs(request.machine))
        return RecoveryAnswer(request.machine, jobs, format_wire_time(reader.until))
    raise Refusal(ErrorCode.TRY_AGAIN, "This code is being used elsewhere in this moment. Try again.")


def _read(typed: str) -> str:
    try:
        return read_recovery_code(typed)
    except MistypedCode as mistyped:
        raise Refusal(ErrorCode.BAD_CODE, f"The code is mistyped: {mistyped}.") from None


def _notice_of(used: Recovery, reader: Reader) -> Notice:
    """Of each use, so that no use hides behind another one of the same day."""
    message = (
        f"The recovery code of {used.machine} (its last group is {used.last_group}) was used from "
        f"{reader.address or 'an unknown address'}: whoever did it can read this machine's backups until "
        f"{reader.until:%Y-%m-%d %H:%M} UTC, and can change nothing."
    )
    return Notice(RECOVERY_USED, used.machine, "", message, reader.made_at, f"{used.last_group}-{used.uses}")


def _wrong_code(
    recoveries: RecoveryStore, notices: NoticeStore, machine: str, now: datetime, *, is_known: bool
) -> Refusal:
    """Counted for every name: an answer that came sooner would tell which machines there are."""
    is_usual = recoveries.count_wrong(machine, now)
    if is_known and not is_usual:
        message = (
            f"{GUESSED_FROM} wrong recovery codes for {machine} were typed within an hour, and refused. "
            "Nobody guesses one: it has 120 random bits."
        )
        notices.put(Notice(RECOVERY_GUESSED, machine, "", message, now))
    return _bad_code()


def _bad_code() -> Refusal:
    return Refusal(
        ErrorCode.BAD_CODE,
        "This code is not valid for a machine of that name, or was replaced by a newer one: look for a newer sheet, or "
        "ask the owner (`python -m ops machine recovery NAME`). The second half of the sheet needs no code.",
    )


def _too_many(now: datetime) -> Refusal:
    seconds = seconds_left(now)
    return Refusal(
        ErrorCode.TOO_MANY_TRIES,
        f"{MAX_TRIES_AN_HOUR} codes were tried from this network address within this hour, as many as may be. Right "
        f"or wrong, none is looked at for {max(1, seconds // 60)} minutes; from elsewhere it can be tried now.",
        retry_after_seconds=seconds,
    )
