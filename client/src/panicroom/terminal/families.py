"""A family of photo jobs in a table of jobs: one line for all its years."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from panicroom.shown import named
from panicroom.wire import JobStatus

ATTENTION: Mapping[str, int] = {"never": 1, "failing": 1, "overdue": 2}
"""The exit code of each state that needs somebody; every other state is well."""

_WORST_FIRST = ("overdue", "failing", "never", "due", "fresh", "settled", "paused")


def photo_families(jobs: Sequence[JobStatus]) -> dict[str, tuple[JobStatus, ...]]:
    """The jobs of each family, in their order."""
    names = dict.fromkeys(job.family for job in jobs if job.family is not None)
    return {name: tuple(job for job in jobs if job.family == name) for name in names}


def years_text(family: str, jobs: Sequence[JobStatus]) -> str:
    """``photos: 2018-2026, 9 folders``; without years where the names have none."""
    names = [job.job.removeprefix(f"{family}-") for job in jobs]
    years = sorted({match[0] for name in names if (match := re.match(r"(?:19|20)\d\d(?!\d)", name))})
    span = "" if not years else f" {years[0]}," if len(years) == 1 else f" {years[0]}-{years[-1]},"
    return f"{family}:{span} {len(jobs)} folder{'s' if len(jobs) != 1 else ''}"


def worst_state(jobs: Sequence[JobStatus]) -> str:
    states = {job.state for job in jobs}
    return next((state for state in _WORST_FIRST if state in states), jobs[0].state)


def attention_lines(family: str, jobs: Sequence[JobStatus]) -> Iterator[str]:
    """A line for each state that needs somebody, with the jobs that are in it."""
    for state in ATTENTION:
        names = [job.job for job in jobs if job.state == state]
        if names and len(jobs) > 1:
            yield f"{family}: {state}: {named(names)}"
