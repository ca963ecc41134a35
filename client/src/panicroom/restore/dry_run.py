"""``panicroom restore --dry-run`` and ``panicroom cost``: the plan with its price, for people and as JSON."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from panicroom.duplicity_files.contents import path_of
from panicroom.duplicity_run import process as duplicity_process
from panicroom.restore.plan import Plan, make_plan
from panicroom.restore.selected_backup import SelectedBackup, opened_backup
from panicroom.settings import JobSettings, Settings
from panicroom.shown import shown_path
from panicroom.stored.times import exact_time_text, time_text
from panicroom.terminal.amounts import size_text
from panicroom.terminal.reporter import Reporter
from panicroom.thaw import plan_text as thaw_text
from panicroom.thaw.volumes import FREE_BYTES_A_MONTH, is_archived, thaw_request
from panicroom.wire import ThawPlan, to_json


@dataclass(frozen=True)
class PricedPlan:
    """``thaw`` is the service's answer; None where nothing is archived and nobody wants to know the price."""

    backup: SelectedBackup
    plan: Plan
    thaw: ThawPlan | None


def plan_restore(
    settings: Settings,
    job: JobSettings,
    paths: Sequence[str],
    time: str | None,
    reporter: Reporter,
    *,
    always_priced: bool = False,
) -> PricedPlan:
    """What a restore would fetch, and what it costs to bring that back; nothing is started, and only the cache is
    written. ``always_priced``: also where nothing is archived, and leaving AWS costs nothing."""
    duplicity_process.require_gpg()
    with opened_backup(settings, job, paths, time, reporter) as opened:
        plan = make_plan(opened.backup.contents, opened.backup.selection.indexes)
        volumes = plan.volumes()
        thaw = None
        is_large = sum(file.size for file in volumes) > FREE_BYTES_A_MONTH
        if volumes and (always_priced or is_large or any(map(is_archived, volumes))):
            request = thaw_request((file.name for file in volumes), opened.metadata.line.bytes_a_second)
            thaw = opened.api.plan_thaw(job.job, request)
        return PricedPlan(opened.backup, plan, thaw)


def plan_lines(priced: PricedPlan) -> Iterator[str]:
    """What would be restored, from which volumes, what cannot be had, and what has to be thawed."""
    backup, plan = priced.backup, priced.plan
    wanted = plan.wanted()
    newest = " (the newest backup)" if backup.is_newest else ""
    fetched = sum(item.size_bytes for item in wanted)
    volumes = sum(len(item.numbers) for item in wanted)
    yield (
        f"{len(plan.needs)} files (at most {size_text(plan.most_bytes)}) as of {time_text(backup.as_of)}{newest}: "
        f"to fetch: {thaw_text.volumes_text(volumes)} ({size_text(fetched)}) of "
        f"{len(wanted)} set{'s' if len(wanted) != 1 else ''}"
    )
    for item in wanted:
        yield f"  {item.set}: {thaw_text.volumes_text(len(item.numbers))}, {size_text(item.size_bytes)}"
    for path, reason in plan.lost.items():
        yield f"  cannot be restored: {shown_path(path_of(path))} ({reason})"
    for path in plan.missing:
        yield f"  not in the backup: {shown_path(path_of(path))}"
    if priced.thaw is not None:
        yield from thaw_text.plan_lines(priced.thaw)


def plan_as_json(priced: PricedPlan) -> dict[str, Any]:
    """``thaw`` is the service's answer; null where nothing is archived."""
    backup, plan, thaw = priced.backup, priced.plan, priced.thaw
    return {
        "as_of": exact_time_text(backup.as_of),
        "newest": backup.is_newest,
        "files": len(plan.needs),
        "most_bytes": plan.most_bytes,
        "volumes": [
            {"set": item.set, "numbers": list(item.numbers), "bytes": item.size_bytes}
            for item in plan.wanted()
        ],
        "lost": [{"path": path_of(path), "reason": reason} for path, reason in plan.lost.items()],
        "missing": [path_of(path) for path in plan.missing],
        "thaw": None if thaw is None else to_json(thaw),
    }
