"""What the journeys of thaws work with, and what they have in common: looking at a job's volumes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime

from chalicelib.adapters.s3_archive import Archive
from chalicelib.adapters.stores.cap_store import CapStore
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.notice_store import NoticeStore
from chalicelib.adapters.stores.recovery.recovery_store import RecoveryStore
from chalicelib.adapters.stores.thaw_store import StoredPlan, ThawStore
from chalicelib.domain.audit.notices import Notice
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.mail.phrases import format_bytes
from chalicelib.domain.recovery.recovery import Reader, Recovery
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.restore.limits import MAX_PAGES_A_MONTH
from chalicelib.domain.restore.plans import Terms
from chalicelib.domain.restore.reader_allowance import ReaderAllowance
from chalicelib.domain.restore.thaws import AskForThaw, Thaw, ThawMonth, ThawOwner
from chalicelib.domain.restore.volumes import (
    Volumes,
    VolumesFound,
    find_volumes,
    list_prefixes,
    without_sets,
)
from chalicelib.journeys.describe_machine import format_wire_time
from chalicelib.wire import ErrorCode, ThawState, ThawStatus


@dataclasses.dataclass(frozen=True)
class ThawContext:
    """``reader`` is there where a reader of the machine's recovery code calls."""

    thaws: ThawStore
    caps: CapStore
    notices: NoticeStore
    archive: Archive
    prices: PriceTable | None
    ask: AskForThaw
    machine: Machine
    job: Job
    now: datetime
    machines: MachineStore
    catalogue: CatalogueStore
    recoveries: RecoveryStore
    reader: Reader | None = None

    def owner_of(self, thaw: Thaw) -> ThawOwner:
        return owner_now(self.recoveries, thaw, self.machine, self.job)

    def recovery(self) -> Recovery | None:
        """Read anew each time, for readers only. Raises ``Refusal`` where their code was ended in this moment."""
        if self.reader is None:
            return None
        recovery = self.recoveries.recovery(self.machine.name)
        if recovery is None or not recovery.is_of(self.machine) or self.reader not in recovery.readers:
            raise Refusal(ErrorCode.NOT_AUTHORIZED, "This token is not valid: its recovery code was ended.")
        return recovery

    def allowance(self) -> ReaderAllowance | None:
        """For readers only. Raises ``Refusal``."""
        recovery = self.recovery()
        if recovery is None:
            return None
        known = self.catalogue.summaries.summaries(self.machine.name)
        summaries = [
            known.get(job.name) or self.catalogue.summarize_anew(job, self.now)
            for job in self.machines.jobs(self.machine.name)
        ]
        stored_bytes = sum(summary.stored_bytes for summary in summaries)
        return ReaderAllowance(recovery, stored_bytes, sum(summary.volumes for summary in summaries))

    def terms(self, plan: StoredPlan, month: ThawMonth) -> Terms:
        """What was started this month and is not downloaded yet will leave AWS too."""
        downloaded = self.caps.downloaded_this_month(self.machine, self.now)
        return Terms(
            self.prices,
            self.machine.download_cap_bytes,
            max(downloaded, month.size_bytes),
            plan.line_bytes_a_second,
            self.now,
        )

    def notice(self, code: str, thaw: str, message: str) -> None:
        self.notices.put(Notice(code, self.machine.name, self.job.name, message, self.now, thaw))


@dataclasses.dataclass(frozen=True)
class ThawWorker:
    """What the function works with that asks S3. It runs for minutes, so that it has a clock."""

    machines: MachineStore
    recoveries: RecoveryStore
    thaws: ThawStore
    notices: NoticeStore
    catalogue: CatalogueStore
    archive: Archive
    prices: PriceTable | None
    clock: Callable[[], datetime]
    has_time: Callable[[], bool]
    pause: Callable[[float], None]

    def owner_of(self, thaw: Thaw) -> ThawOwner:
        names = thaw.machine, thaw.job
        machine, job = self.machines.machine(thaw.machine), self.machines.jobs_named([names]).get(names)
        return owner_now(self.recoveries, thaw, machine, job)

    def notice(self, code: str, thaw: Thaw, message: str) -> None:
        self.notices.put(Notice(code, thaw.machine, thaw.job, message, self.clock(), thaw.id))


def owner_now(recoveries: RecoveryStore, thaw: Thaw, machine: Machine | None, job: Job | None) -> ThawOwner:
    """The recovery code is read for a reader's thaw only."""
    recovery = recoveries.recovery(thaw.machine) if thaw.code_made_at is not None else None
    return ThawOwner(machine, job, recovery)


def look_at_volumes(context: ThawContext, volumes: Volumes) -> VolumesFound:
    """What S3 has of them; those of hidden sets are missing.

    Raises ``Refusal`` where the machine's LIST requests of the month are used up.
    """
    hidden = context.catalogue.hidden(context.job)
    prefixes = list_prefixes(without_sets(volumes, hidden.every))
    whose = {"by_reader": context.reader is not None}
    if not context.thaws.count_pages(context.machine, len(prefixes), context.now, **whose):
        raise Refusal(
            ErrorCode.THAW_CAP,
            f"{context.machine.name} has had its backups listed for restores as often as it may in a month "
            f"({MAX_PAGES_A_MONTH} pages).",
        )
    listing = context.archive.list_volumes(context.job.location, prefixes)
    more_pages = listing.pages - len(prefixes)
    if more_pages:
        context.thaws.count_pages(context.machine, more_pages, context.now, **whose)
    return find_volumes(volumes, listing.volumes, context.now, hidden.every)


def what(thaw: Thaw) -> str:
    """How a thaw is called in a sentence for the owner."""
    count = "1 volume" if thaw.volumes == 1 else f"{thaw.volumes} volumes"
    return f"A thaw of {count} ({format_bytes(thaw.size_bytes)}) of {thaw.machine}/{thaw.job}"


def status_of(thaw: Thaw) -> ThawStatus:
    until = thaw.readable_until if thaw.state is ThawState.READY else None
    return ThawStatus(
        thaw=thaw.id,
        state=thaw.state,
        done=thaw.done,
        of=thaw.volumes,
        tier=thaw.tier,
        usd=float(thaw.usd) if thaw.usd is not None else None,
        ready_by=format_wire_time(thaw.ready_by),
        readable_until=format_wire_time(until) if until else None,
        message=thaw.message or None,
    )
