"""The function's work on one thaw: asks S3 for what is still archived, looks at what can be read, keeps it longer.

It may be called at any time, several times at once, and end at any line: S3's listing says where to go on.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime

from chalicelib.domain.audit.notices import THAW_LAPSING, THAW_READY, THAW_STOPPED
from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.costs.price_table import PriceUnknown
from chalicelib.domain.costs.restore_costs import longer_copies_cost
from chalicelib.domain.restore import progress
from chalicelib.domain.restore.plans import rounded_up
from chalicelib.domain.restore.progress import ReadyStep
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.domain.restore.volumes import (
    VolumesFound,
    VolumeState,
    find_volumes,
    list_prefixes,
    tallies_of,
    together,
    without_sets,
)
from chalicelib.journeys.thaws.ask_s3 import ask_s3
from chalicelib.journeys.thaws.thaw_context import ThawWorker, what
from chalicelib.wire import ThawState, ThawTier


def continue_thaw(worker: ThawWorker, machine: str, job: str, thaw: str) -> Thaw | None:
    """The thaw as it stands then; ``None`` where there is nothing to do, or another call is at it."""
    known = worker.thaws.thaw(machine, job, thaw)
    if known is None or known.state not in (ThawState.ASKING, ThawState.THAWING, ThawState.READY):
        return None
    owner = worker.owner_of(known)
    of_machine, of_job = owner.machine, owner.job
    if of_machine is None or of_job is None:
        return _store(worker, known, progress.ended(known, progress.why_stopped(known, owner)))
    if known.state is ThawState.ASKING:
        return _ask(worker, of_machine, of_job, known)
    volumes = worker.thaws.volumes(known)
    found, look_at = _look(worker, of_machine, of_job, known)
    if known.state is ThawState.READY:
        return _store(worker, known, _when_ready(worker, of_machine, of_job, known, found))
    after = progress.after_look(known, found, volumes.asked, worker.clock(), look_at)
    return _store(worker, known, after)


def _ask(worker: ThawWorker, machine: Machine, job: Job, thaw: Thaw) -> Thaw | None:
    leased = worker.thaws.take_lease(thaw, worker.clock())
    if leased is None:
        return None
    found, look_at = _look(worker, machine, job, leased)
    asked = worker.thaws.volumes(leased).asked
    left = found.among(VolumeState.ARCHIVED, asked)
    after = ask_s3(worker, job, leased, left)
    if after is not None and not left:
        # All of it was asked for before: perhaps all of it can be read.
        after = progress.after_look(after, found, asked, worker.clock(), look_at)
    if after is None:
        return None
    stored = _store(worker, leased, after)
    # By Expedited all can be there before the last is asked for: then no event comes any more.
    is_complete = worker.thaws.count_completed(thaw.machine, thaw.job, 0) == thaw.id
    if stored.state is ThawState.THAWING and is_complete:
        return continue_thaw(worker, thaw.machine, thaw.job, thaw.id)
    return stored


def _look(worker: ThawWorker, machine: Machine, job: Job, thaw: Thaw) -> tuple[VolumesFound, datetime]:
    """What S3 has of the thaw's volumes, and when to look again."""
    stored, now = worker.thaws.volumes(thaw), worker.clock()
    volumes = together(stored.asked, stored.others)
    hidden = worker.catalogue.hidden(job).every  # since it was started, perhaps
    listing = worker.archive.list_volumes(job.location, list_prefixes(without_sets(volumes, hidden)))
    by_reader = thaw.code_made_at is not None
    has_pages_left = worker.thaws.count_pages(machine, listing.pages, now, by_reader=by_reader)
    look_at = progress.look_again_at(now, listing.pages, has_pages_left=has_pages_left)
    return find_volumes(volumes, listing.volumes, now, hidden), look_at


def _when_ready(worker: ThawWorker, machine: Machine, job: Job, thaw: Thaw, found: VolumesFound) -> Thaw:
    """Copies that can be read: kept longer while they are downloaded, given up when nobody wants them."""
    now, until = worker.clock(), found.readable_until
    step = progress.step_when_ready(thaw, found, worker.thaws.volumes(thaw).asked, now)
    if until is None or step in (ReadyStep.LAPSE, ReadyStep.END):
        return progress.lapsed(thaw)
    seen = dataclasses.replace(thaw, readable_until=until)
    if step is ReadyStep.WAIT:
        return dataclasses.replace(seen, next_look_at=progress.look_when_lapsed(seen, until, now))
    if step is ReadyStep.EXTEND:
        longer = _extend(worker, machine, job, seen, found)
        if longer is not None:
            return longer
    message = f"{what(thaw)} can be read until {until:%Y-%m-%d %H:%M} UTC, and was not downloaded in full."
    worker.notice(THAW_LAPSING, thaw, message)
    return dataclasses.replace(seen, next_look_at=min(until, now + progress.LOOK_RARELY))


def _extend(worker: ThawWorker, machine: Machine, job: Job, thaw: Thaw, found: VolumesFound) -> Thaw | None:
    """``None`` where the budget has not what that costs, or nobody knows what it costs."""
    now, copies = worker.clock(), found.copies()
    days = progress.days_to_go_on(thaw, machine)
    more = progress.more_days(now, days, thaw.readable_until or now)
    if worker.prices is None:
        return None
    try:
        usd = rounded_up(longer_copies_cost(worker.prices, tallies_of(copies), more))
    except PriceUnknown:
        return None
    if not worker.thaws.reserve(machine, usd, now):
        return None
    # By the cheapest tier, should a copy lapse in this moment.
    worker.archive.ask(job.location, [copy.name for copy in copies], ThawTier.BULK, days)
    return progress.extended(thaw, now, days)


def _store(worker: ThawWorker, before: Thaw, after: Thaw) -> Thaw:
    """Writes what has changed, and tells the owner of what somebody waits for."""
    if not worker.thaws.change(after, before):
        return before
    if before.state is not ThawState.ASKING:
        worker.thaws.record_lacking(after)
    if after.state is before.state or after.is_drill:
        return after
    if after.state is ThawState.READY and after.volumes:
        until = f" until {after.readable_until:%Y-%m-%d %H:%M} UTC" if after.readable_until else ""
        worker.notice(THAW_READY, after, f"{what(after)} can be downloaded{until}. {after.message}".strip())
    if after.state is ThawState.LAPSED or (after.state is ThawState.ENDED and after.message):
        worker.notice(THAW_STOPPED, after, f"{what(after)} has ended. {after.message}")
    return after
