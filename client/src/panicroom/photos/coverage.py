"""How much of the pictures was read by ``photos check``, and since when: on the screen, and for the service."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from panicroom.exit_codes import Problem
from panicroom.photos.hashes import HashedFile, PassTimes, recall_hashes
from panicroom.photos.walk import FileSeen, Walk
from panicroom.photos.walking import walk_through
from panicroom.settings import JobSettings, Settings
from panicroom.terminal.amounts import size_text
from panicroom.wire import JobCheck


@dataclass(frozen=True)
class Coverage:
    """Of one job: ``hashed_files`` and ``hashed_bytes`` are those of ``files`` and ``bytes`` that were read as they are
    now, each at ``since`` (seconds since 1970) or later; ``rotted`` of the files have other bytes than they had."""

    files: int = 0
    bytes: int = 0
    hashed_files: int = 0
    hashed_bytes: int = 0
    since: int | None = None
    rotted: int = 0


def cover(walk: Mapping[str, FileSeen], hashed: Mapping[str, HashedFile]) -> Coverage:
    """What was written since it was read counts as not read. A rotted file counts until it is read again."""
    pairs = [(seen, hashed[path]) for path, seen in walk.items() if path in hashed]
    read = [known for seen, known in pairs if known.times == seen.facts]
    return Coverage(
        len(walk),
        sum(seen.size for seen in walk.values()),
        len(read),
        sum(known.size for known in read),
        min((known.read_at for known in read), default=None),
        sum(bool(known.rotted) for _seen, known in pairs),
    )


def cover_job(settings: Settings, job: JobSettings) -> Coverage:
    """Looks at each file, and reads none. What cannot be looked at is as it was."""
    hashed = recall_hashes(settings.job_state(job.job)).files
    try:
        return cover(walk_through(settings, job).files, hashed)
    except Problem:  # its disk is not attached
        seen = {path: FileSeen(*known.times, 0) for path, known in hashed.items()}
        return cover(seen, hashed)


def as_job_check(settings: Settings, job: JobSettings, walk: Walk) -> JobCheck:
    """What the service gets of a job in which nothing has changed: numbers, and no name."""
    found = cover(walk.files, recall_hashes(settings.job_state(job.job)).files)
    since = None if found.since is None else datetime.fromtimestamp(found.since, timezone.utc)
    return JobCheck(
        job.job,
        found.files,
        found.bytes,
        found.hashed_files,
        found.hashed_bytes,
        f"{since:%Y-%m-%dT%H:%M:%SZ}" if since else None,
        found.rotted,
    )


def coverage_text(jobs: Sequence[Coverage], now: datetime) -> str:
    """``83.0 GB of 231.0 GB read, 12 of 45 folders, since 3 March``; ``now`` in the owner's zone."""
    size, hashed = (sum(getattr(job, name) for job in jobs) for name in ("bytes", "hashed_bytes"))
    whole = sum(job.hashed_files == job.files > 0 for job in jobs)
    since = min((job.since for job in jobs if job.since is not None), default=None)
    if since is None:
        return f"nothing of {size_text(size)} read yet"
    amount = f"{size_text(hashed)} of {size_text(size)}"
    return f"{amount} read, {whole} of {len(jobs)} folders, since {day_text(since, now)}"


def last_read_text(passes: Iterable[PassTimes], now: datetime) -> str:
    """For ``panicroom status``: since when no folder was read for damage. ``now`` in the owner's zone."""
    ended = [its.ended_at for its in passes]
    read = [at for at in ended if at is not None]
    if not read:
        return "pictures were never read for damage: panicroom photos check --for 30m"
    never = f"; {len(ended) - len(read)} of {len(ended)} folders never" if len(read) < len(ended) else ""
    return f"pictures were read for damage since {day_text(min(read), now)}{never}"


def damage_text(pictures: int) -> str:
    """``1 picture is damaged on the disk``."""
    return f"{pictures} {'picture is' if pictures == 1 else 'pictures are'} damaged on the disk"


def day_text(seconds: int, now: datetime) -> str:
    """``3 March``, with the year where it is another one."""
    day = datetime.fromtimestamp(seconds, now.tzinfo)
    return f"{day.day} {day:%B}" + (f" {day.year}" if day.year != now.year else "")
