"""The answers of the ``admin`` function: the contract between the service and ``python -m ops``.

The service makes these, the owner's commands read them back with ``wire.from_json``: unknown fields are passed over.
Fields that are ``None`` travel as null. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import TypeAlias

from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.backups.names import Location
from chalicelib.rendering import Mail
from chalicelib.wire import FamilyStatus, JobStatus, Money, RecoveryCodeStatus, ThawState, ThawTier

Sources: TypeAlias = dict[str, str]
"""By setting (``period``, ``grace``, ``storage``, ``retention``, ``thaw_budget``, ``owner_mail``) where its value comes
from: ``own``, ``group NAME`` or ``default``."""


READ_COMMANDS = frozenset(
    {
        "status",
        "machine_list",
        "machine_show",
        "machine_drop_plan",
        "group_list",
        "group_show",
        "job_list",
        "thaws",
        "retention_preview",
        "retention_drop_plan",
        "findings",
        "alerts_preview",
        "catalogue_objects",
        "catalogue_differences",
        "report_preview",
        "report_status",
        "report_weeks",
        "journal",
    }
)
"""The commands that change nothing: not a row, not an object, and no mail goes out. ``admin_read`` takes only these."""


def moment_of(text: str) -> datetime:
    """A time of an answer."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@dataclasses.dataclass(frozen=True)
class ReaderRow:
    """Somebody who reads by a recovery code; ``address`` is where it was typed."""

    made_at: str
    until: str
    address: str


@dataclasses.dataclass(frozen=True)
class RecoveryShown(RecoveryCodeStatus):
    """A machine's recovery code; ``uses`` counts the readers that were ever made by it, ``readers`` read now."""

    uses: int
    readers: tuple[ReaderRow, ...]


@dataclasses.dataclass(frozen=True)
class RecoveryMade:
    """``machine_recovery``: the new code, which nobody can show again. ``replaced`` is the last group of the code that
    counted until now."""

    machine: str
    recovery_code: str
    made_at: str
    last_group: str
    replaced: str | None = None


@dataclasses.dataclass(frozen=True)
class MachineAdded:
    """``machine_add``, ``machine_rotate``: the one-time code, and all jobs and families of photo jobs of the machine.

    ``recovery_code`` is there where one was made, and nobody can show it again; ``recovery`` is the one that counts.
    """

    machine: str
    jobs: tuple[str, ...]
    code: str
    code_expires_at: str
    recovery_code: str | None = None
    recovery: RecoveryShown | None = None
    families: tuple[FamilyStatus, ...] = ()
    group: str | None = None


@dataclasses.dataclass(frozen=True)
class FamilyShown(FamilyStatus):
    """A family of photo jobs as one: ``state`` is the worst of its ``jobs``, ``looked_at`` when the one of them was
    looked at that was not for longest; ``years`` is empty where no folder is called by one."""

    jobs: tuple[str, ...] = ()
    years: str = ""
    state: str = "never"
    looked_at: str | None = None
    stored_bytes: int = 0
    grace_seconds: int = 0
    archive_class: str = "STANDARD"
    archive_after_days: int = 0
    keep_chains: int = 1
    keep_days: int = 0
    keep_yearly: int = 0
    sources: Sources = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class MachineRow:
    """``status``: enrolled, not enrolled yet, paused, revoked, dropping. ``state`` is the worst of its jobs, empty
    where an older service answers; ``looked_at`` and ``monthly`` are those of ``MachineState``."""

    machine: str
    status: str
    jobs: tuple[str, ...]
    created_at: str
    last_used_at: str | None = None
    families: tuple[FamilyShown, ...] = ()
    state: str = ""
    looked_at: str | None = None
    stored_bytes: int = 0
    monthly: Money | None = None
    owner_mail: str | None = None
    group: str | None = None
    client_version: str | None = None


@dataclasses.dataclass(frozen=True)
class MachineListing:
    """``machine_list``."""

    machines: tuple[MachineRow, ...]


@dataclasses.dataclass(frozen=True)
class SetRow:
    """``volumes`` are counted; ``volumes_expected`` where a manifest promises a number."""

    set: str
    kind: str
    volumes: int
    bytes: int
    sealed: bool
    complete: bool
    gaps: str
    quarantined: bool
    let_go: bool = False
    volumes_expected: int | None = None


@dataclasses.dataclass(frozen=True)
class JobShown(JobStatus):
    """A job as the machine itself gets it, its sets in the order of their names, and how long its chains are kept."""

    sets: tuple[SetRow, ...] = ()
    keep_chains: int = 1
    keep_days: int = 0
    keep_yearly: int = 0
    sources: Sources = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class MachineShown:
    """``machine_show``, ``machine_set``. ``thaw_reserved_usd`` is what counts against the month's budget for thaws."""

    machine: str
    status: str
    created_at: str
    jobs: tuple[JobShown, ...]
    last_used_at: str | None = None
    owner_mail: str | None = None
    thaw_budget_usd: Money = 0.0
    thaw_reserved_usd: Money = 0.0
    recovery: RecoveryShown | None = None
    families: tuple[FamilyShown, ...] = ()
    group: str | None = None
    sources: Sources = dataclasses.field(default_factory=dict)
    client_version: str | None = None


