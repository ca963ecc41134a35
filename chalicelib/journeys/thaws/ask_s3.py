"""Asks S3 for readable copies of volumes, some hundred at a time, until all are asked for or the call's time is up."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.storage import GLACIER_FLEXIBLE_RETRIEVAL
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.restore_costs import thaw_wait, tier_used
from chalicelib.domain.restore.asking import ASKED_AT_ONCE, AskOutcome, pause_seconds
from chalicelib.domain.restore.progress import asked_for_all, ended, why_stopped
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.domain.restore.volumes import ListedVolume
from chalicelib.journeys.thaws.thaw_context import ThawWorker
from chalicelib.wire import ThawTier

NO_EXPEDITED = "S3 has no room for Expedited now: the rest was asked for by Standard, which costs less."
REFUSED = "S3 does not let the service thaw in this bucket: python -m ops doctor says what its policy lacks."


def ask_s3(worker: ThawWorker, job: Job, thaw: Thaw, volumes: Sequence[ListedVolume]) -> Thaw | None:
    """The thaw after that; ``None`` where another call has taken it over. A volume that is not there, or no longer
    archived, needs no asking."""
    waiting, tries, kept = list(volumes), 0, thaw
    while waiting:
        if not worker.has_time():
            return dataclasses.replace(kept, leased_until=None)
        stopped = why_stopped(kept, worker.owner_of(kept))
        if stopped:
            return ended(kept, stopped)
        renewed = worker.thaws.take_lease(kept, worker.clock(), mine=kept.leased_until)
        if renewed is None:
            return None
        part, waiting = waiting[:ASKED_AT_ONCE], waiting[ASKED_AT_ONCE:]
        outcomes = _ask(worker, job, renewed, part)
        if AskOutcome.REFUSED in outcomes.values():
            return ended(renewed, REFUSED)
        if AskOutcome.EXPEDITED_UNAVAILABLE in outcomes.values():
            renewed = _by_standard(worker, renewed)
        kept = renewed
        again = (AskOutcome.BUSY, AskOutcome.EXPEDITED_UNAVAILABLE)
        waiting = [volume for volume in part if outcomes[volume.name] in again] + waiting
        tries = tries + 1 if AskOutcome.BUSY in outcomes.values() else 0
        if tries:
            worker.pause(pause_seconds(tries))
    return asked_for_all(kept, worker.clock())


def _ask(worker: ThawWorker, job: Job, thaw: Thaw, volumes: Sequence[ListedVolume]) -> dict[str, AskOutcome]:
    by_tier: dict[ThawTier, list[str]] = defaultdict(list)
    for volume in volumes:
        by_tier[tier_used(volume.storage_class, thaw.tier)].append(volume.name)
    outcomes: dict[str, AskOutcome] = {}
    for tier, names in by_tier.items():
        outcomes |= worker.archive.ask(job.location, names, tier, thaw.days)
    return outcomes


def _by_standard(worker: ThawWorker, thaw: Thaw) -> Thaw:
    _, wait = thaw_wait({GLACIER_FLEXIBLE_RETRIEVAL: Tally()}, ThawTier.STANDARD)
    ready_by = max(thaw.ready_by, worker.clock() + wait)
    return dataclasses.replace(thaw, tier=ThawTier.STANDARD, ready_by=ready_by, message=NO_EXPEDITED)
