"""Who is calling: a token against the machine's row, or else against the readers of its recovery code."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
from chalicelib.adapters.stores.run_store import RunStore
from chalicelib.domain.backups.leases import Lease
from chalicelib.domain.backups.machines import Job, Machine, Token, parse_authorization, token_matches
from chalicelib.domain.backups.names import is_identifier
from chalicelib.domain.fleet.client_versions import version_of_agent
from chalicelib.domain.recovery.recovery import Reader, reader_with
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ErrorCode


@dataclasses.dataclass(frozen=True)
class Bearer:
    """Whose token it is. ``reader`` is there where a recovery code made it: then it may read and thaw, no more."""

    machine: Machine
    reader: Reader | None = None


@dataclasses.dataclass(frozen=True)
class Caller:
    """An authenticated machine, the job that it calls about, who holds that job's lease, and the reader as which it
    calls, if it does not call as itself."""

    machine: Machine
    job: Job
    lease: Lease | None
    reader: Reader | None = None


def authenticate(
    machines: MachineStore, recoveries: RecoveryStore, authorization: str, now: datetime
) -> Bearer:
    """The machine whose token this is; raises ``Refusal``.

    API Gateway's authorizer asks this, and every handler again: the gateway remembers an authorizer's answer for
    minutes, and a revoked token must fail at the next call.
    """
    token = parse_token(authorization)
    return check_token(recoveries, token, machines.machine(token.machine), now)


def parse_token(authorization: str) -> Token:
    token = parse_authorization(authorization)
    if token is None:
        raise Refusal(
            ErrorCode.NOT_AUTHORIZED,
            "Send the header 'Authorization: Bearer <machine>.<secret>'. Enrol first.",
        )
    return token


def check_token(recoveries: RecoveryStore, token: Token, machine: Machine | None, now: datetime) -> Bearer:
    """The readers are read only where it is not the machine's own token: backups pay nothing for them. They outlive
    its revocation, as the stolen laptop is what they are for."""
    if token_matches(token, machine) and machine is not None:
        return Bearer(machine)
    reader = reader_with(recoveries.recovery(token.machine), machine, token.secret, now)
    if machine is not None and reader is not None:
        return Bearer(machine, reader)
    if machine is not None and machine.revoked_at is not None:
        raise Refusal(
            ErrorCode.MACHINE_REVOKED, "This machine's token was revoked. Ask the owner for a new code."
        )
    raise Refusal(
        ErrorCode.NOT_AUTHORIZED,
        "This token is not valid: the machine was removed, or enrolled anew. Ask the owner for a code and enrol again.",
    )


def authenticate_for_job(
    recoveries: RecoveryStore,
    runs: RunStore,
    authorization: str,
    job_name: str,
    now: datetime,
) -> Caller:
    """Raises ``Refusal``."""
    token = parse_token(authorization)
    if not is_identifier(job_name):
        raise Refusal(ErrorCode.UNKNOWN_JOB, "Names of jobs are lower-case letters, digits and hyphens.")
    lease_state = runs.lease_state(token.machine, job_name)
    bearer = check_token(recoveries, token, lease_state.machine, now)
    if lease_state.job is None:
        raise Refusal(
            ErrorCode.UNKNOWN_JOB,
            f"This machine has no job called {job_name}. The owner adds it:"
            f" `python -m ops machine add {token.machine} --job {job_name}`.",
        )
    return Caller(bearer.machine, lease_state.job, lease_state.lease, bearer.reader)


def record_use(machines: MachineStore, bearer: Bearer | Caller, agent: str, now: datetime) -> None:
    """Of the laptop's own token: whether that was used decides if its enrolment is answered with the recovery code."""
    if bearer.reader is None:
        machines.record_use(bearer.machine, version_of_agent(agent), now)


def refuse_readers(bearer: Bearer | Caller) -> None:
    """Raises ``Refusal`` for a token that only reads."""
    if bearer.reader is not None:
        raise Refusal(
            ErrorCode.READ_ONLY,
            "This computer can only read. Backing up from here takes an enrolment code of the owner, who types"
            f" `python -m ops machine add {bearer.machine.name}`.",
        )
