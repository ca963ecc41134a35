"""How a thaw goes on: when S3's listing is read next, and what follows from what it says.

The listing is the record. Events only bring the next look forward, so that lost, doubled and early ones cost nothing.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from enum import Enum

from chalicelib.domain.backups.machines import Machine
from chalicelib.domain.restore.plans import days_needed, lapses_at
from chalicelib.domain.restore.thaws import Thaw, ThawOwner
from chalicelib.domain.restore.volumes import Volumes, VolumesFound, VolumeState
from chalicelib.wire import ThawState

LOOK_EVERY = timedelta(minutes=15)
A_PAGE_MORE = timedelta(minutes=1)
"""What a page of the listing adds to the time between two looks: a terabyte in small volumes has forty pages."""

LOOK_RARELY = timedelta(hours=6)
"""Where the month's LIST requests are used up."""

LAPSE_WARNING = timedelta(hours=24)
"""Copies that lapse within this time are kept longer while they are downloaded; else the owner is warned."""

OVERDUE = timedelta(hours=24)
"""A thaw that is so much slower than its tier promises no longer keeps its job from starting another one."""

APPROVED_WITHIN = timedelta(days=14)
"""An approval that comes later finds nobody waiting: the price and the volumes may be others by now."""


def is_due(thaw: Thaw, now: datetime) -> bool:
    """Whether the function is to go on with it. An asking thaw without a lease was cut off."""
    if thaw.state is ThawState.ASKING:
        return thaw.leased_until is None or thaw.leased_until <= now
    looks_on = thaw.state in (ThawState.THAWING, ThawState.READY)
    return looks_on and thaw.next_look_at is not None and thaw.next_look_at <= now


def keeps_others_waiting(
    thaw: Thaw, owner: ThawOwner, now: datetime, *, for_drill: bool = False, for_reader: bool = False
) -> bool:
    """Whether the job starts no other thaw meanwhile. One begun by an earlier token of the machine, or by a recovery
    code that has ended, counts no longer: a thief's must not hold up the owner's restore. Nor does one of the laptop
    hold up a restore by a reader of the recovery code: the laptop may be what was stolen. A drill's holds up other
    drills only, a reader's too: whoever finds the sheet must not end the laptop's drills by his own."""
    if thaw.is_drill and not for_drill:
        return False
    if for_reader and not for_drill and thaw.code_made_at is None:
        return False
    return thaw.is_under_way and not _is_of_the_past(thaw, owner) and now < thaw.ready_by + OVERDUE


def may_join(known: Thaw, owner: ThawOwner, *, for_drill: bool, for_reader: bool) -> bool:
    """Whether who starts a thaw of the same volumes as ``known``, which is under way, is served by that one. While S3
    is still being asked, another's may be ended with their token."""
    if known.is_drill and not for_drill:
        return False
    if known.state is ThawState.THAWING or known.approved_at is not None:
        return not why_stopped(known, owner)
    is_anothers = for_reader and known.code_made_at is None
    return not is_anothers and not why_stopped(known, owner)


def why_stopped(thaw: Thaw, owner: ThawOwner) -> str:
    """Why S3 is asked for nothing more; empty where nothing is in the way. What the owner approved outlives a token,
    and what a reader began the machine's, but not its own code."""
    machine = owner.machine
    if machine is None or owner.job is None:
        return "The machine was removed."
    if thaw.code_made_at is not None:
        return "Its recovery code was ended or replaced." if _is_of_the_past(thaw, owner) else ""
    if thaw.approved_at is not None:
        return ""
    if machine.token_sha256 is None:
        return "The machine's token was revoked."
    return "It was begun by an earlier token of the machine." if _is_of_the_past(thaw, owner) else ""


def _is_of_the_past(thaw: Thaw, owner: ThawOwner) -> bool:
    """Whether the token, or the recovery code, by which it was begun has been replaced since."""
    machine, recovery = owner.machine, owner.recovery
    if thaw.code_made_at is not None:
        return recovery is None or not recovery.is_of(machine) or recovery.made_at != thaw.code_made_at
    issued_at = machine.code_issued_at if machine is not None else None
    return issued_at is not None and thaw.started_at < issued_at


def look_again_at(now: datetime, pages: int, *, has_pages_left: bool) -> datetime:
    return now + (max(LOOK_EVERY, pages * A_PAGE_MORE) if has_pages_left else LOOK_RARELY)


def ended(thaw: Thaw, message: str) -> Thaw:
    return dataclasses.replace(
        thaw, state=ThawState.ENDED, message=message, next_look_at=None, leased_until=None
    )


