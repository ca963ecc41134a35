"""What an owner's command is given, and how its arguments are read; a bad one is refused with what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from chalicelib.adapters.caller_identity import CallerIdentity
from chalicelib.adapters.functions.let_go_function import LetGoFunction
from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.adapters.stores.cap_store import CapStore
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.fleet.drop_store import DropStore
from chalicelib.adapters.stores.fleet.group_store import GroupStore
from chalicelib.adapters.stores.fleet.journal_store import JournalStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
from chalicelib.adapters.stores.retention.retention_store import RetentionStore
from chalicelib.adapters.stores.run_store import RunStore
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.audit.findings import sentence_at_stage
from chalicelib.domain.backups.machines import DAY_SECONDS, LONGEST_SECONDS, Job, Machine
from chalicelib.domain.backups.names import is_identifier
from chalicelib.domain.backups.retention_policy import RetentionPolicy
from chalicelib.domain.backups.storage import StoragePolicy, chosen_policy
from chalicelib.domain.fleet.group import MachineGroup
from chalicelib.domain.fleet.journal import UNKNOWN_CALLER
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.thaws import AskForThaw
from chalicelib.journeys.audit_buckets import AuditContext
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.journeys.send_alerts import AlertContext
from chalicelib.journeys.send_weekly_report import ReportContext
from chalicelib.wire import MOST, ErrorCode

Arguments = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class AdminContext:
    machines: MachineStore
    recoveries: RecoveryStore
    notices: NoticeStore
    caps: CapStore
    thaws: ThawStore
    ask_for_thaw: AskForThaw
    catalogue: CatalogueStore
    buckets: Buckets
    bucket: str
    report: ReportContext
    audit: AuditContext
    alerts: AlertContext
    retention: RetentionStore
    runs: RunStore
    groups: GroupStore
    drops: DropStore
    let_go: LetGoFunction
    journal: JournalStore
    callers: CallerIdentity
    now: datetime
    who: str = UNKNOWN_CALLER
    """Who asks, for the journal."""


NO_GROUP = "none"
"""What is typed to take a machine out of its group; no group is called so."""

NAME_FORM = "1 to 41 lower-case letters, digits and hyphens, not beginning with a hyphen"


LARGEST = {"seconds": LONGEST_SECONDS, "bytes": MOST}
"""What is larger would overflow sums of times, and is a slip of the keyboard."""


def bad_request(message: str) -> Refusal:
    return Refusal(ErrorCode.BAD_REQUEST, message)


def said(context: AdminContext, refusal: Refusal) -> str:
    """What the owner reads: the commands in it name the stage, as else they would go to the local stack."""
    return sentence_at_stage(refusal.message, context.report.stage)


def read_identifier(request: Arguments, field: str, whose: str = "a machine") -> str:
    value = request.get(field)
    if not isinstance(value, str) or not is_identifier(value):
        raise bad_request(f"The name of {whose} is {NAME_FORM}.")
    return value


def known_machine(context: AdminContext, request: Arguments) -> Machine:
    name = read_identifier(request, "name")
    machine = context.machines.machine(name)
    if machine is None:
        raise Refusal(
            ErrorCode.NOT_FOUND,
            f"There is no machine called {name}. `python -m ops machine list` lists them.",
        )
    return machine


def known_group(context: AdminContext, name: object) -> MachineGroup:
    if not isinstance(name, str) or not is_identifier(name):
        raise bad_request(f"The name of a group is {NAME_FORM}.")
    if name == NO_GROUP:
        raise bad_request(f"{NO_GROUP} stands for no group: name a group, or leave it out.")
    group = context.groups.group(name)
    if group is None:
        raise Refusal(
            ErrorCode.NOT_FOUND,
            f"There is no group called {name}. `python -m ops group list` lists them,"
            f" `python -m ops group add {name}` makes it.",
        )
    return group


def group_of(context: AdminContext, machine: Machine) -> MachineGroup | None:
    return context.groups.group(machine.group) if machine.group else None


def check_not_dropping(machine: Machine) -> None:
    """Raises ``Refusal`` where a command would bring a machine back in the middle of its end."""
    if machine.dropping_at is not None:
        raise bad_request(
            f"{machine.name} is being removed with all that it stored: `python -m ops machine drop {machine.name}` goes"
            " on with it. Until that has ended, no machine can have its name."
        )


def staying_machine(context: AdminContext, request: Arguments) -> Machine:
    """Of a command that changes it: refused while it is being removed."""
    machine = known_machine(context, request)
    check_not_dropping(machine)
    return machine


def known_job(context: AdminContext, request: Arguments) -> Job:
    return job_of(context, known_machine(context, request), request)


def staying_job(context: AdminContext, request: Arguments) -> Job:
    """As ``staying_machine``."""
    return job_of(context, staying_machine(context, request), request)


def job_of(context: AdminContext, machine: Machine, request: Arguments) -> Job:
    name = str(request.get("job"))
    for job in context.machines.jobs(machine.name):
        if job.name == name:
            return job
    raise Refusal(ErrorCode.UNKNOWN_JOB, f"{machine.name} has no job called {name}.")


def read_positive(request: Arguments, field: str, default: int) -> int:
    value = request.get(field)
    if value is None:
        return default
    most = LARGEST[field.rpartition("_")[2]]
    if type(value) is not int or not 0 < value <= most:
        raise bad_request(f"{field} must be a whole number from 1 to {most}.")
    return value


def read_storage(request: Arguments) -> StoragePolicy | None:
    """Where volumes go (``storage``) and when (``storage_after_days``); ``None`` where nothing is said of it."""
    name, days = request.get("storage"), request.get("storage_after_days")
    if name is None:
        if days is not None:
            raise bad_request("storage_after_days goes with storage.")
        return None
    if not isinstance(name, str) or not (days is None or type(days) is int):
        raise bad_request("storage is a word and storage_after_days a whole number.")
    try:
        return chosen_policy(name, days)
    except ValueError as error:
        raise bad_request(str(error)) from None


def read_drills(request: Arguments, known: int) -> int:
    """Seconds between two drills that are wanted; 0 for never."""
    every = request.get("drill_every_seconds")
    if every is None:
        return known
    most = LARGEST["seconds"]
    if type(every) is not int or (every and not DAY_SECONDS <= every <= most):
        raise bad_request(
            f"Drills are wanted once a day at most: every {DAY_SECONDS} to {most} seconds, or 0 for never."
        )
    return every


MOST_KEPT = {"keep_chains": 100, "keep_days": 10 * 366, "keep_yearly": 100}
"""What is more is a slip of the keyboard, and would keep everything."""


def read_retention(request: Arguments, known: RetentionPolicy) -> RetentionPolicy:
    """The policy with what the request changes of it. One newer chain is always kept."""
    wanted = {field: request[field] for field in MOST_KEPT if request.get(field) is not None}
    for field, number in wanted.items():
        least = 1 if field == "keep_chains" else 0
        if type(number) is not int or not least <= number <= MOST_KEPT[field]:
            raise bad_request(f"{field} must be a whole number from {least} to {MOST_KEPT[field]}.")
    return dataclasses.replace(known, **wanted)


MOST_USD_A_MONTH = 10_000


def read_usd(request: Arguments, field: str) -> Decimal:
    """A sum of money in whole cents, nothing included."""
    try:
        usd = Decimal(str(request.get(field)))
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite() or not 0 <= usd <= MOST_USD_A_MONTH or usd != round(usd, 2):
        raise bad_request(f"{field} must be USD from 0 to {MOST_USD_A_MONTH}, in whole cents.")
    return usd


def read_time(text: object, field: str) -> datetime:
    try:
        time = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise bad_request(f"{field} must be a day or a time such as 2026-12-24.") from None


def time_or_none(time: datetime | None) -> str | None:
    return format_wire_time(time) if time else None