@dataclasses.dataclass(frozen=True)
class MachineChanged:
    """``machine_pause``, ``machine_resume``, ``machine_revoke``, ``machine_remove``: what is set is what was done.

    ``recovery_ended`` is the last group of the recovery code that counted until now; ``job`` is there where it was done
    to that one alone.
    """

    machine: str
    paused_until: str | None = None
    revoked_at: str | None = None
    kept: str | None = None
    recovery_ended: str | None = None
    job: str | None = None


@dataclasses.dataclass(frozen=True)
class ThawRow:
    """``thaw_approve``, ``thaw_deny``: a thaw as ``ThawStatus`` has it, and what the owner goes by.

    ``bytes`` are those of its ``volumes``, ``downloaded_bytes`` of them were fetched; the copies are kept ``days``.
    """

    thaw: str
    machine: str
    job: str
    state: ThawState
    tier: ThawTier
    volumes: int
    bytes: int
    done: int
    days: int
    started_at: str
    ready_by: str
    downloaded_bytes: int = 0
    usd: Money | None = None
    transfer_usd: Money | None = None
    readable_until: str | None = None
    approved_at: str | None = None
    message: str | None = None


@dataclasses.dataclass(frozen=True)
class ThawBudget:
    """What a machine's thaws come to this month: ``reserved_usd`` of its budget; besides, ``approved_usd``, and
    ``drills_usd`` of the allowance for drills."""

    machine: str
    budget_usd: Money
    reserved_usd: Money
    approved_usd: Money
    drills_usd: Money = 0.0


@dataclasses.dataclass(frozen=True)
class ThawListing:
    """``thaws``: those that wait for the owner first, then the newest; the budgets of all machines by name."""

    thaws: tuple[ThawRow, ...]
    budgets: tuple[ThawBudget, ...]


@dataclasses.dataclass(frozen=True)
class StoredCount:
    """``machine_recount``."""

    machine: str
    stored_bytes: int
    storage_cap_bytes: int


@dataclasses.dataclass(frozen=True)
class Quarantined:
    """``set_quarantine``; ``quarantined`` is false where the sets are shown again."""

    machine: str
    job: str
    sets: tuple[str, ...]
    quarantined: bool


@dataclasses.dataclass(frozen=True)
class JobPlace:
    """Where a job is kept, and how."""

    machine: str
    job: str
    bucket: str
    prefix: str
    archive_class: str
    archive_after_days: int

    @property
    def location(self) -> Location:
        return Location(self.bucket, self.prefix)


@dataclasses.dataclass(frozen=True)
class JobListing:
    """``job_list``."""

    jobs: tuple[JobPlace, ...]


@dataclasses.dataclass(frozen=True)
class CataloguedObject:
    key: str
    size: int
    storage_class: str
    version_id: str | None = None


@dataclasses.dataclass(frozen=True)
class CataloguePage:
    """``catalogue_objects``: ``next`` is what to ask for as ``after``; None at the end."""

    objects: tuple[CataloguedObject, ...]
    next: str | None = None


@dataclasses.dataclass(frozen=True)
class CatalogueDifferences:
    """``catalogue_differences``: keys that are not catalogued as they are stored."""

    keys: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ChainRestore:
    """What bringing back all of a chain costs, in USD, thawed by Bulk where it is archived: ``transfer_usd`` of it for
    leaving AWS, of which 100 GB a month are free. After ``wait_seconds`` at most everything can be read."""

    usd: Money
    transfer_usd: Money
    wait_seconds: int
    bytes_by_class: dict[str, int]


@dataclasses.dataclass(frozen=True)
class ChainRow:
    """A chain, named by its full set; times are S3's of the first and the newest set.

    ``verdict`` is ``goes`` (at the next run), ``waits``, ``needs_you`` (only the owner lets it go) or ``stays``
    (nothing newer stands in for it). ``why`` is a code of ``chalicelib.domain.retention.plan.Why``, ``reason`` the same
    as a sentence, ``until`` when it passes by itself. ``goes_on`` is the first run at which it may go, ``final_on``
    from when it would be gone for good then.
    ``monthly`` is what it costs a month in USD, None as ``restore`` is where a price is not known. ``seen``: it stood
    in the list at the owner's last look; ``named`` and ``held`` are the owner's as well.
    """

    chain: str
    sets: int
    bytes: int
    first_at: str
    newest_at: str
    verdict: str
    why: str | None = None
    reason: str | None = None
    until: str | None = None
    goes_on: str | None = None
    final_on: str | None = None
    monthly: Money | None = None
    seen: bool = False
    named: bool = False
    held: bool = False
    restore: ChainRestore | None = None


