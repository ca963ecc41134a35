"""What is wrong with a thaw: it does not come to an end, or nobody fetches what was paid for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from chalicelib.domain.audit.findings import Finding, new_finding
from chalicelib.domain.restore.progress import LAPSE_WARNING
from chalicelib.domain.restore.thaws import Thaw
from chalicelib.wire import ThawState

ASKED_WITHIN = timedelta(hours=1)
"""All volumes of a thaw are asked for in seconds, of the largest one in a quarter of an hour."""

LATER_THAN_PROMISED = timedelta(days=1)
"""AWS says "typically" of a tier's longest time."""

LIST = "python -m ops thaw list"


def find_thaw_trouble(thaws: Iterable[Thaw], now: datetime) -> list[Finding]:
    """Of all thaws; what is over closes by not being found again."""
    return [*filter(None, (_stuck(thaw, now) or _unread(thaw, now) for thaw in thaws))]


def _stuck(thaw: Thaw, now: datetime) -> Finding | None:
    where = f"{thaw.machine}/{thaw.job}"
    begun_at = max(thaw.started_at, thaw.approved_at or thaw.started_at)
    if thaw.state is ThawState.ASKING and now - begun_at > ASKED_WITHIN:
        message = (
            f"S3 was not asked for all volumes of a thaw of {where} since {begun_at:%Y-%m-%d %H:%M} UTC."
        )
    elif thaw.state is ThawState.THAWING and now - thaw.ready_by > LATER_THAN_PROMISED:
        message = (
            f"A thaw of {where} should have been ready by {thaw.ready_by:%Y-%m-%d %H:%M} UTC, and is not."
        )
    else:
        return None
    evidence = f"{thaw.state.value}, {thaw.done} of {thaw.volumes} volumes can be read"
    return _finding("thaw_stuck", thaw, message, evidence, "python -m ops doctor")


def _unread(thaw: Thaw, now: datetime) -> Finding | None:
    until = thaw.readable_until
    if (
        thaw.is_drill
        or thaw.state is not ThawState.READY
        or until is None
        or not now < until <= now + LAPSE_WARNING
    ):
        return None
    if thaw.is_downloaded:
        return None
    message = (
        f"What was thawed of {thaw.machine}/{thaw.job} can be read until {until:%Y-%m-%d %H:%M} UTC, and not all of it "
        "was downloaded."
    )
    evidence = f"{thaw.downloaded_bytes} of {thaw.size_bytes} bytes downloaded"
    return _finding("thaw_unread", thaw, message, evidence)


def _finding(code: str, thaw: Thaw, message: str, evidence: str, *commands: str) -> Finding:
    return new_finding(
        code,
        machine=thaw.machine,
        job=thaw.job,
        subject=thaw.id,
        message=message,
        evidence=evidence,
        commands=(LIST, *commands),
    )
