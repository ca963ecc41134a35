"""``panicroom restore --dry-run``: the plan, for people and as JSON."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from panicroom.duplicity_files.contents import path_of
from panicroom.restore.plan import Plan
from panicroom.restore.selected_backup import SelectedBackup
from panicroom.shown import shown_path
from panicroom.stored.times import exact_time_text, time_text
from panicroom.terminal.amounts import size_text


def plan_lines(backup: SelectedBackup, plan: Plan) -> Iterator[str]:
    """What would be restored, from which volumes, and what cannot be had."""
    wanted = plan.wanted()
    newest = " (the newest backup)" if backup.is_newest else ""
    fetched = sum(item.size_bytes for item in wanted)
    volumes = sum(len(item.numbers) for item in wanted)
    yield (
        f"{len(plan.needs)} files (at most {size_text(plan.most_bytes)}) as of {time_text(backup.as_of)}{newest}: "
        f"{volumes} volumes ({size_text(fetched)}) of {len(wanted)} sets are to be fetched"
    )
    for item in wanted:
        yield f"  {item.set}: {len(item.numbers)} volumes, {size_text(item.size_bytes)}"
    for path, reason in plan.lost.items():
        yield f"  cannot be restored: {shown_path(path_of(path))} ({reason})"
    for path in plan.missing:
        yield f"  not in the backup: {shown_path(path_of(path))}"


def plan_as_json(backup: SelectedBackup, plan: Plan) -> dict[str, Any]:
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
    }