@dataclasses.dataclass(frozen=True)
class LooseSet:
    """A set that belongs to no chain, or does not count: ``state`` is ``unfinished``, ``in quarantine``, ``orphaned``
    (what it continues is not there) or ``unproven``. Retention leaves it; ``retention drop`` removes it."""

    set: str
    state: str
    bytes: int
    stored_at: str | None = None


@dataclasses.dataclass(frozen=True)
class LetGoRow:
    """A chain that was let go: ``state`` is ``going`` (its files are being marked), ``hidden`` (it can be brought back
    until ``final_on``), ``undoing``, ``dropping`` or ``gone``."""

    machine: str
    job: str
    chain: str
    sets: tuple[str, ...]
    state: str
    begun_at: str
    final_on: str
    bytes: int
    files: int
    bucket: str = ""
    prefix: str = ""
    """Where its files are."""


@dataclasses.dataclass(frozen=True)
class JobRetention:
    """A job's chains, the oldest first, and those that were let go. ``digest`` names what was shown: an approval gives
    it back. ``blocks`` are why nothing of it may go now, ``critical`` what is wrong with it and open: the owner reads
    that before approving."""

    machine: str
    job: str
    keep_chains: int
    keep_days: int
    keep_yearly: int
    chains: tuple[ChainRow, ...]
    let_go: tuple[LetGoRow, ...]
    digest: str
    looked_at: str | None = None
    held: bool = False
    blocks: tuple[str, ...] = ()
    critical: tuple[str, ...] = ()
    loose: tuple[LooseSet, ...] = ()


@dataclasses.dataclass(frozen=True)
class RetentionListing:
    """``retention_preview``, ``retention_approve``, ``retention_hold``. ``changed`` names the jobs, as
    ``machine/job``, whose chains were not any more what the owner had been shown: nothing of them was approved. Days
    are those of ``zone``. ``next`` is what to ask for as ``after``; None at the end."""

    jobs: tuple[JobRetention, ...]
    changed: tuple[str, ...] = ()
    zone: str = "UTC"
    next: str | None = None


@dataclasses.dataclass(frozen=True)
class DropPlan:
    """``retention_drop_plan``: what ``retention drop`` would remove for good. ``what`` is ``chain`` or the state of a
    ``LooseSet``; ``leaves_none``: the job would have no other backup that can be restored; ``is_newest``: only older
    ones. ``state`` is that of its row where it was let go before."""

    machine: str
    job: str
    chain: str
    what: str
    sets: tuple[str, ...]
    bytes: int
    files: int
    bucket: str
    prefix: str
    archive_class: str
    archive_after_days: int
    leaves_none: bool = False
    is_newest: bool = False
    state: str | None = None


@dataclasses.dataclass(frozen=True)
class UndoEnded:
    """``retention_undone``: ``is_back``, or the chain stays hidden, and ``message`` says what is wrong with it."""

    machine: str
    job: str
    chain: str
    is_back: bool
    message: str


@dataclasses.dataclass(frozen=True)
class RetentionRan:
    """``retention_run``, and the answer of the ``let_go`` function: what went, or went on, and why nothing did, a
    sentence for each job that was asked about."""

    let_go: tuple[LetGoRow, ...]
    waits: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ReportStatus:
    """``report_status``: ``refused`` has SES's reason by address."""

    refused: dict[str, str]
    last_sent_at: str | None = None


@dataclasses.dataclass(frozen=True)
class ReportSent:
    """``report_send``."""

    sent_to: tuple[str, ...]
    subject: str
    message_id: str


@dataclasses.dataclass(frozen=True)
class AlertSent:
    """``alerts_send``: no ``message_id`` where there was nothing to mail, not ``published`` where the topic had it all.
    ``mail_failed`` and ``publish_failed`` are the reasons of what did not go out."""

    message_id: str | None = None
    published: bool = False
    mail_failed: str | None = None
    publish_failed: str | None = None


@dataclasses.dataclass(frozen=True)
class AlertPreview:
    """``alerts_preview``: no mail where there is nothing to mail."""

    mail: Mail | None = None


@dataclasses.dataclass(frozen=True)
class FindingsAnswer:
    """``findings``, ``left_off`` of them beyond what one answer takes."""

    findings: tuple[Finding, ...]
    left_off: int = 0


@dataclasses.dataclass(frozen=True)
class AuditAnswer:
    """``audit``: ``left_off`` are beyond what one answer takes, counted by code as well."""

    findings: tuple[Finding, ...]
    left_off: int = 0
    left_off_by_code: dict[str, int] = dataclasses.field(default_factory=dict)