def asked_for_all(thaw: Thaw, now: datetime, message: str = "") -> Thaw:
    """S3 has been asked for every volume; the first may be there at the time that its tier begins with."""
    look_at = max(thaw.next_look_at or now, now + LOOK_EVERY)
    return dataclasses.replace(
        thaw,
        state=ThawState.THAWING,
        next_look_at=look_at,
        leased_until=None,
        message=message or thaw.message,
    )


def after_look(thaw: Thaw, found: VolumesFound, asked: Volumes, now: datetime, look_at: datetime) -> Thaw:
    """A thaw that S3 has been asked for in full, as the listing shows it. ``asked`` are the volumes it paid for."""
    done = len(found.among(VolumeState.READABLE, asked))
    if found.count(VolumeState.THAWING):
        late = "S3 takes longer than this tier usually does." if now > thaw.ready_by else thaw.message
        return dataclasses.replace(thaw, done=done, next_look_at=look_at, message=late)
    gone = thaw.volumes - done
    if gone and not found.count(VolumeState.READABLE):
        return dataclasses.replace(
            thaw,
            state=ThawState.LAPSED,
            done=0,
            next_look_at=None,
            message="The copies lapsed before anybody looked.",
        )
    message = f"{gone} of {thaw.volumes} volumes cannot be read: plan again." if gone else ""
    return dataclasses.replace(
        thaw,
        state=ThawState.READY,
        done=done,
        readable_until=found.readable_until,
        message=message,
        next_look_at=found.readable_until and look_when_lapsed(thaw, found.readable_until, now),
    )


class ReadyStep(Enum):
    """What becomes of copies that can be read. ``WARN``: they lapse within a day, and nobody downloads them."""

    WAIT = "wait"
    EXTEND = "extend"
    WARN = "warn"
    LAPSE = "lapse"
    END = "end"


def step_when_ready(thaw: Thaw, found: VolumesFound, asked: Volumes, now: datetime) -> ReadyStep:
    until = found.readable_until
    if thaw.is_drill and until is not None and now < until:
        return ReadyStep.WAIT  # it may lapse unread: the next drill asks again
    if until is None or found.among(VolumeState.ARCHIVED, asked):
        return ReadyStep.END if thaw.is_downloaded else ReadyStep.LAPSE
    if until - now > LAPSE_WARNING:
        return ReadyStep.WAIT
    if thaw.is_downloaded:
        return ReadyStep.END
    is_downloading = thaw.last_download_at is not None and now - thaw.last_download_at <= LAPSE_WARNING
    return ReadyStep.EXTEND if is_downloading else ReadyStep.WARN


def days_to_go_on(thaw: Thaw, machine: Machine) -> int:
    """For how many days from now on the copies are kept, for what was not downloaded yet."""
    left = max(0, thaw.size_bytes - thaw.downloaded_bytes)
    return days_needed(left, None, machine.download_cap_bytes)


def more_days(now: datetime, days: int, readable_until: datetime) -> int:
    """What keeping the copies so long from now on adds to the days that are paid for."""
    return max(0, -(-(lapses_at(now, days) - readable_until) // timedelta(days=1)))


def look_when_lapsed(thaw: Thaw, until: datetime, now: datetime) -> datetime:
    """When copies that can be read are looked at again: before they lapse, those of a drill after that."""
    return until if thaw.is_drill else max(until - LAPSE_WARNING, min(now + LOOK_EVERY, until))


def extended(thaw: Thaw, now: datetime, days: int) -> Thaw:
    until = lapses_at(now, days)
    return dataclasses.replace(thaw, readable_until=until, next_look_at=until - LAPSE_WARNING)


def as_of(thaw: Thaw, owner: ThawOwner, now: datetime) -> Thaw:
    """What time alone makes of it, before the function comes to look: a thaw that nobody may go on with has ended, one
    that nobody approved in time too, and copies lapse on their day."""
    if thaw.state is ThawState.WAITING:
        stopped = why_stopped(thaw, owner)
        if stopped:
            return ended(thaw, stopped)
        if now - thaw.started_at >= APPROVED_WITHIN:
            return ended(thaw, "Nobody approved it within two weeks. Plan the restore again.")
    if thaw.state is ThawState.READY and thaw.readable_until is not None and thaw.readable_until <= now:
        return lapsed(thaw)
    return thaw


def lapsed(thaw: Thaw) -> Thaw:
    """Its copies are gone: nothing is lost where all were downloaded."""
    if thaw.is_downloaded:
        return ended(thaw, "")
    message = "The copies lapsed before all were downloaded. Plan the restore again."
    return dataclasses.replace(thaw, state=ThawState.LAPSED, message=message, next_look_at=None)
