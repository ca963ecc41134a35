"""Who is calling: a token against the machine's row."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.run_store import RunStore
from chalicelib.domain.backups.leases import Lease
from chalicelib.domain.backups.machines import Job, Machine, Token, parse_authorization, token_matches
from chalicelib.domain.backups.names import is_identifier
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ErrorCode


@dataclasses.dataclass(frozen=True)
class Caller:
    """An authenticated machine, the job that it calls about, and who holds that job's lease."""

    machine: Machine
    job: Job
    lease: Lease | None


def authenticate(machines: MachineStore, authorization: str) -> Machine:
    """The machine whose token this is; raises ``Refusal``.

    API Gateway's authorizer asks this, and every handler again: the gateway remembers an authorizer's answer for
    minutes, and a revoked token must fail at the next call.
    """
    token = parse_token(authorization)
    return check_token(token, machines.machine(token.machine))


def parse_token(authorization: str) -> Token:
    token = parse_authorization(authorization)
    if token is None:
        raise Refusal(
            ErrorCode.NOT_AUTHORIZED,
            "Send the header 'Authorization: Bearer <machine>.<secret>'. Enrol first.",
        )
    return token


def check_token(token: Token, machine: Machine | None) -> Machine:
    if not token_matches(token, machine) or machine is None:
        if machine is not None and machine.revoked_at is not None:
            raise Refusal(
                ErrorCode.MACHINE_REVOKED, "This machine's token was revoked. Ask the owner for a new code."
            )
        raise Refusal(ErrorCode.NOT_AUTHORIZED, "This token is not valid. Enrol this machine again.")
    return machine


def authenticate_for_job(
    machines: MachineStore, runs: RunStore, authorization: str, job_name: str, now: datetime
) -> Caller:
    """Raises ``Refusal``."""
    token = parse_token(authorization)
    if not is_identifier(job_name):
        raise Refusal(ErrorCode.UNKNOWN_JOB, "Names of jobs are lower-case letters, digits and hyphens.")
    lease_state = runs.lease_state(token.machine, job_name)
    machine = check_token(token, lease_state.machine)
    if lease_state.job is None:
        raise Refusal(
            ErrorCode.UNKNOWN_JOB,
            f"This machine has no job called {job_name}. The owner adds one with 'ops machine add'.",
        )
    machines.record_use(machine, now)
    return Caller(machine, lease_state.job, lease_state.lease)
