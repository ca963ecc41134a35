"""Where the next increment searches for changes that duplicity's comparison misses: a decision, nothing is written."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from panicroom.duplicity_run.file_identity import CHANGE_MARGIN_SECONDS
from panicroom.duplicity_run.known_files import known_files_path
from panicroom.duplicity_run.plan import Search
from panicroom.names import set_kind, set_time
from panicroom.settings import JobSettings
from panicroom.transfer.checked_set import CheckedSet, checked_set_file


def job_search(state: Path, job: JobSettings, sealed: Collection[str]) -> Search:
    """The search of the job's next increment, from what its earlier runs have left in its folder ``state``.

    ``sealed``: the sets in the bucket.
    """
    checked_file = checked_set_file(state)
    known, source = CheckedSet.load(checked_file), str(job.source.resolve())
    search = plan_search(sealed, checked_file, known, source, job.check_change_time)
    return replace(search, known_files=str(known_files_path(state)))


def plan_search(
    sealed: Collection[str], known_file: Path, known: CheckedSet | None, source: str, change_time: bool
) -> Search:
    """``sealed``: the sets in the bucket. ``known``: the newest set that this client made and checked, as it is in
    ``known_file``. ``change_time``: the job's setting.
    """
    if not sealed:
        return Search(change_time=change_time)
    if known is not None and known.source != source:  # the same paths mean other files: all are read, once
        return Search(since=0.0)
    newest = max(sealed, key=set_time)
    if known is not None and known.set == newest and (known.change_time or not change_time):
        return Search(change_time=change_time, unread_file=str(known_file))
    # Adopted, or made by a client that did not check, or on another computer: all since the chain began, once.
    began = [set_time(name).timestamp() for name in sealed if set_kind(name) == "full"]
    since = max(began) - CHANGE_MARGIN_SECONDS if began else 0.0
    return Search(since=since, change_time=change_time)
