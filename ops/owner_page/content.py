"""What is on the owner's page, for whoever comes after the owner. Pure data: two writers print it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from chalicelib.domain.audit.findings import at_stage
from chalicelib.owner_wire import JobShown, MachineShown
from ops.stages import Stage


@dataclasses.dataclass(frozen=True)
class Line:
    """A name and what belongs there, None for a blank to write on."""

    name: str
    value: str | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """Something to do, and what is typed for it."""

    text: str
    commands: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class MachinePart:
    """A machine: what the service knows of it, and blanks for where its paper and its passphrase are."""

    machine: str
    facts: tuple[Line, ...]
    kept_at: tuple[Line, ...]


@dataclasses.dataclass(frozen=True)
class OwnerPage:
    """``first`` is what whoever comes after does, in that order; ``impossible`` is what nobody can do."""

    title: str
    printed: str
    opening: str
    first: tuple[Task, ...]
    account: tuple[Line, ...]
    account_notes: tuple[str, ...]
    places: tuple[Line, ...]
    machines: tuple[MachinePart, ...]
    impossible: tuple[str, ...]


def owner_page(
    stage: Stage, api_url: str | None, machines: Sequence[MachineShown], printed: str
) -> OwnerPage:
    """``printed`` is the day."""
    return OwnerPage(
        title=f"Owner's page: backups in the AWS account {stage.account}",
        printed=f"Printed on {printed}",
        opening=(
            "For whoever looks after these backups when the owner cannot. The computers below are backed up to Amazon "
            "(AWS), encrypted, and paid for by the card of that account. Fill in the blanks by hand. Keep this page "
            "where the computers are not, with the recovery sheet of each of them, and tell somebody where."
        ),
        first=_first(stage),
        account=_account(stage),
        account_notes=(_ROOT_USER, _LOST_DEVICES),
        places=_places(stage, api_url),
        machines=tuple(_machine(stage, machine) for machine in machines),
        impossible=_IMPOSSIBLE,
    )


def _first(stage: Stage) -> tuple[Task, ...]:
    return (
        Task(
            "Leave the account and its card as they are. What is not paid is closed after 30 days, and deleted 90 days "
            "later. A bank that closes the card ends the backups: put in another one first (sign in, then Billing)."
        ),
        Task(
            "Find the recovery sheet and the passphrase of each computer (below). Delete nothing in the account."
        ),
        Task(
            "On any other computer do what the sheet says under A. It brings all files back, and changes nothing."
        ),
        Task(
            "If a sheet or its code is lost, but the passphrase is there: sign in, open CloudShell (>_ at the top), "
            "get the source (below), type make PYTHON=python3.12 owner in its folder, then this for a new code:",
            (f".venv/bin/python -m ops machine recovery MACHINE --stage {stage.name}",),
        ),
        Task(
            "When you have the files: go on paying, or close the account. Its files are gone 90 days after that."
        ),
    )


def _account(stage: Stage) -> tuple[Line, ...]:
    return (
        Line("Account", stage.account),
        Line("Sign in at", f"https://{stage.account}.signin.aws.amazon.com/console"),
        Line("User name"),
        Line("Password is at"),
        Line("Its MFA device"),
        Line("Root user's mail"),
        Line("Its password at"),
        Line("1st MFA device"),
        Line("2nd MFA device"),
        Line("Telephone"),
        Line("Card, until"),
    )


_ROOT_USER = (
    "The root user signs in at https://console.aws.amazon.com with that mail address; it can do everything. Whoever "
    "reads that mailbox can set its password again, so keep the mailbox."
)
_LOST_DEVICES = (
    "Both MFA devices lost: AWS lets the root user in by mail address and telephone number together. The mailbox lost "
    "too: only AWS's support can help, and asks for papers."
)

_IMPOSSIBLE = (
    "Open a backup without its passphrase or secret key: not AWS, not the authors of this program, nobody.",
    "Get back what was in an account that was closed more than 90 days ago.",
)


def _places(stage: Stage, api_url: str | None) -> tuple[Line, ...]:
    return (
        Line("Stage", stage.name),
        Line("Region", stage.region),
        Line("Bucket", stage.bucket),
        Line("Service", api_url),
        Line("Mail goes to", ", ".join(stage.recipients) or None),
        Line("The source is at"),
    )


def _machine(stage: Stage, machine: MachineShown) -> MachinePart:
    code = machine.recovery
    [new_code] = at_stage([f"python -m ops machine recovery {machine.machine}"], stage.name)
    return MachinePart(
        machine.machine,
        (
            *(Line("Job", _job(stage, job)) for job in machine.jobs),
            Line(
                "Recovery code",
                f"made on {code.made_at[:10]}, ends in {code.last_group}"
                if code
                else f"none yet: {new_code}",
            ),
        ),
        (Line("Its sheet is at"), Line("Passphrase is at")),
    )


def _job(stage: Stage, job: JobShown) -> str:
    newest = f"newest backup {job.newest_complete_at[:10]}" if job.newest_complete_at else "no backup yet"
    elsewhere = f" of the bucket {job.bucket}" if job.bucket != stage.bucket else ""
    return f"{job.job}: under {job.prefix or 'no prefix'}{elsewhere}, {newest}"
