"""Which of the stored chains holds a given time. Pure."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from datetime import datetime

from panicroom.duplicity_files.stored_sets import Chain, StoredChains
from panicroom.exit_codes import ExitCode, Problem
from panicroom.stored.times import exact_time_text, time_text


def chain_at(stored: StoredChains, time: datetime | None) -> Chain:
    """The chain up to the newest set at or before ``time``; without a time, up to the newest of all.

    Raises ``Problem`` (NOT_FOUND), with the times that there are, if there was no backup then, or if the set of
    that time can no longer be restored: the one before it is then a different answer, to be asked for.
    """
    if not stored.chains:
        raise Problem("there is no backup of that job that can be restored", ExitCode.NOT_FOUND)
    times = stored.times
    lost = _lost(stored)
    wanted = max({times[-1], *lost}) if time is None else time
    there = max((each for each in times if each <= wanted), default=None)
    gone = max((each for each in lost if each <= wanted), default=None)
    if there is None:
        raise Problem(
            f"there is no backup of {time_text(wanted)}; the oldest is of {_choice(times[0])}",
            ExitCode.NOT_FOUND,
        )
    if gone is not None and gone > there:
        after = min((each for each in times if each > wanted), default=None)
        later = f", the next of {_choice(after)}" if after else ""
        raise Problem(
            f"the backup of {time_text(gone)} cannot be restored, as a set is missing; "
            f"the one before is of {_choice(there)}{later}",
            ExitCode.NOT_FOUND,
        )
    return next(cut for chain in stored.chains if (cut := _until(chain, there)))


def _until(chain: Chain, end: datetime) -> Chain | None:
    sets = tuple(item for item in chain.sets if item.end <= end)
    return Chain(sets) if sets and sets[-1].end == end else None


def _lost(stored: StoredChains) -> set[datetime]:
    """The times of backups that there were and that cannot be restored.

    A set without a manifest counts only if a sealed one is newer: the newest may be one that is just being made.
    """
    newest = max(item.end for item in (*stored.orphans, *(chain.sets[-1] for chain in stored.chains)))
    lost = {item.end for item in stored.orphans} | {item.start for item in stored.orphans}
    lost |= {item.end for item in stored.unsealed if item.volumes and item.end < newest}
    return lost - set(stored.times)


def _choice(time: datetime) -> str:
    return f"{time_text(time)} (--time {exact_time_text(time)})"
